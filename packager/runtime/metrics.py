"""What the packager counts (Prometheus). Labels are names of the configuration: bounded."""

import re
from math import nan

from prometheus_client import Counter, Gauge, Histogram

from packager.status import FeedStatus

CHUNKS = Counter("ringside_chunks", "Chunks written to the media store", ["channel", "track"])
MEDIA_BYTES = Counter(
    "ringside_media_bytes", "Bytes written to the media store", ["channel", "track"]
)
SEGMENTS = Counter("ringside_segments", "Segments that became whole", ["channel", "track"])
PUBLISH_SECONDS = Histogram(
    "ringside_publish_seconds",
    "From a chunk's bytes being read to its record being in the journal",
    ["channel"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0),
)
DROPPED_RUNS = Counter(
    "ringside_dropped_runs", "Runs of samples that no segment could take", ["channel"]
)
RESTARTS = Counter("ringside_ffmpeg_restarts", "Times ffmpeg was started again", ["channel"])
TROUBLES = Counter(
    "ringside_ffmpeg_troubles", "Log lines of ffmpeg that mean trouble", ["channel", "trouble"]
)
PERIODS = Counter("ringside_periods", "Periods begun", ["channel"])
SPEED = Gauge(
    "ringside_ffmpeg_speed_ratio",
    "Seconds of media encoded a second, as ffmpeg says",
    ["channel"],
    multiprocess_mode="mostrecent",
)
LAG_SECONDS = Gauge(
    "ringside_lag_seconds",
    "How far the newest chunk trails the wall clock",
    ["channel"],
    multiprocess_mode="mostrecent",
)
DRIFT_SECONDS = Gauge(
    "ringside_drift_seconds",
    "How much the lag changed since the period began: the source's clock against UTC",
    ["channel"],
    multiprocess_mode="mostrecent",
)
CLOCK_RATE = Gauge(
    "ringside_clock_rate_ppm",
    "Parts per million that media time gains on the source's clock, to stay with UTC",
    ["channel"],
    multiprocess_mode="mostrecent",
)
RETENTION_SEGMENTS = Counter(
    "ringside_trimmed_segments", "Segments that left the retention", ["channel"]
)
EVICTED_SEGMENTS = Counter(
    "ringside_evicted_segments", "Segments that went because the disk was full", ["channel"]
)
LOST_SEGMENTS = Counter(
    "ringside_lost_segments", "Segments that were not whole when the packager started", ["channel"]
)
LATE_SEGMENTS = Counter(
    "ringside_late_segments",
    "Segments that became whole half a segment later than their period's media usually does",
    ["channel"],
)
ORIGIN_RESTARTS = Counter(
    "ringside_origin_restarts", "Times that the origin, or a worker of it, was started again"
)

_SOURCE = ["channel", "source", "kind"]
"""The place of a source in its channel's order of preference, from 0 on, and its type."""


def _gauge(name: str, meaning: str) -> Gauge:
    return Gauge(f"ringside_feed_{name}", meaning, _SOURCE, multiprocess_mode="mostrecent")


FEED_ACTIVE = _gauge("active", "1 where what is on air comes from this source")
FEED_CONNECTED = _gauge("connected", "1 where somebody sends to this source")
FEED_BITRATE = _gauge("bitrate", "Bit/s of all that came over the last seconds")
FEED_FRAME_RATE = _gauge("frame_rate", "Pictures a second, as the feed has them")
FEED_KEYFRAME_INTERVAL = _gauge(
    "keyframe_interval_seconds", "Between the last two keyframes, by their timestamps"
)
FEED_SKEW = _gauge("skew_seconds", "By how much sound comes before the picture of the same time")
FEED_CLOCK = _gauge("clock_ppm", "Parts per million that the feed's clock is faster than UTC")
FEED_RECONNECTS = Counter(
    "ringside_feed_reconnects", "Times that somebody came again to a source", _SOURCE
)
FEED_CONTINUITY_ERRORS = Counter(
    "ringside_feed_continuity_errors",
    "Packets of a transport stream that are missing, twice there or damaged",
    _SOURCE,
)
FEED_DROPPED_FRAMES = Counter(
    "ringside_feed_dropped_frames", "Pictures that a feed should have had and has not", _SOURCE
)
FEED_LATE_FRAMES = Counter(
    "ringside_feed_late_frames", "Pictures that came half a second too late or later", _SOURCE
)


def begin(channel: str) -> None:
    """Count from zero on: an increase from nothing at all is none to Prometheus."""
    for counter in (
        DROPPED_RUNS,
        RESTARTS,
        PERIODS,
        RETENTION_SEGMENTS,
        EVICTED_SEGMENTS,
        LOST_SEGMENTS,
        LATE_SEGMENTS,
    ):
        counter.labels(channel)


_counted: dict[tuple[str, int], FeedStatus] = {}
"""By channel and source, what is in the counters already."""


def feed(channel: str, index: int, status: FeedStatus) -> None:
    """Tell how the source number `index` of a channel is; from time to time, for as long as it is.

    What its report counts since it was connected is added up over all its connections.
    """
    kind = re.match("[a-z0-9]*", status.name)
    labels = channel, str(index), kind[0] if kind else ""
    report = status.report
    FEED_ACTIVE.labels(*labels).set(status.active)
    FEED_CONNECTED.labels(*labels).set(status.connected)
    FEED_BITRATE.labels(*labels).set(_known(report.bitrate))
    FEED_FRAME_RATE.labels(*labels).set(_known(report.frame_rate))
    FEED_KEYFRAME_INTERVAL.labels(*labels).set(_known(report.keyframe_interval))
    FEED_SKEW.labels(*labels).set(_known(report.skew_ms) / 1000)
    FEED_CLOCK.labels(*labels).set(_known(report.clock_ppm))
    before = _counted.get((channel, index), FeedStatus(name=status.name))
    _counted[channel, index] = status
    reconnects = status.reconnects - before.reconnects
    FEED_RECONNECTS.labels(*labels).inc(max(0, reconnects))
    for counter, was, now in (
        (FEED_CONTINUITY_ERRORS, before.report.continuity_errors, report.continuity_errors),
        (FEED_DROPPED_FRAMES, before.report.dropped_frames, report.dropped_frames),
        (FEED_LATE_FRAMES, before.report.late_frames, report.late_frames),
    ):
        anew = reconnects != 0 or now < was
        counter.labels(*labels).inc(now if anew else now - was)


def _known(value: float | None) -> float:
    return nan if value is None else value
