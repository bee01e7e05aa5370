"""What players that follow the growing segment are told (ISO/IEC 23009-1, DASH-IF's low latency).

How far behind they shall be, and when there is something to ask for.
"""

from dataclasses import dataclass
from fractions import Fraction

from packager.latency import HELD_BACK
from packager.ticks import MICROS, Grid
from packager.timeline import Period


@dataclass(frozen=True, slots=True)
class Pace:
    """The latency of a channel. Seconds."""

    segment: Fraction
    part: Fraction
    """No chunk is longer."""

    @property
    def offset(self) -> Fraction:
        """How long before its end a segment may be asked for: once its first chunk is there."""
        return self.segment - self.part

    @property
    def least(self) -> Fraction:
        """Of latency: less than that no player can have for long."""
        return 2 * self.part

    @property
    def target(self) -> Fraction:
        """Of latency."""
        return HELD_BACK * self.part

    @property
    def most(self) -> Fraction:
        """Of latency: beyond half a second more, dash.js jumps rather than to play faster."""
        return self.target + self.segment


def trail_of(period: Period, grid: Grid) -> Fraction:
    """Seconds that the media of a period trails the wall clock by: less than a segment."""
    trail = Fraction(period.anchor.seen - period.anchor.utc, MICROS)
    return min(max(trail, Fraction(0)), grid.duration - Fraction(1, MICROS))
