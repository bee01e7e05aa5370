"""Time in whole numbers: media ticks and wall-clock microseconds.

Media time is a count of ticks of a track's timescale (ticks a second). Wall time is a count of
microseconds since the Unix epoch. They are different types; only an `Anchor` (in
`packager.timeline.records`) relates a source's time to UTC. No float holds a media time.
"""

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
    """The integer nearest to `value`; a half is rounded up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def rescale(value: int, from_scale: int, to_scale: int) -> int:
    """`value` ticks of `from_scale` in ticks of `to_scale`; a half is rounded up."""
    if from_scale == to_scale:
        return value
    return (2 * value * to_scale + from_scale) // (2 * from_scale)


def micros_of(ticks: int, timescale: int) -> UtcMicros:
    """The UTC instant of `ticks` since the Unix epoch, to the nearest microsecond."""
    return UtcMicros(rescale(ticks, timescale, MICROS))


def iso8601(instant: UtcMicros) -> str:
    """`instant` as `2026-01-01T00:00:00.000Z`, to the nearest millisecond."""
    millis = (instant + 500) // 1000
    when = _EPOCH + timedelta(milliseconds=millis)
    return f"{when.isoformat()[:19]}.{millis % 1000:03d}Z"


def parse_iso8601(text: str) -> UtcMicros:
    """The instant of an ISO 8601 text with an offset from UTC.

    Raises:
        ValueError: the text is not ISO 8601, or has no offset from UTC.
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
    """`value` as decimal seconds with `digits` decimals; a half is rounded up."""
    scaled = round_half_up(value * 10**digits)
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), 10**digits)
    return f"{sign}{whole}.{part:0{digits}d}"
