"""The views of a channel: the part of its timeline that a manifest covers.

The view is in the path, not in a query: a CDN distinguishes objects by path. All viewers of a view
share one URL.
"""

import re
from dataclasses import dataclass

from packager.layout import is_name
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros, parse_iso8601

AS, FROM, TO, EVENT = "as", "from", "to", "event"

_TIME = re.compile(r"(0|[1-9][0-9]{0,9})(?:\.([0-9]{0,2}[1-9]))?")
_LOOSE = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?")
"""Unix seconds in a query, in any spelling."""
_FAR = (10**10 - 1000) * MICROS
"""The next segment's time still fits into a path."""
_MILLI = 1000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class RollingView:
    """The live edge and the window behind it."""


@dataclass(frozen=True, slots=True)
class StartOverView:
    """Start-over: from an instant on, growing with the live edge."""

    start: UtcMicros


@dataclass(frozen=True, slots=True)
class CatchUpView:
    """Catch-up: complete once its end has passed."""

    start: UtcMicros
    end: UtcMicros


@dataclass(frozen=True, slots=True)
class EventView:
    """A named event: start-over while it runs."""

    name: str


View = RollingView | StartOverView | CatchUpView | EventView


def parse_view(parts: list[str]) -> tuple[View | None, list[str]]:
    """The view at the start of the path after the channel, and the rest; None if invalid."""
    match parts:
        case ["from", start, "to", end, *rest]:
            begin, stop = _instant(start), _instant(end)
            if begin is None or stop is None or begin >= stop:
                return None, rest
            return CatchUpView(begin, stop), rest
        case ["from", start, *rest]:
            begin = _instant(start)
            return None if begin is None else StartOverView(begin), rest
        case ["event", name, *rest]:
            return EventView(name) if is_name(name) else None, rest
        case _:
            return RollingView(), parts


def _instant(text: str) -> UtcMicros | None:
    """Unix seconds in the only accepted spelling: no leading and no trailing zeros."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    return UtcMicros(int(match[1]) * MICROS + int((match[2] or "").ljust(6, "0")))


def parse_instant(text: str) -> UtcMicros:
    """The instant of Unix seconds, or of ISO 8601 with an offset.

    Raises:
        ValueError: another form, or not between the years 1970 and 2286.
    """
    if (match := _LOOSE.fullmatch(text)) is not None:
        instant = UtcMicros(int(match[1]) * MICROS + int((match[2] or "")[:6].ljust(6, "0")))
    else:
        instant = parse_iso8601(text)
    if not 0 <= instant < _FAR:
        raise ValueError(text)
    return instant


def path_of(view: View) -> str:
    """The view in a path, with a slash at the end; empty for the rolling window."""
    match view:
        case RollingView():
            return ""
        case StartOverView(start):
            return f"{FROM}/{_seconds(start)}/"
        case CatchUpView(start, end):
            return f"{FROM}/{_seconds(start)}/{TO}/{_seconds(end)}/"
        case EventView(name):
            return f"{EVENT}/{name}/"


def _seconds(instant: UtcMicros) -> str:
    whole, micros = divmod(instant, MICROS)
    return f"{whole}.{micros:06d}".rstrip("0").rstrip(".")


def canonical(start: UtcMicros, end: UtcMicros | None, grid: Grid) -> View:
    """The view with the segments between `start` and `end`, equal for all such times.

    It starts at the boundary at or before `start` and ends at the boundary at or after `end`.
    Both are rounded up to a millisecond, which lies in the same segment.
    """
    first = grid.number_at_micros(start)
    if end is None:
        return StartOverView(_boundary(grid, first))
    return CatchUpView(
        _boundary(grid, first), _boundary(grid, max(first + 1, grid.ending_before(end) + 1))
    )


def _boundary(grid: Grid, number: int) -> UtcMicros:
    milliseconds = -(-number * grid.duration * 1000 // 1)
    return UtcMicros(int(milliseconds) * _MILLI)
