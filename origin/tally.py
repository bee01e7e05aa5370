"""Counts of answers, in plain numbers.

A Prometheus counter that several processes share costs as much as the answer that it counts, so
that what was counted here is handed on once in a while.
"""

from bisect import bisect_left
from collections.abc import Iterator

FIRST_BYTE_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0, 5.0)
"""Seconds."""


class Tally:
    """Answers of one channel, kind of object and status, since they were last handed on."""

    __slots__ = (
        "channel",
        "kind",
        "octets",
        "ready",
        "requests",
        "seconds",
        "status",
        "waits",
    )

    def __init__(self, channel: str, kind: str, status: int) -> None:
        self.channel = channel
        self.kind = kind
        self.status = status
        self.requests = 0
        self.ready = 0
        """Of them, those that were at hand."""
        self.octets = 0
        """Bytes of bodies."""
        self.seconds = 0.0
        """Together, to the first byte."""
        self.waits = [0] * (len(FIRST_BYTE_BOUNDS) + 1)
        """Answers by the bound that their time to the first byte is within."""

    def note(self, octets: int, seconds: float) -> None:
        """One answer, with a body of `octets`, whose first byte came after `seconds`."""
        self.requests += 1
        self.octets += octets
        self._wait(seconds, 1)

    def note_ready(self, count: int, octets: int, seconds: float) -> None:
        """`count` answers that were at hand; they have `octets` each and came within `seconds`."""
        self.requests += count
        self.ready += count
        self.octets += octets * count
        self._wait(seconds, count)

    def _wait(self, seconds: float, count: int) -> None:
        self.seconds += seconds * count
        self.waits[bisect_left(FIRST_BYTE_BOUNDS, seconds)] += count

    def reset(self) -> None:
        """Begin anew."""
        self.requests = self.ready = self.octets = 0
        self.seconds = 0.0
        self.waits = [0] * len(self.waits)


class Tallies:
    """All tallies of a process."""

    def __init__(self) -> None:
        self._by_labels: dict[tuple[str, str, int], Tally] = {}

    def __iter__(self) -> Iterator[Tally]:
        return iter(self._by_labels.values())

    def of(self, channel: str, kind: str, status: int) -> Tally:
        """The tally with these labels: names of the configuration and of HTTP, hence few."""
        labels = channel, kind, status
        if (found := self._by_labels.get(labels)) is None:
            found = self._by_labels[labels] = Tally(*labels)
        return found
