"""Smooth's time: 10 MHz, counted from 2020.

UTC since 1970 at 10 MHz is above 2^53, so that players round it in a double. Counted from
2020-01-01 it stays below 2^53 until 2048. Every boundary is rounded by itself, and a duration is
the difference of two boundaries: rounding errors do not add up.
"""

from packager.timing.ticks import MICROS, UtcMicros, rescale

TIMESCALE = 10_000_000
EPOCH = 1_577_836_800
"""2020-01-01T00:00:00Z, in seconds since the Unix epoch."""

TOLERANCE = TIMESCALE // 1000
"""Maximum difference of a request's time from its fragment's: a millisecond."""


def smooth_time(ticks: int, timescale: int) -> int:
    """`ticks` since the Unix epoch in Smooth's time."""
    return rescale(ticks - EPOCH * timescale, timescale, TIMESCALE)


def instant(time: int) -> UtcMicros:
    """The wall-clock instant of `time` in Smooth's time, to the nearest microsecond."""
    return UtcMicros(rescale(time, TIMESCALE, MICROS) + EPOCH * MICROS)


def span(start: int, end: int, timescale: int) -> tuple[int, int]:
    """Start and duration in Smooth's time of media between two ticks since the Unix epoch."""
    begin = smooth_time(start, timescale)
    return begin, smooth_time(end, timescale) - begin
