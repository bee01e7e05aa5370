"""What Prometheus is told of a channel's timeline."""

from fractions import Fraction
from pathlib import Path

from origin.runtime.follow import FollowedChannel
from origin.runtime.metrics import TimelineCollector
from packager.ticks import MICROS, UtcMicros
from tests.support.channel import Packager, channel


def collected(made: Packager, now: UtcMicros) -> dict[str, dict[tuple[str, ...], float]]:
    """By metric and values of its labels."""
    followed = FollowedChannel("tv", made.folder, Fraction(60), Fraction(600))
    followed.catch_up()
    try:
        families = TimelineCollector({"tv": followed}, lambda: now).collect()
        return {
            family.name.removeprefix("ringside_"): {
                tuple(sample.labels.values()): sample.value for sample in family.samples
            }
            for family in families
        }
    finally:
        followed.close()


def test_a_channel_that_is_well(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=3)
    now = UtcMicros(made.grid.micros(made.first + 3) + MICROS)
    assert collected(made, now) == {
        "live_edge_age_seconds": {("tv",): 1.0},
        "stale": {("tv",): 0},
        "timeline_holes": {("tv",): 0},
        "track_skew_seconds": {("tv",): 0},
        "kept_segments": {("tv", "v0"): 3, ("tv", "a0"): 3},
    }


def test_a_channel_that_is_not(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=3)
    made.begin(1, made.first + 5)
    made.whole(made.first + 5)
    made.whole(made.first + 6, "v0")
    told = collected(made, made.grid.micros(made.first + 100))
    assert told["stale"] == {("tv",): 1}
    assert told["timeline_holes"] == {("tv",): 1}
    assert told["track_skew_seconds"] == {("tv",): float(made.grid.duration)}


def test_a_channel_without_data(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=0)
    told = collected(made, made.grid.micros(made.first))
    assert (told["stale"], told["live_edge_age_seconds"]) == ({("tv",): 1}, {})
