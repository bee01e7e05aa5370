"""The condition of a pushed ladder, measured from its requests."""

from collections import deque
from dataclasses import dataclass, field

from packager.timing.ticks import MICROS

_WINDOW = 10
"""Seconds over which the bit rate is measured: several bodies of a segment each."""


@dataclass(slots=True)
class IngestHealth:
    """Bytes, last arrival and newest problem of one channel's encoders."""

    peer: str = ""
    """Address of the encoder that sent the newest bytes."""
    _begun: int | None = None
    _arrived: int | None = None
    _seconds: deque[tuple[int, int]] = field(default_factory=deque[tuple[int, int]])
    """Seconds, and the bytes that arrived in each."""
    _problem: str = ""

    def note_bytes(self, peer: str, size: int, now: int) -> None:
        """Count `size` bytes of `peer`, at `now` in monotonic microseconds."""
        second = now // MICROS
        self.peer, self._arrived = peer, now
        self._begun = now if self._begun is None else self._begun
        if self._seconds and self._seconds[-1][0] == second:
            size += self._seconds.pop()[1]
        self._seconds.append((second, size))
        self._forget(second)

    def note_problem(self, problem: str) -> None:
        """Keep the newest problem until it is taken."""
        self._problem = problem

    def take_problem(self) -> str:
        """The newest problem since the last call; empty if there was no problem."""
        taken, self._problem = self._problem, ""
        return taken

    def silent_ms(self, now: int) -> int | None:
        """Milliseconds since the newest bytes; None before the first."""
        return None if self._arrived is None else (now - self._arrived) // 1000

    def bitrate(self, now: int) -> int | None:
        """Bit/s of all tracks over the last seconds; None before the first second is over."""
        self._forget(now // MICROS)
        if self._begun is None or now - self._begun < MICROS:
            return None
        micros = min(now - self._begun, _WINDOW * MICROS)
        return sum(size for _, size in self._seconds) * 8 * MICROS // micros

    def _forget(self, second: int) -> None:
        while self._seconds and self._seconds[0][0] <= second - _WINDOW:
            self._seconds.popleft()
