"""Counts of responses, in plain numbers.

A Prometheus counter that several processes share costs as much time as a response. The counts of
this module go to Prometheus once a second.
"""

from bisect import bisect_left
from collections.abc import Iterator

FIRST_BYTE_BOUNDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0, 5.0)
"""Seconds."""


class RequestCounters:
    """Responses of one channel, kind of object and status since the last `reset`."""

    __slots__ = (
        "body_bytes",
        "cached",
        "channel",
        "first_byte_counts",
        "kind",
        "requests",
        "seconds",
        "status",
    )

    def __init__(self, channel: str, kind: str, status: int) -> None:
        self.channel = channel
        self.kind = kind
        self.status = status
        self.requests = 0
        self.cached = 0
        """Responses that were ready when the request arrived."""
        self.body_bytes = 0
        self.seconds = 0.0
        """Sum of the times to the first byte."""
        self.first_byte_counts = [0] * (len(FIRST_BYTE_BOUNDS) + 1)
        """Responses for each of `FIRST_BYTE_BOUNDS`, and those above the last."""

    def count(self, size: int, seconds: float) -> None:
        """Count a response with `size` bytes of body whose first byte took `seconds`."""
        self.requests += 1
        self.body_bytes += size
        self._count_times(seconds, 1)

    def count_cached(self, responses: int, size: int, seconds: float) -> None:
        """Count `responses` from the cache with `size` bytes of body each."""
        self.requests += responses
        self.cached += responses
        self.body_bytes += size * responses
        self._count_times(seconds, responses)

    def _count_times(self, seconds: float, responses: int) -> None:
        self.seconds += seconds * responses
        self.first_byte_counts[bisect_left(FIRST_BYTE_BOUNDS, seconds)] += responses

    def reset(self) -> None:
        """Set all counts to zero."""
        self.requests = self.cached = self.body_bytes = 0
        self.seconds = 0.0
        self.first_byte_counts = [0] * len(self.first_byte_counts)


class ChannelCounters:
    """All counters of a process, by their labels."""

    def __init__(self) -> None:
        self._by_labels: dict[tuple[str, str, int], RequestCounters] = {}

    def __iter__(self) -> Iterator[RequestCounters]:
        return iter(self._by_labels.values())

    def of(self, channel: str, kind: str, status: int) -> RequestCounters:
        """The counters with these labels. The labels are configured names and statuses: few."""
        labels = channel, kind, status
        if (found := self._by_labels.get(labels)) is None:
            found = self._by_labels[labels] = RequestCounters(*labels)
        return found
