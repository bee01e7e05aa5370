"""The only reading of a clock."""

import time
from typing import Protocol

from packager.ticks import UtcMicros


class Clock(Protocol):
    """Tells the wall-clock time."""

    def now(self) -> UtcMicros:
        """The current instant."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> UtcMicros:
        """The current instant."""
        return UtcMicros(time.time_ns() // 1000)


class ManualClock:
    """A clock that stands where it is put."""

    def __init__(self, start: UtcMicros) -> None:
        self._now = start

    def now(self) -> UtcMicros:
        """The instant it was put at."""
        return self._now

    def advance_to(self, instant: UtcMicros) -> None:
        """Go on to `instant`; never back."""
        self._now = max(self._now, instant)


def monotonic() -> float:
    """Seconds on a clock that never steps: for measuring how long something took."""
    return time.monotonic()


def monotonic_micros() -> int:
    """The same in microseconds."""
    return time.monotonic_ns() // 1000
