"""Metrics of the packager (Prometheus). Labels are names of the configuration: bounded."""

import re
from math import nan

from prometheus_client import Counter, Gauge, Histogram

from packager.diagnostics.status import FeedStatus


def _counter(name: str, meaning: str, *labels: str) -> Counter:
    return Counter(f"ringside_{name}", meaning, ["channel", *labels])


def _gauge(name: str, meaning: str, *labels: str) -> Gauge:
    labelnames = ["channel", *labels]
    return Gauge(f"ringside_{name}", meaning, labelnames, multiprocess_mode="mostrecent")


CHUNKS = _counter("chunks_total", "Chunks written to the media store", "track")
MEDIA_BYTES = _counter("media_bytes_total", "Bytes written to the media store", "track")
SEGMENTS = _counter("segments_total", "Segments completed", "track")
PUBLISH_SECONDS = Histogram(
    "ringside_publish_seconds",
    "Time from reading a chunk's bytes to writing its record to the journal",
    ["channel"],
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1.0),
)
DROPPED_RUNS = _counter("dropped_runs_total", "Runs of samples dropped: no segment had room")
RESTARTS = _counter("ffmpeg_restarts_total", "Restarts of ffmpeg")
FFMPEG_WARNINGS = _counter(
    "ffmpeg_warnings_total", "Log lines of ffmpeg that report a problem with the source", "trouble"
)
PERIODS = _counter("periods_total", "Periods started")
SPEED = _gauge("ffmpeg_speed_ratio", "Seconds of media that ffmpeg encodes in one second")
LAG_SECONDS = _gauge("lag_seconds", "Age of the newest chunk: wall clock minus media time")
DRIFT_SECONDS = _gauge(
    "drift_seconds", "Change of the lag since the period started, after time correction"
)
TIME_CORRECTION = _gauge(
    "time_correction_ratio",
    "Rate by which media time is stretched to follow UTC; 0.0005 is 500 ppm",
)
TRIMMED_SEGMENTS = _counter("trimmed_segments_total", "Segments removed by the retention")
EVICTED_SEGMENTS = _counter(
    "evicted_segments_total", "Segments removed early because the disk was full"
)
LOST_SEGMENTS = _counter(
    "lost_segments_total", "Segments found incomplete when the packager started"
)
LATE_SEGMENTS = _counter(
    "late_segments_total",
    "Segments completed half a segment later than is usual in their period",
)
ORIGIN_RESTARTS = Counter(
    "ringside_origin_restarts_total", "Restarts of the origin or of one of its workers"
)
"""Only `restarts` counts in it, in the supervisor."""

_SOURCE = ("source", "kind")
"""Position of a source in its channel's order of preference, from 0, and its type."""

FEED_ACTIVE = _gauge("feed_active", "1 if the program on air is from this source", *_SOURCE)
FEED_CONNECTED = _gauge("feed_connected", "1 if an encoder is connected to this source", *_SOURCE)
FEED_BITRATE = _gauge(
    "feed_bytes_per_second", "Bytes received per second, over the last seconds", *_SOURCE
)
FEED_FRAME_RATE = _gauge("feed_frames_per_second", "Video frames per second of the feed", *_SOURCE)
FEED_KEYFRAME_INTERVAL = _gauge(
    "feed_keyframe_interval_seconds", "Time between the last two keyframes", *_SOURCE
)
FEED_SKEW = _gauge(
    "feed_skew_seconds",
    "Lead of audio over video of the same timestamp on arrival; negative if audio is later",
    *_SOURCE,
)
FEED_CLOCK = _gauge(
    "feed_clock_drift_ratio",
    "Rate by which the feed's clock is faster than UTC; 0.0001 is 100 ppm",
    *_SOURCE,
)
FEED_RECONNECTS = _counter("feed_reconnects_total", "Reconnections of encoders", *_SOURCE)
FEED_CONTINUITY_ERRORS = _counter(
    "feed_continuity_errors_total",
    "Missing, repeated or damaged packets of a transport stream",
    *_SOURCE,
)
FEED_DROPPED_FRAMES = _counter(
    "feed_dropped_frames_total", "Video frames missing in the feed, by its timestamps", *_SOURCE
)
FEED_LATE_FRAMES = _counter(
    "feed_late_frames_total", "Video frames that arrived at least half a second late", *_SOURCE
)

_BITS = 8
_MILLION = 1_000_000


def begin(channel: str) -> None:
    """Create the channel's counters at zero; Prometheus sees no increase in a new series."""
    for counter in (
        DROPPED_RUNS,
        RESTARTS,
        PERIODS,
        TRIMMED_SEGMENTS,
        EVICTED_SEGMENTS,
        LOST_SEGMENTS,
        LATE_SEGMENTS,
    ):
        counter.labels(channel)


_counted: dict[tuple[str, int], FeedStatus] = {}
"""The last status that the counters include, by channel and source."""


def feed(channel: str, index: int, status: FeedStatus) -> None:
    """Export the status of source number `index` of a channel.

    A report's counts begin with its connection; the counters add up all connections.
    """
    kind = re.match("[a-z0-9]*", status.name)
    labels = channel, str(index), kind[0] if kind else ""
    _set_gauges(status, labels)
    before = _counted.get((channel, index), FeedStatus(name=status.name))
    _counted[channel, index] = status
    reconnects = status.reconnects - before.reconnects
    FEED_RECONNECTS.labels(*labels).inc(max(0, reconnects))
    for counter, old, new in (
        (
            FEED_CONTINUITY_ERRORS,
            before.report.continuity_errors,
            status.report.continuity_errors,
        ),
        (FEED_DROPPED_FRAMES, before.report.dropped_frames, status.report.dropped_frames),
        (FEED_LATE_FRAMES, before.report.late_frames, status.report.late_frames),
    ):
        restarted = reconnects != 0 or new < old
        counter.labels(*labels).inc(new if restarted else new - old)


def _set_gauges(status: FeedStatus, labels: tuple[str, str, str]) -> None:
    report = status.report
    FEED_ACTIVE.labels(*labels).set(status.active)
    FEED_CONNECTED.labels(*labels).set(status.connected)
    FEED_BITRATE.labels(*labels).set(_known(report.bitrate) / _BITS)
    FEED_FRAME_RATE.labels(*labels).set(_known(report.frame_rate))
    FEED_KEYFRAME_INTERVAL.labels(*labels).set(_known(report.keyframe_interval))
    FEED_SKEW.labels(*labels).set(_known(report.skew_ms) / 1000)
    FEED_CLOCK.labels(*labels).set(_known(report.clock_ppm) / _MILLION)


def _known(value: float | None) -> float:
    return nan if value is None else value
