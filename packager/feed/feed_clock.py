"""The rate of the feed's clock against the machine's clock."""

from collections import deque

from packager.feed.frame_times import MAX_STEP
from packager.timing.ticks import MICROS
from packager.timing.timestamp_counter import TimestampCounter

_WINDOW = 10 * MICROS
"""Microseconds of which the earliest arrival counts."""
_KEPT_WINDOWS = 180
_MIN_WINDOWS = 6
_ERRATIC = 40_000
"""Microseconds from one window to the next that no clock's rate explains."""
_CLOCK_JUMP = MICROS
_MAX_ERROR = 20e-6
"""The largest standard error with which a rate is reported."""


class FeedClock:
    """Measures how much faster the feed's clock runs.

    Media can arrive late for many reasons, but never early. The earliest arrival of some seconds
    therefore shows where the feed's clock stands.
    """

    def __init__(self, counter: TimestampCounter) -> None:
        self._counter = counter
        self._last: int | None = None
        self._last_arrival = 0
        self._ticks = 0
        """Ticks since the first value, or since a jump."""
        self._window_start = 0
        self._least_delay = 0
        """The least delay in this window: the smallest difference of both clocks."""
        self._least_delay_at = 0
        self._delays: deque[tuple[int, int]] = deque(maxlen=_KEPT_WINDOWS)
        """Of each window: the instant of the least delay, and that delay."""
        self._elapsed_ticks = 0
        self.ppm: int | None = None
        """Parts per million that the clock is fast; None while uncertain."""

    @property
    def elapsed(self) -> int:
        """Microseconds that the clock has advanced in all, without jumps."""
        return self._elapsed_ticks * MICROS // self._counter.rate

    def discontinuity(self) -> None:
        """Allow the clock to jump once."""
        self._last = None

    def observe(self, ticks: int, now: int) -> None:
        """Take a value of the clock that arrives at `now` (monotonic microseconds)."""
        rate = self._counter.rate
        step = 0 if self._last is None else self._counter.difference(ticks, self._last)
        usual = 0 <= step <= MAX_STEP * rate
        self._elapsed_ticks += step if usual else 0
        # After a pause of the feed both clocks advance by a large but equal step.
        deviation = abs(step * MICROS // rate - (now - self._last_arrival))
        if self._last is None or (not usual and deviation > _CLOCK_JUMP):
            self._start(now)
        else:
            self._ticks += step
        self._last, self._last_arrival = ticks, now
        delay = now - self._ticks * MICROS // rate
        if now - self._window_start >= _WINDOW:
            self._close_window(now)
            self._least_delay = delay
        if delay <= self._least_delay:
            self._least_delay, self._least_delay_at = delay, now

    def _start(self, now: int) -> None:
        self._ticks = 0
        self._window_start, self._least_delay, self._least_delay_at = now, now, now
        self._delays.clear()
        self.ppm = None

    def _close_window(self, now: int) -> None:
        delays = self._delays
        if delays and abs(self._least_delay - delays[-1][1]) > _ERRATIC:
            delays.clear()
        delays.append((self._least_delay_at, self._least_delay))
        self._window_start = now
        self.ppm = _slope(delays) if len(delays) >= _MIN_WINDOWS else None


def _slope(points: deque[tuple[int, int]]) -> int | None:
    """Parts per million that the clock is fast, by least squares; None if uncertain."""
    count = len(points)
    middle = sum(at for at, _ in points) / count
    mean = sum(delay for _, delay in points) / count
    spread = sum((at - middle) ** 2 for at, _ in points)
    if not spread:
        return None
    slope = sum((at - middle) * (delay - mean) for at, delay in points) / spread
    residual = sum((delay - mean - slope * (at - middle)) ** 2 for at, delay in points)
    error = (residual / (count - 2) / spread) ** 0.5
    return round(-slope * 1_000_000) if error < _MAX_ERROR else None
