"""The MP4 file of a harvest: video and audio in sync, whatever the encoder did."""

import json
import subprocess
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import pytest

from packager.errors import DiskError
from packager.runtime.ffmpeg import program as ffmpeg_program
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.tools import harvest
from packager.runtime.tools.harvest import HarvestJob
from packager.timeline.records import EventSet
from packager.timing.grid import Grid
from packager.timing.ticks import UtcMicros, parse_iso8601
from tests.support import material, programs
from tests.support.replays import START, replay

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

GRID = Grid(Fraction(48, 25))
FIRST = GRID.number_at_micros(parse_iso8601(START))
MILLISECOND = 0.001


def with_event(folder: Path, first: int, after: int, segment: Fraction = GRID.duration) -> Path:
    """A replayed channel that has an event of these segments: from `first` on, before `after`."""
    writer = JournalWriter(folder, folder.name, segment)
    grid = Grid(segment)
    writer.append([EventSet("fight", grid.micros(first), grid.micros(after))])
    writer.close()
    return folder


def packets(file: Path) -> dict[str, list[float]]:
    """When each picture and each frame of sound is shown, in order, by kind of stream."""
    command = ["ffprobe", "-v", "error", "-show_entries", "packet=codec_type,pts_time"]
    command += ["-of", "json", str(file)]
    values = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
    found: dict[str, list[float]] = {"video": [], "audio": []}
    for packet in values["packets"]:
        found[packet["codec_type"]].append(float(packet["pts_time"]))
    return {kind: sorted(times) for kind, times in found.items()}


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
@pytest.mark.parametrize("first", [0, 2])
def test_video_and_audio_start_together(tmp_path: Path, depth: int, first: int) -> None:
    """`depth`: how many B-frames there are in a row; from two on, some lean on others."""
    feed = material.with_b_frames(tmp_path / "feed.mp4", depth)
    folder = with_event(
        replay(tmp_path, "deep", "--ladder", "passthrough", feed=feed), FIRST + first, FIRST + 4
    )
    out = tmp_path / "reaped"
    job = HarvestJob("fight", {"deep": folder}, out, ffmpeg_program.find(None))
    harvest.run(job, UtcMicros(GRID.micros(FIRST + 99)))
    shown = packets(out / "fight.mp4")
    frames = 48 * (4 - first)
    # Every picture and every frame of sound is where it was in the feed.
    assert shown["video"] == pytest.approx([n / 25 for n in range(frames)], abs=MILLISECOND)
    sound = list(accumulate([1024 / 48000] * (90 * (4 - first) - 1), initial=0.0))
    assert shown["audio"] == pytest.approx(sound, abs=MILLISECOND)
    assert programs.frames_of(str(out / "fight.mp4"), 60) == frames
    assert programs.complaints_about(out / "fight.mp4") == ""
    assert {path.suffix for path in out.iterdir()} == {"", ".m3u8", ".mpd", ".mp4"}
    assert [path.name for path in out.glob("*.mp4")] == ["fight.mp4"]


def test_of_low_latency_there_is_the_same(tmp_path: Path) -> None:
    """Segments in parts, which begin with a producer reference time."""
    ladder = tmp_path / "low.yaml"
    ladder.write_text("mode: passthrough\nsegment: 1.92s\nlatency: low\n")
    feed = material.with_b_frames(tmp_path / "feed.mp4", 1)
    made = replay(tmp_path, "low", "--ladder", str(ladder), feed=feed)
    folder = with_event(made, FIRST, FIRST + 4)
    (segment,) = folder.glob(f"v*/{FIRST}.m4s")
    assert b"prft" in segment.read_bytes()[:64]
    out = tmp_path / "reaped"
    job = HarvestJob("fight", {"low": folder}, out, ffmpeg_program.find(None))
    harvest.run(job, UtcMicros(GRID.micros(FIRST + 99)))
    for file in ("fight.mp4", "index.m3u8", "index.mpd"):
        assert programs.frames_of(str(out / file), 60) == 4 * 48
        assert programs.complaints_about(out / file) == ""


def test_a_program_that_fails_leaves_nothing(tmp_path: Path) -> None:
    feed = material.with_b_frames(tmp_path / "feed.mp4", 1)
    folder = with_event(replay(tmp_path, "deep", feed=feed), FIRST, FIRST + 2)
    out = tmp_path / "reaped"
    job = HarvestJob("fight", {"deep": folder}, out, str(tmp_path / "no program"))
    with pytest.raises(DiskError, match=r"no program: No such file") as caught:
        harvest.run(job, UtcMicros(GRID.micros(FIRST + 99)))
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "feed.mp4"]
