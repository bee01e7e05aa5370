"""Smooth's clock: 10 MHz, counted from 2020.

UTC since 1970 at 10 MHz is above 2^53, where players that hold it in a double round it; from
2020-01-01 it stays below until 2048. Every boundary is rounded by itself and a duration is the
difference of two boundaries, so that nothing drifts.
"""

from packager.columns import Segment
from packager.ticks import MICROS, UtcMicros, rescale

TIMESCALE = 10_000_000
EPOCH = 1_577_836_800
"""2020-01-01T00:00:00Z, in seconds since the Unix epoch."""

TOLERANCE = TIMESCALE // 1000
"""A request's time may be this far from a fragment's (a millisecond)."""


def smooth_time(ticks: int, timescale: int) -> int:
    """`ticks` since the Unix epoch on Smooth's clock."""
    return rescale(ticks - EPOCH * timescale, timescale, TIMESCALE)


def instant(time: int) -> UtcMicros:
    """The wall-clock instant of `time` on Smooth's clock, to the nearest microsecond."""
    return UtcMicros(rescale(time, TIMESCALE, MICROS) + EPOCH * MICROS)


def span(segment: Segment, timescale: int) -> tuple[int, int]:
    """Start and duration of a segment as a fragment."""
    start = smooth_time(segment.start, timescale)
    return start, smooth_time(segment.end, timescale) - start
