"""Names of log events and of metrics."""

import ast
import re
from collections.abc import Iterator

from tests.house.messages import called
from tests.house.tree import PRODUCT, Offence, Source, Tree

_LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}
_LOGS = re.compile(r"(?:^|[._])log(?:ger)?$|get_logger\(.*\)$")
_DOTTED = re.compile(r"[\w-]+\.[\w.-]+")
_EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
_PAST = re.compile(
    r".*ed|became|begun|bound|broken|built|chosen|drawn|fallen|fed|found|given|gone|held|kept|left|"
    r"lost|made|met|put|read|sent|set|shown|shut|stuck|swept|taken|torn|won|written|woken"
)
"""Past participles."""

_METRICS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
_KINDS = _METRICS | {f"{kind}MetricFamily" for kind in _METRICS}
_PREFIX = "ringside_"
_UNIT = re.compile(
    r"ms|millis|milliseconds|us|micros|microseconds|ns|nanoseconds|minutes|hours|days|kb|mb|gb|"
    r"kilobytes|megabytes|bits|kbit|mbit|kbps|mbps|bps|bitrate|ppm|percent|khz"
)
"""Parts of a name that are units, but no base unit as seconds, bytes and ratio are."""


def find_odd_events(tree: Tree) -> list[Offence]:
    """Log events that are not of the form `area.event_in_past_tense`."""
    return [
        Offence(source.path, line, f"event {event!r}")
        for source, line, event in events(tree)
        if not _is_event(event)
    ]


def events(tree: Tree) -> Iterator[tuple[Source, int, str]]:
    """Each event that is logged, by a method too that hands its first argument to the log."""
    calls = [
        (source, node)
        for source in tree.under(*PRODUCT)
        for node in source.nodes
        if isinstance(node, ast.Call) and node.args
    ]
    helpers = {name for source in tree.under(*PRODUCT) for name in _helpers(source)}
    for source, call in calls:
        event = _text(call.args[0])
        handed_on = called(call) in helpers and bool(_DOTTED.fullmatch(event))
        if event and (_is_log(call) or handed_on):
            yield source, call.lineno, event


def _helpers(source: Source) -> Iterator[str]:
    """Names of functions whose first parameter is the event of a log call within."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.args if argument.arg != "self"]
            for call in ast.walk(node):
                if isinstance(call, ast.Call) and call.args and _is_log(call):
                    event = call.args[0]
                    if isinstance(event, ast.Name) and [event.id] == names[:1]:
                        yield node.name


def _is_log(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=owner, attr=level) if level in _LEVELS:
            return bool(_LOGS.search(ast.unparse(owner)))
        case _:
            return False


def _text(node: ast.expr) -> str:
    """The text of a string; the source of one with values filled in; empty for others."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return ast.unparse(node)
        case _:
            return ""


def _is_event(event: str) -> bool:
    words = event.rpartition(".")[2].split("_")
    return bool(_EVENT.fullmatch(event)) and any(map(_PAST.fullmatch, words))


def find_odd_metrics(tree: Tree) -> list[Offence]:
    """Metrics without the prefix, with a unit that is no base unit, or with a wrong suffix."""
    return [
        Offence(source.path, line, f"{name}: {problem}")
        for source in tree.under(*PRODUCT)
        for line, kind, name in metrics(source)
        for problem in _problems(kind, name)
    ]


def metrics(source: Source) -> Iterator[tuple[int, str, str]]:
    """Line, kind and name of each metric of a file; a helper's callers each name one."""
    calls = [node for node in source.nodes if isinstance(node, ast.Call) and node.args]
    functions = [node for node in source.nodes if isinstance(node, ast.FunctionDef)]
    helpers: dict[str, tuple[str, ast.JoinedStr]] = {}
    for call in calls:
        kind, name = called(call), call.args[0]
        if kind in _KINDS and isinstance(name, ast.JoinedStr):
            helpers |= {made.name: (kind, name) for made in functions if _holds(made, call)}
    for call in calls:
        kind, name = called(call), call.args[0]
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            continue
        if kind in _KINDS:
            yield call.lineno, kind, name.value
        elif kind in helpers:
            kind, pattern = helpers[kind]
            yield call.lineno, kind, _filled(pattern, name.value)


def _holds(function: ast.FunctionDef, call: ast.Call) -> bool:
    return any(node is call for node in ast.walk(function))


def _filled(pattern: ast.JoinedStr, word: str) -> str:
    return "".join(
        str(part.value) if isinstance(part, ast.Constant) else word for part in pattern.values
    )


def _problems(kind: str, name: str) -> Iterator[str]:
    if not name.startswith(_PREFIX):
        yield f"no prefix {_PREFIX}"
    yield from (f"{part} is no base unit" for part in name.split("_") if _UNIT.fullmatch(part))
    counter = kind.startswith("Counter")
    if counter and not name.endswith("_total"):
        yield "a counter ends in _total"
    if not counter and name.endswith("_total"):
        yield "only a counter ends in _total"
    if kind.startswith("Histogram") and not name.endswith(
        ("_seconds", "_bytes", "_ratio", "_per_second")
    ):
        yield "a histogram ends in its unit"
