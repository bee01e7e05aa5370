"""Media time that runs slightly faster or slower than source time."""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from packager.cmaf.samples import SampleRun
from packager.timing.ticks import MICROS, round_half_up

_MAX_KNOTS = 64
"""Changes of the rate that are kept: tracks of one source are never further apart."""


@dataclass(frozen=True, slots=True)
class _Knot:
    """A point from which another rate applies."""

    time: Fraction
    """Seconds of source time."""
    offset: Fraction
    """Seconds added to source time at that point."""
    rate: int
    """Parts per million added to the time that passes afterwards."""


class TimeCorrection:
    """A piecewise linear function from source time to corrected time, one for all tracks.

    A value that was returned once never changes.
    """

    def __init__(self) -> None:
        self._knots: list[_Knot] = []
        self._latest = Fraction(0)
        """The latest source time that was corrected."""

    @property
    def is_identity(self) -> bool:
        """Whether corrected time has always been source time."""
        return not self._knots

    def reset(self) -> None:
        """Return to source time, for a source time that starts again."""
        self._knots.clear()
        self._latest = Fraction(0)

    def turn(self, rate: int) -> None:
        """Add `rate` parts per million to all source time that was not corrected yet."""
        if self._knots and self._knots[-1].rate == rate:
            return
        offset = self._offset(self._latest)
        self._knots.append(_Knot(self._latest, offset, rate))
        del self._knots[:-_MAX_KNOTS]

    def _offset(self, time: Fraction) -> Fraction:
        if not self._knots:
            return Fraction(0)
        at = max(0, bisect_right(self._knots, time, key=_time) - 1)
        knot = self._knots[at]
        if time < knot.time:
            return knot.offset
        return knot.offset + (time - knot.time) * knot.rate / MICROS

    def _ticks(self, ticks: int, timescale: int) -> int:
        time = Fraction(ticks, timescale)
        return round_half_up((time + self._offset(time)) * timescale)

    def applied(self, run: SampleRun, timescale: int) -> SampleRun:
        """`run` in corrected time: all samples share the change of its duration."""
        length = run.duration
        stop = run.start + length
        self._latest = max(self._latest, Fraction(stop, timescale))
        if self.is_identity:
            return run
        start = self._ticks(run.start, timescale)
        more = self._ticks(stop, timescale) - start - length
        durations = run.durations
        if more:
            ends = [0, *(end + end * more // length for end in accumulate(durations))]
            durations = [end - begin for begin, end in pairwise(ends)]
        return SampleRun(start, durations, run.sizes, run.flags, run.compositions, run.payload)


def _time(knot: _Knot) -> Fraction:
    return knot.time
