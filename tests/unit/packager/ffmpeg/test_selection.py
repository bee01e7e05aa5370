"""Which streams of a feed are wanted."""

from fractions import Fraction

import msgspec
import pytest

from packager.errors import FeedError
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream, read_banner
from packager.ffmpeg.selection import StreamSelection, selected, with_silence
from packager.track import Track
from tests.support.strategies import described


def picture(index: int, program: int) -> VideoStream:
    return VideoStream("h264", 640, 360, Fraction(25), index, 90_000, 0x100 + index, program)


def sound(index: int, language: str, program: int) -> AudioStream:
    return AudioStream("aac", language, index, 48_000, "stereo", 0x100 + index, program)


ENG, DEU, FRA = sound(1, "eng", 1), sound(2, "deu", 1), sound(5, "fra", 2)
TWO = SourceInfo((picture(0, 1), picture(3, 1), picture(4, 2)), (ENG, DEU, FRA))


@pytest.mark.parametrize(
    ("wanted", "video", "audio"),
    [
        (StreamSelection(), [0, 3], [1, 2]),
        (StreamSelection(program=2), [4], [5]),
        (StreamSelection(video="#1"), [3], [1, 2]),
        (StreamSelection(video="0x100"), [0], [1, 2]),
        (StreamSelection(audio=("deu", "eng")), [0, 3], [2, 1]),
        (StreamSelection(audio=("0x102",)), [0, 3], [2]),
        (StreamSelection(audio=("#0", "fra")), [0, 3], [1]),
    ],
)
def test_selected(wanted: StreamSelection, video: list[int], audio: list[int]) -> None:
    found = selected(TWO, wanted)
    assert [one.index for one in found.video] == video
    assert [one.index for one in found.audio] == audio


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (StreamSelection(program=7), "no program 7 in the feed: it has 1, 2"),
        (StreamSelection(video="#2"), "no video stream #2 in the feed"),
        (StreamSelection(audio=("ita", "0x1")), "no audio stream ita, 0x1 in the feed"),
    ],
)
def test_refused(wanted: StreamSelection, reason: str) -> None:
    with pytest.raises(FeedError, match=f"^{reason}$"):
        selected(TWO, wanted)


def track(language: str) -> Track:
    return msgspec.structs.replace(described("a0"), language=language)


@pytest.mark.parametrize(
    ("audio", "before", "least", "expected"),
    [
        ((ENG, DEU), (), 1, ["eng 1", "deu 2"]),
        ((ENG, DEU), ("deu", "eng"), 1, ["deu 2", "eng 1"]),
        ((DEU,), ("eng", "deu"), 0, ["eng -1", "deu 2"]),
        ((sound(7, "und", 1),), ("eng",), 0, ["und 7"]),
        ((ENG,), ("und", "eng"), 0, ["und -1", "eng 1"]),
        ((), (), 1, ["und -1"]),
        ((), (), 0, []),
        ((FRA,), ("eng",), 0, ["fra 5"]),
    ],
)
def test_audio_tracks_keep_their_places(
    audio: tuple[AudioStream, ...], before: tuple[str, ...], least: int, expected: list[str]
) -> None:
    info = with_silence(SourceInfo(TWO.video, audio), [*map(track, before)], least)
    assert [f"{one.language} {one.index}" for one in info.audio] == expected


def test_programmes_of_a_banner() -> None:
    banner = """
  Program 1
  Stream #0:0[0x100]: Video: h264 (High), yuv420p, 640x360, 25 fps, 25 tbr, 90k tbn
  Stream #0:1[0x101](eng): Audio: aac (LC), 48000 Hz, stereo, fltp
  Program 2
  Stream #0:2[0x200]: Video: h264 (High), yuv420p, 320x180, 25 fps, 25 tbr, 90k tbn
  Stream #0:1[0x101](eng): Audio: aac (LC), 48000 Hz, stereo, fltp
  No Program
  Stream #0:3[0x300](deu): Audio: aac (LC), 48000 Hz, stereo, fltp
"""
    found = read_banner(banner, "x")
    assert [(one.pid, one.program) for one in found.video] == [(0x100, 1), (0x200, 2)]
    assert [(one.pid, one.program) for one in found.audio] == [(0x101, 1), (0x300, None)]
