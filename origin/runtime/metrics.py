"""What the origin counts (Prometheus); labels are bounded: configured names, kinds, statuses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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

from origin.runtime.follow import FollowedChannel
from origin.tally import FIRST_BYTE_BOUNDS, Tallies
from packager.health import holes, skew
from packager.staleness import is_stale
from packager.ticks import MICROS, UtcMicros, micros_of
from packager.timeline import Timeline

REQUESTS = Counter("ringside_requests", "Requests answered", ["channel", "kind", "status"])
SENT_BYTES = Counter("ringside_sent_bytes", "Bytes of bodies sent", ["channel", "kind"])
FIRST_BYTE = Histogram(
    "ringside_first_byte_seconds",
    "From a request's headers to the first byte of its answer",
    ["kind"],
    buckets=FIRST_BYTE_BOUNDS,
)
READY_REQUESTS = Counter(
    "ringside_ready_requests", "Requests answered with what was at hand", ["kind"]
)
SHED_REQUESTS = Counter(
    "ringside_shed_requests", "Requests put off because of too much load", ["kind"]
)
DENIED_REQUESTS = Counter(
    "ringside_denied_requests",
    "Requests without a right to what they ask for",
    ["channel", "reason"],
)
DROPPED_LINES = Counter(
    "ringside_dropped_log_lines", "Lines of the access log that were too many to be written"
)
OPEN_CONNECTIONS = Gauge(
    "ringside_open_connections", "Connections of the public port", multiprocess_mode="livesum"
)
HELD_REQUESTS = Gauge(
    "ringside_held_requests",
    "Requests for what is about to be there",
    multiprocess_mode="livesum",
)
CLOSED_CONNECTIONS = Counter(
    "ringside_closed_connections", "Connections that were ended by the origin", ["reason"]
)
READY_BYTES = Gauge(
    "ringside_ready_bytes",
    "Bytes of media and manifests that are kept at hand, in all workers",
    multiprocess_mode="livesum",
)
LOOP_LAG = Gauge(
    "ringside_loop_lag_seconds",
    "How late the busiest worker does what is due",
    multiprocess_mode="livemax",
)


def hand_on(tallies: Tallies) -> None:
    """Add to the metrics what was counted since the last time."""
    for tally in tallies:
        if not tally.requests:
            continue
        REQUESTS.labels(tally.channel, tally.kind, tally.status).inc(tally.requests)
        SENT_BYTES.labels(tally.channel, tally.kind).inc(tally.octets)
        if tally.ready:
            READY_REQUESTS.labels(tally.kind).inc(tally.ready)
        observe_many(FIRST_BYTE.labels(tally.kind), tally.waits, tally.seconds)
        tally.reset()


def observe_many(histogram: Histogram, counts: Sequence[int], total: float) -> None:
    """Add many observations at once: how many are within each bound, and their sum.

    The library has no public way for more than one at a time.
    """
    inner = cast("_Inner", histogram)
    for bucket, count in zip(inner._buckets, counts, strict=True):  # noqa: SLF001
        if count:
            bucket.inc(count)
    inner._sum.inc(total)  # noqa: SLF001


class _Value(Protocol):
    def inc(self, amount: float) -> None: ...


class _Inner(Protocol):
    """What a histogram is made of."""

    _buckets: list[_Value]
    _sum: _Value


def live_edge(timeline: Timeline) -> UtcMicros | None:
    """The instant that the newest listed segment ends at."""
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
        """Collect from `channels`, at the instant that `now` gives."""
        self._channels = channels
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The live edge, how whole the timeline is, and how much there is of it."""
        age = _family(
            "live_edge_age_seconds", "How long ago the newest listed segment ended, in media time"
        )
        stale = _family(
            "stale", "1 where live manifests are refused: there is no live edge, or none of late"
        )
        missing = _family(
            "timeline_holes",
            "Runs of segment numbers that are missing in the middle of what manifests name",
        )
        apart = _family(
            "track_skew_seconds",
            "Between the ends of the newest segments of the current period's tracks",
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


def exposition(collector: TimelineCollector) -> bytes:
    """The metrics of all processes of the data folder, in Prometheus' text format."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(collector)
    return generate_latest(registry)
