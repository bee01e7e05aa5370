"""What the origin counts (Prometheus); labels are bounded: configured names, kinds, statuses."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from origin.runtime.follow import FollowedChannel
from packager.ticks import MICROS, UtcMicros, micros_of
from packager.timeline import Timeline

REQUESTS = Counter("ringside_requests", "Requests answered", ["channel", "kind", "status"])
SENT_BYTES = Counter("ringside_sent_bytes", "Bytes of bodies sent", ["channel", "kind"])
ANSWER_SECONDS = Histogram(
    "ringside_answer_seconds",
    "From a request's headers to the end of its answer",
    ["kind"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0, 5.0),
)


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
        """Age of the live edge, and how much there is."""
        age = GaugeMetricFamily(
            "ringside_live_edge_age_seconds",
            "How long ago the newest listed segment ended, in media time",
            labels=["channel"],
        )
        kept = GaugeMetricFamily(
            "ringside_kept_segments", "Segments in the retention", labels=["channel", "track"]
        )
        for name, channel in self._channels.items():
            timeline = channel.timeline
            if (edge := live_edge(timeline)) is not None:
                age.add_metric([name], (self._now() - edge) / MICROS)
            for track in timeline.tracks.values():
                kept.add_metric([name, track.id], len(track.segments))
        yield age
        yield kept


def exposition(collector: TimelineCollector) -> bytes:
    """The metrics of all processes of the data folder, in Prometheus' text format."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(collector)
    return generate_latest(registry)
