"""The waits between attempts: each is twice the one before, up to a limit."""

from typing import Generic, TypeVar

_Time = TypeVar("_Time", int, float)
"""Seconds or microseconds: the caller's unit."""


class Backoff(Generic[_Time]):
    """Gives the wait after each failed attempt; reads no clock and does not sleep itself."""

    def __init__(self, shortest: _Time, longest: _Time, healthy: _Time | None = None) -> None:
        """Begin with the `shortest` wait and double it up to the `longest`.

        After an attempt that lasted longer than `healthy`, the next wait is the shortest again.
        """
        self._shortest: _Time = shortest
        self._longest: _Time = longest
        self._healthy: _Time | None = healthy
        self._next: _Time = shortest

    def after(self, lasted: _Time) -> _Time:
        """The wait after an attempt that lasted this long."""
        if self._healthy is not None and lasted > self._healthy:
            self.reset()
        return self.step()

    def step(self) -> _Time:
        """The wait after one more failure."""
        wait = self._next
        self._next = min(2 * wait, self._longest)
        return wait

    def reset(self) -> None:
        """An attempt succeeded: the next wait is the shortest again."""
        self._next = self._shortest
