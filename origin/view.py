"""The views of a channel: which stretch of its timeline a manifest is asked for.

A view is part of the path, since that is what a CDN tells objects by: the same view is the same URL
for every viewer.
"""

import re
from dataclasses import dataclass

from packager.layout import is_name
from packager.ticks import MICROS, Grid, UtcMicros, parse_iso8601

AS, FROM, TO, EVENT = "as", "from", "to", "event"

_TIME = re.compile(r"(0|[1-9][0-9]{0,9})(?:\.([0-9]{0,2}[1-9]))?")
_LOOSE = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,9}))?")
"""Unix seconds as people write them."""
_FAR = (10**10 - 1000) * MICROS
"""A segment after it can still be said in a path."""
_MILLI = 1000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class Rolling:
    """The live edge and the window behind it."""


@dataclass(frozen=True, slots=True)
class From:
    """Start-over: from an instant on, growing with the live edge."""

    start: UtcMicros


@dataclass(frozen=True, slots=True)
class Between:
    """Catch-up: complete once its end has passed."""

    start: UtcMicros
    end: UtcMicros


@dataclass(frozen=True, slots=True)
class OfEvent:
    """What a named event has: start-over while it goes on."""

    name: str


View = Rolling | From | Between | OfEvent


def parse_view(parts: list[str]) -> tuple[View | None, list[str]]:
    """The view that a path behind the channel begins with, and the rest; None if it is none."""
    match parts:
        case ["from", start, "to", end, *rest]:
            begin, stop = _instant(start), _instant(end)
            if begin is None or stop is None or begin >= stop:
                return None, rest
            return Between(begin, stop), rest
        case ["from", start, *rest]:
            begin = _instant(start)
            return None if begin is None else From(begin), rest
        case ["event", name, *rest]:
            return OfEvent(name) if is_name(name) else None, rest
        case _:
            return Rolling(), parts


def _instant(text: str) -> UtcMicros | None:
    """Unix seconds in the one spelling that counts: no leading zero, none behind the point."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    return UtcMicros(int(match[1]) * MICROS + int((match[2] or "").ljust(6, "0")))


def parse_instant(text: str) -> UtcMicros:
    """The instant that Unix seconds or ISO 8601 with an offset name.

    Raises:
        ValueError: neither, or not between the years 1970 and 2286.
    """
    if (match := _LOOSE.fullmatch(text)) is not None:
        instant = UtcMicros(int(match[1]) * MICROS + int((match[2] or "")[:6].ljust(6, "0")))
    else:
        instant = parse_iso8601(text)
    if not 0 <= instant < _FAR:
        raise ValueError(text)
    return instant


def path_of(view: View) -> str:
    """What stands behind the channel in a path, with a slash at its end; nothing for none."""
    match view:
        case Rolling():
            return ""
        case From(start):
            return f"{FROM}/{_seconds(start)}/"
        case Between(start, end):
            return f"{FROM}/{_seconds(start)}/{TO}/{_seconds(end)}/"
        case OfEvent(name):
            return f"{EVENT}/{name}/"


def _seconds(instant: UtcMicros) -> str:
    whole, micros = divmod(instant, MICROS)
    return f"{whole}.{micros:06d}".rstrip("0").rstrip(".")


def canonical(start: UtcMicros, end: UtcMicros | None, grid: Grid) -> View:
    """The view that all share who ask for these segments.

    It starts at the boundary at or before `start` and ends at the one at or after `end`, to the
    millisecond above: where a boundary is no whole millisecond, that lies in its segment too.
    """
    first = grid.number_at_micros(start)
    if end is None:
        return From(_boundary(grid, first))
    return Between(
        _boundary(grid, first), _boundary(grid, max(first + 1, grid.ending_before(end) + 1))
    )


def _boundary(grid: Grid, number: int) -> UtcMicros:
    milliseconds = -(-number * grid.duration * 1000 // 1)
    return UtcMicros(int(milliseconds) * _MILLI)
