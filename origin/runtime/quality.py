"""Viewers' quality in Prometheus: noted as requests come, made sense of beside them."""

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from prometheus_client import Counter, Histogram

from origin.cmcd import ARGUMENT, HEADERS, LONGEST, argument, parse
from origin.quality import Observation, Sessions
from origin.runtime.metrics import observe_many
from packager.ticks import UtcMicros

_LABELS = ("channel", "cdn")
REQUESTS = Counter(
    "ringside_cmcd_requests", "Requests whose players said how they are (CMCD)", _LABELS
)
STARVED = Counter(
    "ringside_cmcd_starved",
    "Of those, the ones whose player's buffer had run dry since its request before",
    _LABELS,
)
DROPPED = Counter(
    "ringside_cmcd_dropped",
    "Requests with CMCD that were not looked at: too many at once, or too long",
)
BUFFER_BOUNDS = (0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 60.0)
"""Seconds."""
BUFFER = Histogram(
    "ringside_cmcd_buffer_seconds",
    "Media that players have in their buffers",
    _LABELS,
    buckets=BUFFER_BOUNDS,
)
THROUGHPUT_BOUNDS = (5e5, 1e6, 2e6, 3e6, 5e6, 8e6, 12e6, 20e6, 35e6, 60e6, 100e6, 300e6)
"""Bit/s."""
THROUGHPUT = Histogram(
    "ringside_cmcd_throughput_bits",
    "Bits a second that players measured",
    _LABELS,
    buckets=THROUGHPUT_BOUNDS,
)
STARTUP_BOUNDS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 60.0)
"""Seconds."""
STARTUP = Histogram(
    "ringside_cmcd_startup_seconds",
    "From a session's first request until it no longer needs media to start",
    _LABELS,
    buckets=STARTUP_BOUNDS,
)

_MOST_WAITING = 8192
_AT_ONCE = 1 << 15
"""Characters that one call makes sense of: a hundred requests, in a few milliseconds. Whatever
they say, it is their length that takes time."""
_GIVEAWAY = f"{ARGUMENT}="


class _Noted(NamedTuple):
    """A request that has CMCD."""

    channel: str
    cdn: str
    query: str | None
    headers: Mapping[str, str]
    now: UtcMicros
    length: int
    """Characters of both."""


class Quality:
    """What players say, from the requests to the metrics."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        """Keep at most `most_waiting` requests that nobody has looked at."""
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
        """Remember a request until the next `flush`, if it has CMCD.

        `channel` and `cdn` are names of the configuration, or empty: they become labels. Names in
        `headers` are in lower case, or it does not tell them apart.
        """
        query = raw_query if raw_query and _GIVEAWAY in raw_query else None
        said = {name: headers[name] for name in HEADERS if name in headers}
        if query is None and not said:
            return
        length = len(query or "") + sum(map(len, said.values()))
        if length <= LONGEST and len(self._waiting) < self._most_waiting:
            self._waiting.append(_Noted(channel, cdn, query, said, now, length))
        else:
            self._dropped += 1

    def flush(self, at_once: int = _AT_ONCE) -> int:
        """Make sense of requests, those first that wait longest; how many are left.

        It ceases after the one with the character number `at_once`.
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
    """Values by the bound that they are within: a histogram of several processes is slow."""

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
    """What several requests with the same labels tell."""

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
            self._throughput.add(seen.throughput)
        if seen.startup is not None:
            self._startup.add(seen.startup / 1000)

    def hand_on(self, labels: tuple[str, str]) -> None:
        REQUESTS.labels(*labels).inc(self._requests)
        # Also where it is none: what has always been none can be told from what nobody counts.
        STARVED.labels(*labels).inc(self._starved)
        self._buffer.hand_on(BUFFER.labels(*labels))
        self._throughput.hand_on(THROUGHPUT.labels(*labels))
        self._startup.hand_on(STARTUP.labels(*labels))
