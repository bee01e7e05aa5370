"""Which stream of a feed each track is made of, and whether it is copied."""

from fractions import Fraction

import pytest
from msgspec.structs import replace

from packager.config.ladder import (
    AutoAudio,
    AutoVideo,
    CopiedAudio,
    CopiedVideo,
    EncodedAudio,
    EncodedVideo,
    MixedLadder,
)
from packager.errors import FeedError
from packager.ffmpeg.probe import SILENCE, AudioStream, SourceInfo, VideoStream
from packager.ffmpeg.tracks import plan_tracks, stream_tracks, track_specs
from packager.track import Track, TrackKind

H264 = VideoStream("h264", 1920, 1080, Fraction(50))
MPEG2 = VideoStream("mpeg2video", 720, 576, Fraction(25))
MP2, AC3 = AudioStream("mp2", "deu", 1), AudioStream("ac3", "deu", 2)
LOWER = EncodedVideo(id="lo", width=640, height=360, bitrate=800_000)
AUTO = AutoVideo(id="top", width=1280, height=720, bitrate=3_000_000)
MIXED = MixedLadder(
    name="m",
    segment=Fraction(2),
    frame_rate=Fraction(25),
    video=(CopiedVideo(id="top"), LOWER),
    audio=(EncodedAudio(id="stereo", bitrate=96_000), CopiedAudio(id="surround")),
)


def audio_of(ladder: MixedLadder, *streams: AudioStream) -> list[tuple[str, bool, int]]:
    """Id, whether it is copied, and the stated rate of each audio track."""
    specs = track_specs(ladder, SourceInfo((H264,), streams))
    sound = [spec for spec in specs if spec.kind is TrackKind.AUDIO]
    return [(spec.id, spec.copied, spec.bitrate) for spec in sound]


def test_video_beside_a_copy_has_its_cuts_and_its_frame_rate() -> None:
    top, lower, *_ = track_specs(MIXED, SourceInfo((H264,), (MP2,)))
    assert (top.copied, top.cuts_as_copied, top.bitrate, top.frame_rate) == (True, False, 0, 50)
    assert (lower.copied, lower.cuts_as_copied) == (False, True)
    assert (lower.bitrate, lower.frame_rate) == (800_000, 50)


def test_video_that_cannot_be_copied() -> None:
    info = SourceInfo((MPEG2,), ())
    with pytest.raises(FeedError, match="mpeg2video cannot be copied: set `mode: auto` or `mode: "):
        plan_tracks(MIXED, info)
    top, lower = track_specs(replace(MIXED, video=(AUTO, LOWER)), info)
    assert not any((top.copied, top.cuts_as_copied, lower.cuts_as_copied))
    assert (top.bitrate, top.frame_rate) == (0, 25)


def test_each_rendition_is_made_of_each_audio_stream() -> None:
    assert audio_of(MIXED, MP2, AC3) == [
        ("stereo", False, 96_000),
        ("stereo2", False, 96_000),
        ("surround2", True, 0),
    ]
    auto = replace(MIXED, audio=(AutoAudio(),))
    assert audio_of(auto, MP2, AC3) == [("audio", False, 0), ("audio2", True, 0)]


def test_silence_is_a_track_of_each_rendition() -> None:
    silent = AudioStream("anullsrc", "deu", SILENCE)
    assert audio_of(MIXED, silent) == [("stereo", False, 96_000), ("surround", False, 0)]


@pytest.mark.parametrize(
    ("audio", "expected"),
    [
        ((CopiedAudio(id="x"), EncodedAudio(id="y")), ["y", "y2"]),
        ((CopiedAudio(id="x"),), ["x", "x2"]),
    ],
)
def test_one_track_stands_for_each_stream(
    audio: tuple[CopiedAudio | EncodedAudio, ...], expected: list[str]
) -> None:
    tracks = [
        Track(
            id=name,
            kind=TrackKind.AUDIO,
            version="0",
            timescale=48_000,
            codecs="mp4a.40.2",
            codec_private="",
            bitrate=0,
        )
        for name in ("x", "x2", "y", "y2")
    ]
    found = stream_tracks(replace(MIXED, audio=audio), tracks)
    assert [track.id for track in found] == expected
