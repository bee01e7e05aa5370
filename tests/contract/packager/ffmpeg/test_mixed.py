"""Copied tracks beside encoded tracks, made by ffmpeg and cut by the segmenter."""

import subprocess
from array import array
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import pytest

from packager.journal.format import JournalReader
from packager.layout import InitName, SegmentName
from packager.runtime.tools.replay import ReplayJob, run
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timing.ticks import MICROS, micros_of, parse_iso8601

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
START = parse_iso8601("2026-01-01T00:00:00Z")
BEEP = 2.0
"""Seconds from the first frame to the beep."""
RATE = 48_000
SURROUND = ("-c:a:1", "ac3", "-ac:a:1", "6", "-metadata:s:a:1", "language=fra")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "37", "-bf", "2", "-sc_threshold", "0")
"""A keyframe each 1.48 s: never where the grid has a boundary, but for the first."""

MIXED = """\
mode: mixed
segment: 2s
video:
  - {mode: copy, id: source}
  - {mode: encode, id: 90p, width: 160, height: 90, bitrate: 200k, preset: ultrafast, threads: 1}
  - {mode: encode, id: 54p, width: 96, height: 54, bitrate: 80k, preset: ultrafast, threads: 1}
audio:
  - {mode: encode, id: stereo, bitrate: 96k}
  - {mode: copy, id: surround}
"""
AUTO = """\
mode: mixed
frame_rate: 25
segment: 2s
video:
  - {mode: auto, id: main, width: 160, height: 90, bitrate: 200k, preset: ultrafast, threads: 1}
audio:
  - {mode: auto}
"""


def feed(out: Path, *codecs: str) -> Path:
    """A transport stream of eight seconds with a beep at `BEEP`."""
    beep = f"0.5*sin(2*PI*1000*t)*between(t,{BEEP},{BEEP}+0.2)"
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{beep}|{beep}':s={RATE}")
    # The first frame lies between two ticks of the frame rate.
    picture = ("-itsoffset", "0.013", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25")
    words = (FFMPEG, "-v", "error", *picture, *sound, "-map", "0", "-map", "1")
    tail = (*codecs, "-pix_fmt", "yuv420p", "-t", "8", "-f", "mpegts", str(out))
    subprocess.run((*words, *tail), check=True, timeout=60)
    return out


@dataclass(frozen=True, slots=True)
class Packaged:
    """A packaged feed."""

    folder: Path
    timeline: Timeline

    def codecs(self) -> dict[str, tuple[str, int]]:
        """Codec and channels of each track."""
        tracks = (self.timeline.latest(name) for name in self.timeline.tracks)
        return {
            track.id: (track.codecs.partition(".")[0], track.channels) for track in tracks if track
        }

    def starts(self, name: str) -> list[int]:
        """Starts of the segments of a track, in microseconds since the epoch."""
        track = self.timeline.latest(name)
        assert track is not None
        segments = self.timeline.tracks[name].segments
        return [micros_of(segment.start, track.timescale) for segment in segments]

    def media(self, name: str) -> bytes:
        """A track as one file."""
        track = self.timeline.latest(name)
        assert track is not None
        numbers = [segment.number for segment in self.timeline.tracks[name].segments]
        parts = [str(InitName(track.version)), *(str(SegmentName(number)) for number in numbers)]
        return b"".join((self.folder / name / part).read_bytes() for part in parts)

    def beep_at(self, name: str) -> float:
        """Seconds from the first video frame to the beep in an audio track."""
        words = (FFMPEG, "-v", "error", "-i", "pipe:0", "-ac", "1", "-f", "s16le", "pipe:1")
        done = subprocess.run(
            words, input=self.media(name), check=True, capture_output=True, timeout=60
        )
        samples = array("h", done.stdout)
        onset = next(at for at, value in enumerate(samples) if abs(value) > 3000)
        video = next(iter(self.timeline.tracks))
        return onset / RATE + (self.starts(name)[0] - self.starts(video)[0]) / MICROS


async def packaged(folder: Path, source: Path, ladder: str, program: str = FFMPEG) -> Packaged:
    """The feed, packaged with the text of a ladder, by the ffmpeg `program`."""
    file = folder / "ladder.yaml"
    file.write_text(ladder)
    job = ReplayJob((str(source),), "tv", START, folder / "out", str(file), program)
    result = await run(job)
    reader = JournalReader()
    return Packaged(result.folder, fold(reader.feed((result.folder / "journal").read_bytes())))


PASSTHROUGH = "mode: passthrough\nsegment: 2s\n"


LATM = ("aac", "-mpegts_flags", "latm")


@pytest.mark.parametrize("audio", [("mp2",), ("libmp3lame",), LATM], ids=["mp2", "mp3", "latm"])
async def test_audio_that_cannot_be_passed_through_becomes_aac(
    tmp_path: Path, audio: tuple[str, ...]
) -> None:
    source = feed(tmp_path / "feed.ts", *H264, "-c:a", *audio)
    found = await packaged(tmp_path, source, PASSTHROUGH)
    assert found.codecs() == {"v0": ("avc1", 0), "a0": ("mp4a", 2)}
    assert len(found.timeline.periods) == 1
    assert abs(found.beep_at("a0") - BEEP) < 0.025


OPEN = ("-flags", "-cgop", "-x264-params", "open-gop=1")


@pytest.mark.parametrize(
    ("options", "program"),
    [
        ((), FFMPEG),
        pytest.param(OPEN, FFMPEG, marks=pytest.mark.extended, id="open-gop"),
        pytest.param((), "/usr/bin/ffmpeg", marks=pytest.mark.extended, id="oldest"),
    ],
)
async def test_encoded_renditions_are_cut_where_the_copied_one_is(
    tmp_path: Path, options: tuple[str, ...], program: str
) -> None:
    codecs = ("-map", "1", *H264, *options, "-c:a:0", "mp2", *SURROUND)
    found = await packaged(tmp_path, feed(tmp_path / "feed.ts", *codecs), MIXED, program)
    assert found.codecs() == {
        "source": ("avc1", 0),
        "90p": ("avc1", 0),
        "54p": ("avc1", 0),
        "stereo": ("mp4a", 2),
        "stereo2": ("mp4a", 2),
        "surround2": ("ac-3", 6),
    }
    starts = found.starts("source")
    assert [start - starts[0] for start in starts] == [0, 2_960_000, 4_440_000, 7_400_000]
    assert found.starts("90p") == found.starts("54p") == starts
    assert len(found.timeline.periods) == 1
    for track in ("stereo", "surround2"):
        assert abs(found.beep_at(track) - BEEP) < 0.025


@pytest.mark.parametrize(
    ("codecs", "audio"),
    [
        ((*H264, "-c:a", "aac"), "mp4a"),
        ((*H264, "-c:a", "eac3"), "ec-3"),
        (("-c:v", "mpeg2video", "-g", "37", "-c:a", "mp2"), "mp4a"),
    ],
)
async def test_auto_copies_what_can_be_copied(
    tmp_path: Path, codecs: tuple[str, ...], audio: str
) -> None:
    found = await packaged(tmp_path, feed(tmp_path / "feed.ts", *codecs), AUTO)
    assert found.codecs() == {"main": ("avc1", 0), "audio": (audio, 2)}
    track = found.timeline.latest("main")
    is_copied = codecs[1] == "libx264"
    assert track is not None
    assert track.width == (320 if is_copied else 160)
    steps = {end - start for start, end in pairwise(found.starts("main"))}
    assert is_copied or steps == {2_000_000}
    assert abs(found.beep_at("audio") - BEEP) < 0.025
