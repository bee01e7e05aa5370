"""The results of `bench/serving.py`, as Markdown and as JSON."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from live_channel import SETS
from load import Found

NAMES = {
    "nginx": "nginx",
    "c": "C, epoll, bodies from memory: the limit",
    "nginx-guarded": "nginx with log and token",
    "origin": "**origin**: tokens, sampled log",
    "origin-open": "origin without tokens, sampled log",
    "origin-full-log": "origin: tokens, a log line per request",
    "origin-bare": "origin as it comes: no setting at all",
}
_AT_WORK = 0.9
"""Share of the time that a server's core must be busy for the number to be its limit."""


@dataclass(frozen=True)
class Cell:
    """A load that is compared."""

    case: str
    connections: int


@dataclass(frozen=True)
class Scale:
    """One worker and two, in the same round."""

    case: str
    one: Found
    two: Found
    pinned: bool
    """All workers on one core and the load on another; otherwise all on any core."""


@dataclass(frozen=True)
class Idle:
    """Open connections without requests."""

    count: int
    still_open: int
    before: dict[str, int]
    """Bytes of memory: `rss`, `pss`."""
    after: dict[str, int]


@dataclass
class Results:
    """All results."""

    rounds: int
    seconds: int
    playlist: int
    """Bytes of each body."""
    start_over: int
    """Bytes of each gzipped body."""
    wrk_only: bool = False
    """Whether wrk requested large bodies too."""
    cells: dict[Cell, dict[str, dict[int, Found]]] = field(default_factory=dict)
    """By server and round."""
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Servers that could not be started, with the reason."""
    scales: list[Scale] = field(default_factory=list[Scale])
    idle: dict[str, Idle] = field(default_factory=dict[str, Idle])

    def add(self, cell: Cell, server: str, turn: int, found: Found) -> None:
        """Add a measurement."""
        self.cells.setdefault(cell, {}).setdefault(server, {})[turn] = found


def as_json(results: Results) -> str:
    """All measurements, round by round."""
    cells = [
        {**asdict(cell), "server": name, "round": turn, **asdict(found)}
        for cell, servers in results.cells.items()
        for name, turns in servers.items()
        for turn, found in turns.items()
    ]
    rest = {
        "machine": _machine(),
        "rounds": results.rounds,
        "seconds": results.seconds,
        "refused": results.refused,
        "scales": [asdict(scale) for scale in results.scales],
        "idle": {name: asdict(idle) for name, idle in results.idle.items()},
    }
    return json.dumps({**rest, "cells": cells}, indent=1)


def as_markdown(results: Results) -> str:
    """The tables."""
    lines = [*_head(results), *_summary(results), *_details(results)]
    lines += [*_workers(results), *_idle(results)]
    return "".join(f"{line}\n" for line in lines)


def _output(*command: str) -> str:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout.partition("\n")[0].strip()


def _machine() -> str:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    nginx = _output("/usr/sbin/nginx", "-v").rpartition("/")[2]
    wrk = _output("wrk", "-v").partition("[")[0].strip()
    commit = _output("git", "rev-parse", "--short", "HEAD")
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, "
        f"Linux {platform.release()}, Python {platform.python_version()}, nginx {nginx}, {wrk}, "
        f"commit {commit}"
    )


def _head(results: Results) -> Iterator[str]:
    yield "# The origin beside nginx and a C server"
    yield ""
    yield f"{_machine()}. Rounds: {results.rounds} of {results.seconds} s each."
    yield (
        "Medians; ratios are to nginx in the same round (of answers a second; of bytes a second "
        "for segments, which a short round cuts)."
    )
    yield (
        f"Rolling playlist {results.playlist} bytes, twelve hours {results.start_over} bytes "
        "gzipped; both and the tag of the 304s change every 1.92 s with the live edge, but for "
        "nginx and C, whose files never change. Segments: "
        + ", ".join(f"{count} of {name}" for name, (_, _, count) in SETS.items())
        + ", asked for one after the other. "
        + (
            "All by wrk."
            if results.wrk_only
            else "Playlists and 304s by wrk, the rest by a client that drops bodies without a copy."
        )
    )
    yield (
        f"°: the server was at work for less than {_AT_WORK:.0%} of the time: the load, or what "
        "others did on its core, was the limit; there the CPU an answer says more. `nginx with "
        "log and token` sends Cache-Control, CORS and a request id too."
    )
    for name, reason in results.refused.items():
        if name in NAMES:
            yield f"Not supported: {NAMES[name]}: {reason}."
    yield ""


def _at_work(found: Found) -> float:
    return found.own + found.kernel


def _turns(results: Results, cell: Cell, name: str) -> dict[int, Found]:
    return results.cells.get(cell, {}).get(name, {})


def _ratio(
    results: Results, cell: Cell, name: str, value: Callable[[Found], float]
) -> float | None:
    peers = _turns(results, cell, "nginx")
    ratios = [
        value(found) / value(peers[turn])
        for turn, found in _turns(results, cell, name).items()
        if turn in peers and value(peers[turn])
    ]
    return statistics.median(ratios) if ratios else None


def _speed(cell: Cell) -> Callable[[Found], float]:
    return (lambda found: found.size) if cell.case in SETS else (lambda found: found.rate)


def _median(turns: dict[int, Found], value: Callable[[Found], float]) -> float:
    return statistics.median(map(value, turns.values()))


def _two(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _names(results: Results) -> list[str]:
    known = {name for servers in results.cells.values() for name in servers} | set(results.refused)
    return [name for name in NAMES if name in known]


def _summary(results: Results) -> Iterator[str]:
    cases = list(dict.fromkeys(cell.case for cell in results.cells))
    for connections in dict.fromkeys(cell.connections for cell in results.cells):
        for title, value in (("speed", None), ("p99", lambda found: found.p99)):
            yield f"## {title.capitalize()} with {connections} connections, ratio to nginx"
            yield ""
            yield _row("server", *cases)
            yield _row(*["---"] * (len(cases) + 1))
            for name in _names(results):
                cells = [Cell(case, connections) for case in cases]
                texts = [_two(_ratio(results, c, name, value or _speed(c))) for c in cells]
                marks = [_mark(_turns(results, c, name)) if not value else "" for c in cells]
                marked = [f"{text}{mark}" for text, mark in zip(texts, marks, strict=True)]
                yield _row(NAMES[name], *_unless_refused(results, name, marked))
            yield ""


def _unless_refused(results: Results, name: str, cells: list[str]) -> list[str]:
    if name not in results.refused:
        return cells
    return ["not supported", *[""] * (len(cells) - 1)]


def _mark(turns: dict[int, Found]) -> str:
    if not turns or _median(turns, _at_work) >= _AT_WORK:
        return ""
    return "°"


_HEADS = (
    *("server", "answers/s", "Gbit/s", "ratio", "p50, ms", "p99, ms", "p99 ratio"),
    *("CPU an answer, µs", "CPU ratio", "at work", "others", "bytes an answer", "errors"),
)


def _details(results: Results) -> Iterator[str]:
    for cell, servers in results.cells.items():
        yield f"### {cell.case}, {cell.connections} connections"
        yield ""
        yield _row(*_HEADS)
        yield _row(*["---"] * len(_HEADS))
        for name, title in NAMES.items():
            if name in servers:
                yield _row(title, *_detail(results, cell, name, servers[name]))
        yield ""


def _detail(results: Results, cell: Cell, name: str, turns: dict[int, Found]) -> Iterator[str]:
    yield f"{_median(turns, lambda found: found.rate):.0f}"
    yield f"{_median(turns, lambda found: found.size) * 8 / 1e9:.2f}"
    yield _two(_ratio(results, cell, name, _speed(cell))) + _mark(turns)
    yield f"{_median(turns, lambda found: found.p50):.2f}"
    yield f"{_median(turns, lambda found: found.p99):.2f}"
    yield _two(_ratio(results, cell, name, lambda found: found.p99))
    yield f"{_median(turns, lambda found: found.cpu):.1f}"
    yield _two(_ratio(results, cell, name, lambda found: found.cpu))
    yield f"{_median(turns, _at_work):.0%}"
    yield f"{_median(turns, lambda found: max(0.0, found.core - _at_work(found))):.0%}"
    yield f"{_median(turns, lambda found: found.each):.0f}"
    refused = sum(found.refused for found in turns.values())
    failed = sum(found.failed for found in turns.values())
    yield f"{refused} refused, {failed} failed" if refused or failed else "0"


def _workers(results: Results) -> Iterator[str]:
    if "workers" in results.refused:
        yield "## Two workers beside one"
        yield ""
        yield f"Not supported: {results.refused['workers']}"
        yield ""
    if not results.scales:
        return
    yield "## Two workers beside one"
    yield ""
    yield _row(
        *("case", "one, answers/s", "two, answers/s", "raw ratio", "one, answers a CPU-second"),
        *("two, answers a CPU-second", "scale by CPU", "busier worker's share"),
    )
    yield _row(*["---"] * 8)
    for pinned, where in ((True, "workers on one core"), (False, "workers and load anywhere")):
        for case in dict.fromkeys(scale.case for scale in results.scales):
            found = [s for s in results.scales if (s.case, s.pinned) == (case, pinned)]
            if found:
                yield _scale(f"{case}, {where}", found)
    yield ""
    yield (
        "64 connections. This machine has no core for each worker and one for the load, so raw "
        "numbers say nothing of what two workers can do. *Scale by CPU* is twice what two workers "
        "do for a second of CPU over what one does: how much more two would do with a core each if "
        "nothing but CPU counted. On one core, with the load on the other, it tells what sharing a "
        "port and a store costs; workers and load anywhere run at the same time, but take turns "
        "with the load on two cores, which costs switches and makes batches smaller. Neither "
        "shows what memory or network would allow, nor how evenly many cores are used: see "
        "for that the busier one's share (0.5 is even)."
    )
    yield ""


def _scale(case: str, scales: list[Scale]) -> str:
    def of(value: Callable[[Scale], float], digits: int = 0) -> str:
        return f"{statistics.median(map(value, scales)):.{digits}f}"

    return _row(
        case,
        of(lambda scale: scale.one.rate),
        of(lambda scale: scale.two.rate),
        of(lambda scale: scale.two.rate / scale.one.rate, 2),
        of(lambda scale: 1e6 / scale.one.cpu),
        of(lambda scale: 1e6 / scale.two.cpu),
        of(lambda scale: 2 * scale.one.cpu / scale.two.cpu, 2),
        of(lambda scale: scale.two.by_process[0] / sum(scale.two.by_process), 2),
    )


def _idle(results: Results) -> Iterator[str]:
    if not results.idle:
        return
    yield "## Idle connections"
    yield ""
    yield _row(
        *("server", "connections", "still open", "RSS before, MiB", "RSS after, MiB"),
        *("PSS before, MiB", "PSS after, MiB", "RSS a connection, KiB", "PSS a connection, KiB"),
    )
    yield _row(*["---"] * 9)
    for name, idle in results.idle.items():
        sizes = [of[kind] / 2**20 for kind in ("rss", "pss") for of in (idle.before, idle.after)]
        grown = [(idle.after[kind] - idle.before[kind]) / 1024 for kind in ("rss", "pss")]
        yield _row(
            name,
            str(idle.count),
            str(idle.still_open),
            *(f"{size:.1f}" for size in sizes),
            *(f"{more / idle.count:.2f}" for more in grown),
        )
    yield ""
    yield "Each has asked once for the playlist. What the kernel holds for a socket is not in it."
    yield ""
