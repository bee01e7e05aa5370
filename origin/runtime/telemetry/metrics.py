"""Metrics of the origin (Prometheus). Labels are bounded: configured names, kinds, statuses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Protocol, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from origin.caching.counters import FIRST_BYTE_BOUNDS, ChannelCounters
from origin.runtime.journal.follower import FollowedChannel
from packager.timeline.health import holes, skew
from packager.timeline.model import Timeline
from packager.timeline.staleness import is_stale
from packager.timing.ticks import MICROS, UtcMicros, micros_of

REQUESTS = Counter("ringside_requests_total", "Requests answered", ["channel", "kind", "status"])
SENT_BYTES = Counter("ringside_sent_bytes_total", "Bytes of bodies sent", ["channel", "kind"])
FIRST_BYTE = Histogram(
    "ringside_first_byte_seconds",
    "Time from a request's headers to the first byte of its response",
    ["kind"],
    buckets=FIRST_BYTE_BOUNDS,
)
CACHE_HITS = Counter(
    "ringside_cache_hits_total", "Requests answered from the memory cache", ["kind"]
)
SHED_REQUESTS = Counter(
    "ringside_shed_requests_total", "Requests refused with 503 because of overload", ["kind"]
)
DENIED_REQUESTS = Counter(
    "ringside_denied_requests_total",
    "Requests denied access",
    ["channel", "reason"],
)
DROPPED_LINES = Counter(
    "ringside_dropped_log_lines_total", "Lines of the access log dropped: too many at once"
)
OPEN_CONNECTIONS = Gauge(
    "ringside_open_connections", "Connections of the public port", multiprocess_mode="livesum"
)
HELD_REQUESTS = Gauge(
    "ringside_held_requests",
    "Requests that wait for media that is about to be published",
    multiprocess_mode="livesum",
)
CLOSED_CONNECTIONS = Counter(
    "ringside_closed_connections_total", "Connections closed by the origin", ["reason"]
)
CACHE_BYTES = Gauge(
    "ringside_cache_bytes",
    "Bytes of media and manifests in the memory caches of all workers",
    multiprocess_mode="livesum",
)
LOOP_LAG = Gauge(
    "ringside_loop_lag_seconds",
    "Delay of timers in the busiest worker's event loop",
    multiprocess_mode="livemax",
)


def hand_on(tallies: ChannelCounters) -> None:
    """Add the counts since the last call to the metrics."""
    for tally in tallies:
        if not tally.requests:
            continue
        REQUESTS.labels(tally.channel, tally.kind, tally.status).inc(tally.requests)
        SENT_BYTES.labels(tally.channel, tally.kind).inc(tally.body_bytes)
        if tally.cached:
            CACHE_HITS.labels(tally.kind).inc(tally.cached)
        observe_many(FIRST_BYTE.labels(tally.kind), tally.first_byte_counts, tally.seconds)
        tally.reset()


def observe_many(histogram: Histogram, counts: Sequence[int], total: float) -> None:
    """Add many observations at once: a count for each bucket, and the sum of the values.

    The library's public method takes one observation a call.
    """
    inner = cast("_Inner", histogram)
    for bucket, count in zip(inner._buckets, counts, strict=True):  # noqa: SLF001
        if count:
            bucket.inc(count)
    inner._sum.inc(total)  # noqa: SLF001


class _Value(Protocol):
    def inc(self, amount: float) -> None: ...


class _Inner(Protocol):
    """The private attributes of a histogram."""

    _buckets: list[_Value]
    _sum: _Value


def live_edge(timeline: Timeline) -> UtcMicros | None:
    """The instant at which the newest listed segment ends; None without segments."""
    ends: list[UtcMicros] = []
    for track in timeline.tracks.values():
        segments = track.segments.between(0, timeline.edge)
        if segments:
            last = segments[-1]
            timescale = timeline.track(track.id, last.period).timescale
            ends.append(micros_of(last.end, timescale))
    return max(ends, default=None)


class TimelineCollector(Collector):
    """The state of every channel's timeline at the moment of the scrape."""

    def __init__(
        self, channels: Mapping[str, FollowedChannel], now: Callable[[], UtcMicros]
    ) -> None:
        """Collect from `channels`, at the instant that `now` returns."""
        self._channels = channels
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Age of the live edge, staleness, holes, skew and kept segments of each channel."""
        age = _family(
            "live_edge_age_seconds",
            "Time since the newest listed segment ended, in media time",
        )
        stale = _family(
            "stale",
            "1 if live manifests return 503: the live edge is missing or older than 8 segments",
        )
        missing = _family(
            "timeline_holes",
            "Runs of missing segment numbers between listed segments",
        )
        apart = _family(
            "track_skew_seconds",
            "Time between the ends of the newest segments of the current period's tracks",
        )
        kept = _family("kept_segments", "Segments in the retention", "track")
        for name, channel in self._channels.items():
            timeline, now = channel.timeline, self._now()
            if (edge := live_edge(timeline)) is not None:
                age.add_metric([name], (now - edge) / MICROS)
            stale.add_metric([name], is_stale(timeline, now))
            missing.add_metric([name], holes(timeline))
            apart.add_metric([name], skew(timeline) / MICROS)
            for track in timeline.tracks.values():
                kept.add_metric([name, track.id], len(track.segments))
        yield from (age, stale, missing, apart, kept)


def _family(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ringside_{name}", meaning, labels=["channel", *labels])


class BuildCollector(Collector):
    """The version of the running program, as the label of a series that is always 1."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The one metric, with the version of the installed package."""
        build = GaugeMetricFamily("ringside_build_info", "Version of Ringside", labels=["version"])
        build.add_metric([version("ringside")], 1)
        yield build


def exposition(collector: TimelineCollector) -> bytes:
    """The metrics of all processes of the data folder, in Prometheus' text format."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(BuildCollector())
    registry.register(collector)
    return generate_latest(registry)
