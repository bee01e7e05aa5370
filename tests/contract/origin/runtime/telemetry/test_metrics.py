"""Metrics of a channel's timeline."""

from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.telemetry.metrics import BuildCollector, TimelineCollector
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.channel import Packager, channel


def collected(made: Packager, now: UtcMicros) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by metric and label values."""
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


def test_a_live_channel(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=3)
    now = UtcMicros(made.grid.micros(made.first + 3) + MICROS)
    assert collected(made, now) == {
        "live_edge_age_seconds": {("tv",): 1.0},
        "stale": {("tv",): 0},
        "timeline_holes": {("tv",): 0},
        "track_skew_seconds": {("tv",): 0},
        "kept_segments": {("tv", "v0"): 3, ("tv", "a0"): 3},
    }


def test_a_stale_channel_with_a_hole(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=3)
    made.begin(1, made.first + 5)
    made.whole(made.first + 5)
    made.whole(made.first + 6, "v0")
    values = collected(made, made.grid.micros(made.first + 100))
    assert values["stale"] == {("tv",): 1}
    assert values["timeline_holes"] == {("tv",): 1}
    assert values["track_skew_seconds"] == {("tv",): float(made.grid.duration)}


def test_a_channel_without_data(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=0)
    values = collected(made, made.grid.micros(made.first))
    assert (values["stale"], values["live_edge_age_seconds"]) == ({("tv",): 1}, {})


def test_the_version_is_a_label() -> None:
    [build] = BuildCollector().collect()
    [series] = build.samples
    assert (series.name, series.value) == ("ringside_build_info", 1)
    assert series.labels == {"version": version("ringside")}
