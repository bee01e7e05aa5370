"""How a source's clock wanders from UTC, and what to do about it.

Media that arrives can be late for many reasons but never early: so it is the earliest arrival of a
minute that tells where the source's clock stands. That wanders by some hundred parts per million
at most; what changes faster is a machine that is short of time, or a clock that was set.
"""

from collections import deque
from itertools import pairwise

from packager.ticks import MICROS

_WINDOW = 60 * MICROS
"""Microseconds in which one arrival counts."""
_CALM = 5
"""Windows in a row that must be calm before anything is done."""
_ERRATIC = 40_000
"""Microseconds between two windows that no clock's rate explains."""
_DEAD_BAND = 25_000
"""Microseconds that are left alone: by so much the earliest of few arrivals may be late."""
_SET = 5 * MICROS
"""Microseconds above which a clock was set: nothing smooth makes up for that."""
_REACTION = 300
"""Seconds in which a distance would be made up for, if the rates were equal."""
_MOST = 500
"""Parts per million of a rate: nobody hears or sees that."""


class Drift:
    """The drift of one period, and the rate that makes up for it: a PI controller."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self._base: int | None = None
        self._begin: int | None = None
        self._least = 0
        self._errors: deque[int] = deque(maxlen=_CALM + 1)
        self._held = 0
        """The integral part, in thousandths of a part per million."""
        self.rate = 0
        """Parts per million that media time is to gain on its source's."""

    def seen(self, lag: int, now: int) -> bool:
        """Take in that media that came at the instant `now` trails the clock by `lag`.

        Both in microseconds. Returns: whether the rate has changed.
        """
        if self._begin is None:
            self._begin, self._least = now, lag
        self._least = min(self._least, lag)
        if 0 <= now - self._begin < _WINDOW:
            return False
        least, self._begin = self._least, None
        if self._base is None:
            self._base = least
        return self._judge(least - self._base)

    def _judge(self, error: int) -> bool:
        if abs(error) > _SET and self._base is not None:
            self._base += error
            self._errors.clear()
            return False
        self._errors.append(error)
        calm = len(self._errors) > _CALM and all(
            abs(after - before) <= _ERRATIC for before, after in pairwise(self._errors)
        )
        if not calm or not (self.rate or self._is_off()):
            return False
        seconds = _WINDOW // MICROS
        # Critically damped: the integral's share is a quarter of the square of the other's.
        self._held += 1000 * error * seconds // (4 * _REACTION * _REACTION)
        self._held = min(max(self._held, -1000 * _MOST), 1000 * _MOST)
        rate = round(self._held / 1000) + error // _REACTION
        before, self.rate = self.rate, min(max(rate, -_MOST), _MOST)
        return self.rate != before

    def _is_off(self) -> bool:
        """Whether all that was seen lately says that the clocks have parted."""
        return min(self._errors) > _DEAD_BAND or max(self._errors) < -_DEAD_BAND
