"""Media time that runs a little faster or slower than its source says."""

from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise

from packager.cmaf.run import Run
from packager.ticks import MICROS, round_half_up

_MOST = 64
"""Changes of the rate that are remembered: tracks are not so far apart."""


@dataclass(frozen=True, slots=True)
class _Knot:
    """From here on the rate is another."""

    time: Fraction
    """Seconds of source time."""
    offset: Fraction
    """Seconds that are added to it there."""
    rate: int
    """Parts per million that are added to what passes after."""


class Slew:
    """A function from source time to corrected time, the same for all tracks of a source.

    What it has told of any time it never takes back.
    """

    def __init__(self) -> None:
        """Time as the source says it."""
        self._knots: list[_Knot] = []
        self._told = Fraction(0)
        """The latest source time asked for."""

    @property
    def is_still(self) -> bool:
        """Whether it has never done anything."""
        return not self._knots

    def reset(self) -> None:
        """Begin anew: another source time follows."""
        self._knots.clear()
        self._told = Fraction(0)

    def turn(self, rate: int) -> None:
        """Add `rate` parts per million to all time that has not been told of yet."""
        if self._knots and self._knots[-1].rate == rate:
            return
        offset = self._offset(self._told)
        self._knots.append(_Knot(self._told, offset, rate))
        del self._knots[:-_MOST]

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

    def applied(self, run: Run, timescale: int) -> Run:
        """`run` in corrected time: what its length gains or loses, its samples share."""
        length = run.duration
        stop = run.start + length
        self._told = max(self._told, Fraction(stop, timescale))
        if self.is_still:
            return run
        start = self._ticks(run.start, timescale)
        more = self._ticks(stop, timescale) - start - length
        durations = run.durations
        if more:
            ends = [0, *(end + end * more // length for end in accumulate(durations))]
            durations = [end - begin for begin, end in pairwise(ends)]
        return Run(start, durations, run.sizes, run.flags, run.compositions, run.payload)


def _time(knot: _Knot) -> Fraction:
    return knot.time
