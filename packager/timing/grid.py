"""The UTC grid: the boundaries that the segments of all tracks of a channel share."""

from dataclasses import dataclass
from fractions import Fraction

from packager.timing.ticks import MICROS, Ticks, UtcMicros, round_half_up


@dataclass(frozen=True, slots=True)
class Grid:
    """Segment n of a channel covers [n·d, (n+1)·d) seconds since the Unix epoch."""

    duration: Fraction
    """Segment duration d, in seconds."""

    def boundary(self, number: int, timescale: int) -> Ticks:
        """Start of segment `number` in ticks since the epoch, to the nearest tick."""
        return Ticks(round_half_up(number * self.duration * timescale))

    def number_at(self, ticks: int, timescale: int) -> int:
        """Number of the segment that contains the time `ticks` since the epoch."""
        return (ticks * self.duration.denominator) // (timescale * self.duration.numerator)

    def number_at_micros(self, instant: int) -> int:
        """Number of the segment that contains the instant `instant`, in microseconds."""
        return self.number_at(instant, MICROS)

    def ending_before(self, end: int) -> int:
        """Number of the last segment before `end`, in microseconds since the epoch.

        A URL rounds `end` to milliseconds, which may lie just above a boundary.
        """
        return self.number_at_micros(end - 1000)

    def micros(self, number: int) -> UtcMicros:
        """Start of segment `number` in microseconds since the epoch, to the nearest."""
        return UtcMicros(self.boundary(number, MICROS))
