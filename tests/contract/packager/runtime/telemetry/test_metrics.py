"""Metrics of feeds."""

from math import isnan

from msgspec.structs import replace
from prometheus_client import REGISTRY

from packager.diagnostics.status import FeedStatus
from packager.feed.report import Report
from packager.runtime.telemetry import metrics

GOOD = FeedStatus(
    name="srt on port 9000",
    active=True,
    connected=True,
    peer="192.0.2.7:4242",
    report=Report(
        bitrate=6_000_000,
        frame_rate=25.0,
        keyframe_interval=1.92,
        skew_ms=-40,
        clock_ppm=12,
        continuity_errors=3,
        dropped_frames=2,
        late_frames=1,
    ),
)


def value_of(channel: str, metric: str, source: str = "0", kind: str = "srt") -> float:
    labels = {"channel": channel, "source": source, "kind": kind}
    value = REGISTRY.get_sample_value(f"ringside_feed_{metric}", labels)
    assert value is not None, metric
    return value


def test_a_connected_feed() -> None:
    metrics.feed("well", 0, GOOD)
    names = (
        "active",
        "connected",
        "bytes_per_second",
        "frames_per_second",
        "keyframe_interval_seconds",
    )
    assert [value_of("well", name) for name in names] == [1, 1, 750_000, 25, 1.92]
    assert value_of("well", "skew_seconds") == -0.04
    assert value_of("well", "clock_drift_ratio") == 12e-6


def test_a_source_without_a_connection_has_counters_at_zero_and_gauges_at_nan() -> None:
    metrics.feed("away", 1, FeedStatus(name="rtmp"))
    assert value_of("away", "connected", "1", "rtmp") == 0
    assert value_of("away", "active", "1", "rtmp") == 0
    for counter in ("continuity_errors", "dropped_frames", "late_frames", "reconnects"):
        assert value_of("away", f"{counter}_total", "1", "rtmp") == 0
    unknown = (
        "bytes_per_second",
        "frames_per_second",
        "keyframe_interval_seconds",
        "skew_seconds",
        "clock_drift_ratio",
    )
    assert all(isnan(value_of("away", name, "1", "rtmp")) for name in unknown)


def test_counters_add_up_all_connections() -> None:
    def errors(count: int, reconnects: int = 0) -> float:
        report = replace(GOOD.report, continuity_errors=count)
        metrics.feed("counts", 0, replace(GOOD, report=report, reconnects=reconnects))
        return value_of("counts", "continuity_errors_total")

    assert [errors(3), errors(3), errors(5)] == [3, 3, 5]
    assert errors(1) == 6, "a lower count means a connection that was not noticed"
    assert errors(4, reconnects=1) == 10, "all counts of a new connection are added"
    assert errors(4, reconnects=1) == 10
    assert value_of("counts", "reconnects_total") == 1
    assert value_of("counts", "dropped_frames_total") == 2 + 2
    assert errors(0, reconnects=4) == 10
    assert value_of("counts", "reconnects_total") == 4


def test_an_address_is_not_a_label() -> None:
    metrics.feed("url", 0, replace(GOOD, name="https://example.com/a?b=c"))
    assert value_of("url", "active", kind="https") == 1
