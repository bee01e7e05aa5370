"""What the packager counts (Prometheus). Labels are channel and track names: bounded."""

from prometheus_client import Counter, Gauge, Histogram

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
