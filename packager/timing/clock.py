"""The only module that reads the machine's clocks."""

import time
from typing import Protocol

from packager.timing.ticks import UtcMicros


class Clock(Protocol):
    """A source of wall-clock time."""

    def now(self) -> UtcMicros:
        """The current instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> UtcMicros:
        """The current instant."""
        return UtcMicros(time.time_ns() // 1000)


class ManualClock:
    """A clock that is set by hand."""

    def __init__(self, start: UtcMicros) -> None:
        self._now = start

    def now(self) -> UtcMicros:
        """The instant that was set last."""
        return self._now

    def advance_to(self, instant: UtcMicros) -> None:
        """Set the clock to `instant`, unless that is in its past."""
        self._now = max(self._now, instant)


def monotonic() -> float:
    """Seconds of a clock that never steps: for measuring durations."""
    return time.monotonic()


def monotonic_micros() -> int:
    """Microseconds of a clock that never steps."""
    return time.monotonic_ns() // 1000
