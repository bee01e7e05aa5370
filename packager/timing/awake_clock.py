"""Time that leaves out stretches in which this process did not run."""

from packager.timing.ticks import MICROS

_LONGEST_STEP = MICROS // 5
"""Microseconds between two readings that count at most: readings are more frequent."""


class AwakeClock:
    """Counts microseconds while the process runs.

    A process that was starved or frozen has not heard its feeds: their bytes wait in the kernel.
    """

    def __init__(self, now: int) -> None:
        """Begin at `now`, monotonic microseconds."""
        self._last = self._time = now

    def read(self, now: int) -> int:
        """The time at `now`, monotonic microseconds; read it every 50 ms.

        A longer step than 0.2 s since the last reading counts as 0.2 s.
        """
        self._time += min(now - self._last, _LONGEST_STEP)
        self._last = now
        return self._time
