"""How a source's clock wanders from UTC, and what to do about it.

Media that arrives can be late for many reasons but never early: so it is the earliest arrival of a
minute that tells where the source's clock stands. That wanders by some hundred parts per million
at most; what changes faster is a machine that is short of time, or a clock that was set.
"""

from collections import deque

from packager.ticks import MICROS

_WINDOW = 60 * MICROS
"""Microseconds in which one arrival counts."""
_CALM = 5
"""Windows in a row that must be calm before anything is done."""
_ERRATIC = 40_000
"""Microseconds from one window to the next that no clock's rate explains."""
_DEAD_BAND = 25_000
"""Microseconds that are left alone: by so much the earliest of few arrivals may be late."""
_REACTION = 300
"""Seconds in which a distance would be made up for, if the rates were equal."""
_MOST = 500
"""Parts per million that a source's clock can be off by."""
_MORE = 200
"""Parts per million beyond that, to make up for a distance: nobody hears or sees such rates."""


class Drift:
    """The drift of one period, and the rate that makes up for it: a PI controller."""

    def __init__(self) -> None:
        """Nothing has been seen."""
        self._base: int | None = None
        self._begin: int | None = None
        self._least = 0
        self._now: int | None = None
        self._made = 0
        """What the rate has made up for so far, in millionths of a microsecond."""
        self._wandered: deque[int] = deque(maxlen=_CALM)
        """How far the source's clock, by itself, was off in the newest windows, in microseconds."""
        self._held = 0
        """The integral part, in thousandths of a part per million."""
        self.rate = 0
        """Parts per million that media time is to gain on its source's."""

    def seen(self, lag: int, now: int) -> bool:
        """Take in that media that came at the instant `now` trails the clock by `lag`.

        Both in microseconds. Returns: whether the rate has changed.
        """
        since = 0 if self._now is None else now - self._now
        self._made += self.rate * since if 0 < since < _WINDOW else 0
        self._now = now
        # As if nothing had been made up for: so it goes one way, as the clock does.
        alone = lag + self._made // MICROS
        if self._begin is None:
            self._begin, self._least = now, alone
        self._least = min(self._least, alone)
        if 0 <= now - self._begin < _WINDOW:
            return False
        least, self._begin = self._least, None
        if self._base is None:
            self._base = least
        return self._judge(least - self._base)

    def _judge(self, wandered: int) -> bool:
        before = self._wandered[-1] if self._wandered else wandered
        if abs(wandered - before) > _ERRATIC:
            # The way that media takes is another, or the clock was set: that may stay so.
            self._base = (self._base or 0) + wandered - before
            self._wandered.clear()
            self._wandered.append(before)
            return self._turn(0)
        self._wandered.append(wandered)
        if len(self._wandered) < _CALM or not (self.rate or self._held or self._is_off()):
            return False
        left = wandered - self._made // MICROS
        # Critically damped: the integral's share is a quarter of the square of the other's.
        more = 1000 * left * (_WINDOW // MICROS) // (4 * _REACTION * _REACTION)
        if abs(self.rate) < _MOST + _MORE or (more > 0) != (self.rate > 0):
            self._held = min(max(self._held + more, -1000 * _MOST), 1000 * _MOST)
        return self._turn(left // _REACTION)

    def _turn(self, proportional: int) -> bool:
        rate = round(self._held / 1000) + proportional
        before, self.rate = self.rate, min(max(rate, -_MOST - _MORE), _MOST + _MORE)
        return self.rate != before

    def _is_off(self) -> bool:
        """Whether all that was seen lately says that the clocks have parted."""
        return min(self._wandered) > _DEAD_BAND or max(self._wandered) < -_DEAD_BAND
