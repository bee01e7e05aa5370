"""Texts that operators read: errors, `--help`, metrics, alerts, and the status page."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import yaml

from tests.house.passages import SCRIPT, Passage
from tests.house.plain import BREAK, CODE, plain
from tests.house.tree import Source

_HELP = {"help", "description", "epilog"}
_METRICS = {"Counter", "Gauge", "Histogram", "Summary", "Info"}
_ERRORS = ("Error", "Problem", "Warning")
_ALERTS = {"summary", "description"}
_ATTRIBUTES = {"title", "alt", "placeholder", "aria-label"}
_FILLED_IN = re.compile(r"\$\{[^}]*\}|\{\{[^}]*\}\}")
_STRINGS = (ast.Constant, ast.JoinedStr, ast.BinOp, ast.IfExp)
_SENTENCE = re.compile(r"\w+ \w+ \w+")


def python_messages(source: Source) -> Iterator[Passage]:
    """Texts of errors, of `--help`, and of metrics; and all other strings with three words."""
    raised = {id(node.exc) for node in source.nodes if isinstance(node, ast.Raise)}
    named: set[ast.AST] = set()
    inner: set[ast.AST] = set()
    for node in source.nodes:
        if isinstance(node, ast.Expr):
            inner.add(node.value)  # a docstring
        elif isinstance(node, ast.Call):
            named.update(_texts(node, raised=id(node) in raised))
        if isinstance(node, _STRINGS) and node not in inner:
            inner.update(ast.walk(node))
            text = literal(node)
            if text if node in named else _SENTENCE.search(text):
                yield Passage(source.path, node.lineno, plain(text))


def _texts(call: ast.Call, *, raised: bool) -> list[ast.expr]:
    """Arguments of a call that an operator reads."""
    name = called(call)
    if raised or name.endswith(_ERRORS):
        return [*call.args, *(word.value for word in call.keywords)]
    texts = [word.value for word in call.keywords if word.arg in _HELP]
    return texts + call.args[1:2] if name in _METRICS else texts


def called(call: ast.Call) -> str:
    """The last part of the name that is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def literal(node: ast.expr) -> str:
    """The text of a literal; a placeholder stands for each value that is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(literal(part) or CODE for part in parts)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return literal(left) + literal(right)
        case ast.FormattedValue(value=ast.IfExp() as choice):
            return literal(choice)
        case ast.IfExp(body=body, orelse=orelse):
            return literal(body) + BREAK + literal(orelse)
        case _:
            return ""


def script_messages(source: Source) -> Iterator[Passage]:
    """Strings of JavaScript with three words or more."""
    for token in SCRIPT.finditer(source.text):
        if token[0][0] in "\"'`" and _SENTENCE.search(token[0]):
            line = source.text.count("\n", 0, token.start()) + 1
            yield Passage(source.path, line, plain(_FILLED_IN.sub(CODE, token[0][1:-1])))


def alert_messages(source: Source) -> Iterator[Passage]:
    """Summaries and descriptions of alerts in a YAML file of Prometheus."""
    root = yaml.compose(source.text, Loader=yaml.SafeLoader)
    waiting = [root] if root else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                waiting.append(value)
                if key.value in _ALERTS and isinstance(value, yaml.ScalarNode):
                    text = plain(_FILLED_IN.sub(CODE, value.value))
                    yield Passage(source.path, value.start_mark.line + 1, text)


class _Page(HTMLParser):
    """Collects the texts of a page with their lines."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[int, str]] = []
        self._code = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes that a browser shows."""
        self._code = tag in {"script", "style", "code", "pre"}
        shown = [value for name, value in attrs if name in _ATTRIBUTES and value]
        self.texts += [(self.getpos()[0], value) for value in shown]

    def handle_endtag(self, tag: str) -> None:
        """End code, if it was any."""
        del tag
        self._code = False

    def handle_data(self, data: str) -> None:
        """Collect text that is no code."""
        if data.strip() and not self._code:
            self.texts.append((self.getpos()[0], data))


def page_messages(source: Source) -> Iterator[Passage]:
    """Texts of an HTML page, of its tooltips too."""
    page = _Page()
    page.feed(source.text)
    for line, text in page.texts:
        yield Passage(source.path, line, plain(text))
