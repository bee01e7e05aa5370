"""The drift of a source's clock from UTC, and the rate that corrects it.

Media can arrive late for many reasons but never early. So the earliest arrival of a minute shows
the source's clock. A clock drifts by some hundred parts per million at most. A faster change means
that the machine lacks CPU time, or that a clock was set.

`pace` measures by it; `time_correction` applies the rate to media times.
"""

from collections import deque

from packager.timing.ticks import MICROS

_WINDOW = 60 * MICROS
"""Microseconds of a window, of which the earliest arrival counts."""
_CALM = 5
"""Calm windows in a row before the rate changes."""
_ERRATIC = 40_000
"""Microseconds between two windows that no clock's rate explains."""
_DEAD_BAND = 25_000
"""Microseconds of drift that are not corrected: the earliest of few arrivals may be that late."""
_REACTION = 300
"""Seconds in which a drift would be corrected if the rates were equal."""
_MAX_RATE = 500
"""Parts per million that a source's clock can be off."""
_MAX_EXTRA = 200
"""Parts per million beyond that to correct a drift: such a rate can be neither heard nor seen."""


class ClockDrift:
    """A PI controller for the drift of one period."""

    def __init__(self) -> None:
        self._base: int | None = None
        """Microseconds of lag of the first window."""
        self._window_start: int | None = None
        self._least = 0
        """Microseconds of the least lag in the window."""
        self._now: int | None = None
        self._corrected = 0
        """Correction so far, in millionths of a microsecond."""
        self._drifts: deque[int] = deque(maxlen=_CALM)
        """Microseconds that the source's clock was off, uncorrected, in the newest windows."""
        self._integral = 0
        """The integral part, in thousandths of a part per million."""
        self.rate = 0
        """Parts per million that media time is to gain on source time."""

    def add(self, lag: int, now: int) -> bool:
        """Add media that arrived at the instant `now` and trails the clock by `lag` microseconds.

        Returns: whether the rate has changed.
        """
        since = 0 if self._now is None else now - self._now
        self._corrected += self.rate * since if 0 < since < _WINDOW else 0
        self._now = now
        # Without the correction the lag moves in one direction, as the clock does.
        uncorrected = lag + self._corrected // MICROS
        if self._window_start is None:
            self._window_start, self._least = now, uncorrected
        self._least = min(self._least, uncorrected)
        if 0 <= now - self._window_start < _WINDOW:
            return False
        least, self._window_start = self._least, None
        if self._base is None:
            self._base = least
        return self._judge(least - self._base)

    def _judge(self, drift: int) -> bool:
        before = self._drifts[-1] if self._drifts else drift
        if abs(drift - before) > _ERRATIC:
            # The network path is another, or the clock was set; neither needs a correction.
            self._base = (self._base or 0) + drift - before
            self._drifts.clear()
            self._drifts.append(before)
            return self._turn(0)
        self._drifts.append(drift)
        if len(self._drifts) < _CALM or not (self.rate or self._integral or self._is_off()):
            return False
        left = drift - self._corrected // MICROS
        # Critically damped: the integral gain is a quarter of the square of the proportional one.
        more = 1000 * left * (_WINDOW // MICROS) // (4 * _REACTION * _REACTION)
        if abs(self.rate) < _MAX_RATE + _MAX_EXTRA or (more > 0) != (self.rate > 0):
            limit = 1000 * _MAX_RATE
            self._integral = min(max(self._integral + more, -limit), limit)
        return self._turn(left // _REACTION)

    def _turn(self, proportional: int) -> bool:
        rate = round(self._integral / 1000) + proportional
        limit = _MAX_RATE + _MAX_EXTRA
        before, self.rate = self.rate, min(max(rate, -limit), limit)
        return self.rate != before

    def _is_off(self) -> bool:
        """Whether all recent windows show a drift in the same direction."""
        return min(self._drifts) > _DEAD_BAND or max(self._drifts) < -_DEAD_BAND
