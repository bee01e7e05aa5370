"""Playback quality as players report it (CMCD), for Prometheus.

A request only stores its CMCD; `flush` parses it later, outside the request.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prometheus_client import Counter, Histogram

from origin.runtime.telemetry.metrics import observe_many
from origin.viewers.cmcd import ARGUMENT, HEADERS, LONGEST, argument, parse
from origin.viewers.sessions import Observation, Sessions
from packager.timing.ticks import UtcMicros

_LABELS = ("channel", "cdn")
REQUESTS = Counter("ringside_cmcd_requests_total", "Requests with CMCD", _LABELS)
STARVED = Counter(
    "ringside_cmcd_starved_total",
    "Requests with CMCD whose player's buffer ran empty since its previous request",
    _LABELS,
)
DROPPED = Counter(
    "ringside_cmcd_dropped_total",
    "Requests whose CMCD was not parsed: too many at once, or too long",
)
BUFFER_BOUNDS = (0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 60.0)
"""Seconds."""
BUFFER = Histogram(
    "ringside_cmcd_buffer_seconds",
    "Media in players' buffers",
    _LABELS,
    buckets=BUFFER_BOUNDS,
)
_BITS = 8
_THROUGHPUT_MEGABITS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 100.0, 300.0)
THROUGHPUT_BOUNDS = tuple(megabits * 1e6 / _BITS for megabits in _THROUGHPUT_MEGABITS)
"""Bytes per second."""
THROUGHPUT = Histogram(
    "ringside_cmcd_throughput_bytes_per_second",
    "Network throughput that players measured",
    _LABELS,
    buckets=THROUGHPUT_BOUNDS,
)
STARTUP_BOUNDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 60.0)
"""Seconds."""
STARTUP = Histogram(
    "ringside_cmcd_startup_seconds",
    "Time from a session's first request until its player has enough media to start",
    _LABELS,
    buckets=STARTUP_BOUNDS,
)

_MOST_WAITING = 8192
_AT_ONCE = 1 << 15
"""Characters that one call of `flush` parses: a hundred requests, a few milliseconds. The time
depends on the length, not on the content."""
_CMCD_IN_QUERY = f"{ARGUMENT}="


class _Noted(NamedTuple):
    """A request with CMCD that is not parsed yet."""

    channel: str
    cdn: str
    query: str | None
    headers: Mapping[str, str]
    now: UtcMicros
    length: int
    """Characters of query and headers."""


class CmcdMetrics:
    """Collects CMCD from requests and adds it to the metrics."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        """Keep at most `most_waiting` requests that are not parsed yet."""
        self._most_waiting = most_waiting
        self._waiting: deque[_Noted] = deque()
        self._dropped = 0
        self._sessions = Sessions()

    def note(
        self,
        channel: str,
        cdn: str,
        raw_query: str | None,
        headers: Mapping[str, str],
        now: UtcMicros,
    ) -> None:
        """Keep a request's CMCD, if there is any, until the next `flush`.

        `channel` and `cdn` become labels: names of the configuration, or empty. `headers` has
        names in lower case, or ignores case.
        """
        query = raw_query if raw_query and _CMCD_IN_QUERY in raw_query else None
        reported = {name: headers[name] for name in HEADERS if name in headers}
        if query is None and not reported:
            return
        length = len(query or "") + sum(map(len, reported.values()))
        if length <= LONGEST and len(self._waiting) < self._most_waiting:
            self._waiting.append(_Noted(channel, cdn, query, reported, now, length))
        else:
            self._dropped += 1

    def flush(self, at_once: int = _AT_ONCE) -> int:
        """Parse requests, oldest first; return how many are left.

        It stops after the request that contains character number `at_once`.
        """
        if self._dropped:
            DROPPED.inc(self._dropped)
            self._dropped = 0
        sums: dict[tuple[str, str], _Sums] = {}
        while self._waiting and at_once > 0:
            noted = self._waiting.popleft()
            at_once -= noted.length
            query = None if noted.query is None else argument(noted.query)
            cmcd = parse(query, noted.headers)
            if cmcd is None:
                continue
            seen = self._sessions.observe(noted.channel, noted.cdn, cmcd, noted.now)
            labels = seen.channel, seen.cdn
            if (added := sums.get(labels)) is None:
                added = sums[labels] = _Sums()
            added.add(seen)
        for labels, added in sums.items():
            added.hand_on(labels)
        return len(self._waiting)


class _Spread:
    """Counts of values by bucket. One update of a multi-process histogram a value is slow."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def hand_on(self, histogram: Histogram) -> None:
        observe_many(histogram, self._counts, self._total)


class _Sums:
    """Sums over requests with the same labels."""

    def __init__(self) -> None:
        self._requests = 0
        self._starved = 0
        self._buffer = _Spread(BUFFER_BOUNDS)
        self._throughput = _Spread(THROUGHPUT_BOUNDS)
        self._startup = _Spread(STARTUP_BOUNDS)

    def add(self, seen: Observation) -> None:
        self._requests += 1
        self._starved += seen.starved
        if seen.buffer is not None:
            self._buffer.add(seen.buffer / 1000)
        if seen.throughput is not None:
            self._throughput.add(seen.throughput / _BITS)
        if seen.startup is not None:
            self._startup.add(seen.startup / 1000)

    def hand_on(self, labels: tuple[str, str]) -> None:
        REQUESTS.labels(*labels).inc(self._requests)
        # Zero is added too: a series at 0 differs from a missing series.
        STARVED.labels(*labels).inc(self._starved)
        self._buffer.hand_on(BUFFER.labels(*labels))
        self._throughput.hand_on(THROUGHPUT.labels(*labels))
        self._startup.hand_on(STARTUP.labels(*labels))
