"""Time in whole numbers: media ticks, wall-clock microseconds and the grid they meet on.

Media time is an integer count of a track's timescale (ticks a second); wall time is an integer
count of microseconds since the Unix epoch. They are different types; only an `Anchor` (see
`packager.records`) relates a source's time to UTC. No float holds a media time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import NewType

Ticks = NewType("Ticks", int)
"""A media time or duration, in ticks of some timescale."""

UtcMicros = NewType("UtcMicros", int)
"""A wall-clock instant, in microseconds since 1970-01-01T00:00:00Z."""

MICROS = 1_000_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def round_half_up(value: Fraction) -> int:
    """The whole number nearest to `value`; a half goes up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def rescale(value: int, from_scale: int, to_scale: int) -> int:
    """`value` ticks of `from_scale` in ticks of `to_scale`, to the nearest, a half going up."""
    if from_scale == to_scale:
        return value
    return (2 * value * to_scale + from_scale) // (2 * from_scale)


def micros_of(ticks: int, timescale: int) -> UtcMicros:
    """The UTC instant of `ticks` counted from the Unix epoch, to the nearest microsecond."""
    return UtcMicros(rescale(ticks, timescale, MICROS))


def iso8601(instant: UtcMicros) -> str:
    """`instant` as `2026-01-01T00:00:00.000Z`, to the nearest millisecond."""
    millis = (instant + 500) // 1000
    when = _EPOCH + timedelta(milliseconds=millis)
    return f"{when.isoformat()[:19]}.{millis % 1000:03d}Z"


def parse_iso8601(text: str) -> UtcMicros:
    """The instant that an ISO 8601 text with an offset names.

    Raises:
        ValueError: not ISO 8601, or without an offset from UTC.
    """
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        msg = f"{text[:64]!r}: write it as 2026-01-01T00:00:00Z"
        raise ValueError(msg) from None
    if when.tzinfo is None:
        msg = f"{text!r} has no offset from UTC: end it with Z or +hh:mm"
        raise ValueError(msg)
    return UtcMicros((when - _EPOCH) // timedelta(microseconds=1))


def seconds(value: Fraction, digits: int) -> str:
    """`value` as decimal seconds with `digits` decimals, a half going up."""
    scaled = round_half_up(value * 10**digits)
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}"


@dataclass(frozen=True, slots=True)
class Grid:
    """The UTC grid of a channel: segment n covers [n·d, (n+1)·d) seconds since the epoch."""

    duration: Fraction
    """Segment duration d, in seconds."""

    def boundary(self, number: int, timescale: int) -> Ticks:
        """Where segment `number` starts, in ticks since the epoch, to the nearest tick."""
        return Ticks(round_half_up(number * self.duration * timescale))

    def number_at(self, ticks: int, timescale: int) -> int:
        """The segment that the instant `ticks` since the epoch lies in."""
        return (ticks * self.duration.denominator) // (timescale * self.duration.numerator)

    def number_at_micros(self, instant: int) -> int:
        """The segment that the wall-clock `instant` (microseconds) lies in."""
        return self.number_at(instant, MICROS)

    def ending_before(self, end: int) -> int:
        """The last segment of what ends at the instant `end` (microseconds).

        A path may say `end` to the millisecond above a boundary.
        """
        return self.number_at_micros(end - 1000)

    def micros(self, number: int) -> UtcMicros:
        """The instant that segment `number` starts at, to the nearest microsecond."""
        return UtcMicros(self.boundary(number, MICROS))
