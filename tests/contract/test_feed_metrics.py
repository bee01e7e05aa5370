"""What Prometheus is told of feeds."""

from math import isnan

from msgspec.structs import replace
from prometheus_client import REGISTRY

from packager.feed.container import Report
from packager.runtime import metrics
from packager.status import FeedStatus

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


def told(channel: str, metric: str, source: str = "0", kind: str = "srt") -> float:
    labels = {"channel": channel, "source": source, "kind": kind}
    value = REGISTRY.get_sample_value(f"ringside_feed_{metric}", labels)
    assert value is not None, metric
    return value


def test_a_feed_that_is_well() -> None:
    metrics.feed("well", 0, GOOD)
    names = ("active", "connected", "bitrate", "frame_rate", "keyframe_interval_seconds")
    assert [told("well", name) for name in names] == [1, 1, 6_000_000, 25, 1.92]
    assert (told("well", "skew_seconds"), told("well", "clock_ppm")) == (-0.04, 12)


def test_one_that_is_away_has_zeros_to_count_from_and_no_numbers() -> None:
    metrics.feed("away", 1, FeedStatus(name="rtmp"))
    assert told("away", "connected", "1", "rtmp") == 0
    assert told("away", "active", "1", "rtmp") == 0
    for counter in ("continuity_errors", "dropped_frames", "late_frames", "reconnects"):
        assert told("away", f"{counter}_total", "1", "rtmp") == 0
    unknown = ("bitrate", "frame_rate", "keyframe_interval_seconds", "skew_seconds", "clock_ppm")
    assert all(isnan(told("away", name, "1", "rtmp")) for name in unknown)


def test_counts_of_a_connection_are_added_up_over_all_of_them() -> None:
    def errors(count: int, reconnects: int = 0) -> float:
        report = replace(GOOD.report, continuity_errors=count)
        metrics.feed("counts", 0, replace(GOOD, report=report, reconnects=reconnects))
        return told("counts", "continuity_errors_total")

    assert [errors(3), errors(3), errors(5)] == [3, 3, 5]
    assert errors(1) == 6, "counted anew: a connection was not noticed"
    assert errors(4, reconnects=1) == 10, "of another connection, all are new"
    assert errors(4, reconnects=1) == 10
    assert told("counts", "reconnects_total") == 1
    assert told("counts", "dropped_frames_total") == 2 + 2
    assert errors(0, reconnects=4) == 10
    assert told("counts", "reconnects_total") == 4


def test_an_address_is_no_label() -> None:
    metrics.feed("url", 0, replace(GOOD, name="https://example.com/a?b=c"))
    assert told("url", "active", kind="https") == 1
