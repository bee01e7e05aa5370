"""The latency of DASH players that follow the segment in progress.

It defines how far behind the live edge a player stays, and how early it may request a segment.
See ISO/IEC 23009-1, and DASH-IF's guidelines for low latency.
"""

from dataclasses import dataclass
from fractions import Fraction

from packager.config.parts import HELD_BACK
from packager.timeline.model import Period
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """The latency of a channel, in seconds."""

    segment: Fraction
    part: Fraction
    """Maximum duration of a chunk."""

    @property
    def offset(self) -> Fraction:
        """Time before its end at which a segment may be requested: its first chunk exists."""
        return self.segment - self.part

    @property
    def minimum(self) -> Fraction:
        """Minimum latency: no player can keep less for long."""
        return 2 * self.part

    @property
    def target(self) -> Fraction:
        """Target latency."""
        return HELD_BACK * self.part

    @property
    def maximum(self) -> Fraction:
        """Maximum latency: more than half a second beyond it, dash.js seeks to the target."""
        return self.target + self.segment


def latency_offset(period: Period, grid: Grid) -> Fraction:
    """Seconds that the media of a period trails the wall clock: less than a segment."""
    offset = Fraction(period.anchor.seen - period.anchor.utc, MICROS)
    return min(max(offset, Fraction(0)), grid.duration - Fraction(1, MICROS))
