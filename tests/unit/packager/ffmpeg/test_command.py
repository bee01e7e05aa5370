from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from msgspec.structs import replace

from packager.config.ladder import Deinterlace, EncodeLadder, EncoderName, Ladder, PassthroughLadder
from packager.config.parse import parse_ladder
from packager.errors import FeedError
from packager.feed.report import Container
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import Feed, FileFeed, Pace, PatternFeed, PipeFeed, SlateFeed
from packager.ffmpeg.outputs import timescale_for
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream
from packager.ffmpeg.tracks import track_specs
from packager.track import TrackKind, TrackSpec
from tests.paths import ROOT

SHIPPED = sorted(ROOT.glob("profiles/ladders/*.yaml"))
FILE = FileFeed("feed.ts", listed=False, loop=False)
PICTURE = VideoStream("h264", 1920, 1080, Fraction(25))
SOUND = AudioStream("aac", "eng")
BOTH = SourceInfo((PICTURE,), (SOUND,))
SILENT = SourceInfo((PICTURE,), ())
SEVERAL = SourceInfo(
    (PICTURE, VideoStream("hevc", 1280, 720, Fraction(24000, 1001))),
    (SOUND, AudioStream("ac3", "fra")),
)
CHOSEN = SourceInfo(
    (VideoStream("h264", 1920, 1080, Fraction(25), 3),),
    (AudioStream("aac", "deu", 5), AudioStream("aac", "eng", 4)),
)


def ladder(path: Path) -> Ladder:
    return parse_ladder(path.read_text(), path.name, path.stem)


def lines(ladder: Ladder, feed: Feed, info: SourceInfo, pace: Pace = Pace.REAL_TIME) -> bytes:
    """The arguments, a line each option."""
    pipes = range(3, 3 + len(track_specs(ladder, info)))
    found = arguments(feed, ladder, ladder.segment, info, pipes, pace=pace)
    text = "".join(f"\n{word}" if word.startswith("-") else f" {word}" for word in found)
    return text.removeprefix("\n").encode() + b"\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_ladder(path: Path, golden: Callable[[str, bytes], None]) -> None:
    golden(f"ffmpeg/{path.stem}.txt", lines(ladder(path), FILE, BOTH))


@pytest.mark.parametrize(
    ("rate", "deinterlace", "interlaced", "options"),
    [
        (25, "auto", True, "bwdif=deint=interlaced:mode=send_frame"),
        (50, "auto", True, "bwdif=deint=interlaced:mode=send_field"),
        (25, "auto", False, ""),
        (25, "always", False, "bwdif=deint=all:mode=send_frame"),
        (25, "never", True, ""),
    ],
)
def test_interlaced_feeds_are_deinterlaced(
    rate: int, deinterlace: Deinterlace, options: str, *, interlaced: bool
) -> None:
    video = VideoStream("h264", 720, 576, Fraction(25), interlaced=interlaced)
    demo = ladder(ROOT / "profiles/ladders/demo.yaml")
    demo = replace(demo, frame_rate=Fraction(rate), deinterlace=deinterlace)
    found = lines(demo, PipeFeed(Container.TS), SourceInfo((video,), ())).decode()
    assert (options or "fps=") in found
    assert ("bwdif" in found) is bool(options)


def test_low_latency(golden: Callable[[str, bytes], None]) -> None:
    demo = replace(ladder(ROOT / "profiles/ladders/demo.yaml"), latency="low")
    golden("ffmpeg/low.txt", lines(demo, FILE, BOTH))
    passed = PassthroughLadder(name="p", segment=Fraction(2), latency="low")
    golden("ffmpeg/low-copied.txt", lines(passed, FILE, BOTH))


@pytest.mark.parametrize(
    ("name", "feed", "info", "pace"),
    [
        ("pattern", PatternFeed(1280, 720, Fraction(25), "font.ttf"), BOTH, Pace.CATCHING_UP),
        ("silent", FILE, SILENT, Pace.REAL_TIME),
        ("replay", FILE, BOTH, Pace.UNLIMITED),
        ("looped-list", FileFeed("list.ffconcat", listed=True, loop=True), BOTH, Pace.REAL_TIME),
        ("pushed", PipeFeed(Container.TS), CHOSEN, Pace.REAL_TIME),
        ("pushed-late", PipeFeed(Container.FLV, Fraction(3, 4)), CHOSEN, Pace.REAL_TIME),
        ("grey", SlateFeed(640, 360, Fraction(25), None), BOTH, Pace.REAL_TIME),
        ("slate", SlateFeed(640, 360, Fraction(25), "slate.png"), BOTH, Pace.REAL_TIME),
    ],
)
def test_demo(
    name: str,
    feed: Feed,
    info: SourceInfo,
    golden: Callable[[str, bytes], None],
    pace: Pace,
) -> None:
    demo = ladder(ROOT / "profiles/ladders/demo.yaml")
    golden(f"ffmpeg/demo-{name}.txt", lines(demo, feed, info, pace))


@pytest.mark.parametrize("encoder", ["nvenc", "qsv", "vaapi"])
def test_hardware(encoder: EncoderName, golden: Callable[[str, bytes], None]) -> None:
    mobile = ladder(ROOT / "profiles/ladders/mobile-360p.yaml")
    assert isinstance(mobile, EncodeLadder)
    found = lines(replace(mobile, encoder=encoder), FILE, BOTH)
    golden(f"ffmpeg/mobile-360p-{encoder}.txt", found)


def test_devices_are_named_once_and_only_where_used() -> None:
    demo = ladder(ROOT / "profiles/ladders/demo.yaml")
    assert isinstance(demo, EncodeLadder)
    mixed = replace(
        demo,
        video=tuple(
            replace(rung, encoder=encoder)
            for rung, encoder in zip(demo.video, ("qsv", "vaapi", None), strict=True)
        ),
    )
    words = lines(mixed, FILE, BOTH).decode().splitlines()
    assert [word for word in words if "init_hw_device" in word] == [
        "-init_hw_device qsv=quick",
        "-init_hw_device vaapi=gpu",
    ]
    assert [word for word in words if word.startswith("-c:v")] == [
        "-c:v h264_qsv",
        "-c:v h264_vaapi",
        "-c:v libx264",
    ]
    assert b"hw" not in lines(demo, FILE, BOTH)


def test_several_streams_passed_through(golden: Callable[[str, bytes], None]) -> None:
    passthrough = PassthroughLadder(name="p", segment=Fraction(48, 25))
    golden("ffmpeg/passthrough-several.txt", lines(passthrough, FILE, SEVERAL))


def test_streams_of_a_feed_are_passed_through_by_their_places(
    golden: Callable[[str, bytes], None],
) -> None:
    passthrough = PassthroughLadder(name="p", segment=Fraction(48, 25))
    pushed = lines(passthrough, PipeFeed(Container.TS), CHOSEN)
    golden("ffmpeg/passthrough-pushed.txt", pushed)


MIXED = """
mode: mixed
segment: 2s
video:
  - {mode: copy, id: source}
  - {mode: encode, id: 360p, width: 640, height: 360, bitrate: 800k}
audio:
  - {mode: encode, id: stereo}
  - {mode: encode, id: small, bitrate: 64k, channels: 1}
  - {mode: copy, id: surround}
"""


def test_copied_tracks_beside_encoded_ones(golden: Callable[[str, bytes], None]) -> None:
    mixed = parse_ladder(MIXED, "mixed.yaml", "mixed")
    sounds = (AudioStream("ac3", "deu", 5), AudioStream("mp2", "eng", 4))
    info = SourceInfo(CHOSEN.video, sounds)
    golden("ffmpeg/mixed-pushed.txt", lines(mixed, PipeFeed(Container.TS), info))


def test_every_audio_track_has_an_id() -> None:
    demo = ladder(ROOT / "profiles/ladders/demo.yaml")
    names = [spec.id for spec in track_specs(demo, CHOSEN) if spec.kind is TrackKind.AUDIO]
    assert names == ["audio", "audio2"]


def test_specs_of_a_ladder() -> None:
    demo = ladder(ROOT / "profiles/ladders/demo.yaml")
    assert isinstance(demo, EncodeLadder)
    specs = track_specs(demo, BOTH)
    assert [spec.id for spec in specs] == ["360p", "270p", "180p", "audio"]
    assert specs[0] == TrackSpec("360p", TrackKind.VIDEO, 800_000, Fraction(25))
    assert track_specs(demo, SILENT) == specs[:-1]


def test_specs_of_a_feed_passed_through() -> None:
    specs = track_specs(PassthroughLadder(name="p", segment=Fraction(2)), SEVERAL)
    assert [(spec.id, spec.bitrate) for spec in specs] == [
        ("v0", 0),
        ("v1", 0),
        ("a0", 0),
        ("a1", 0),
    ]
    assert specs[1].frame_rate == Fraction(24000, 1001)


def test_unsupported_video_cannot_be_passed_through() -> None:
    info = SourceInfo((VideoStream("mpeg2video", 64, 36, Fraction(25)),), (SOUND,))
    with pytest.raises(FeedError, match="mpeg2video cannot be passed through: encode it with a la"):
        track_specs(PassthroughLadder(name="p", segment=Fraction(2)), info)


@pytest.mark.parametrize("codec", ["mp2", "mp3", "aac_latm", "opus"])
def test_audio_that_cannot_be_passed_through_is_encoded(codec: str) -> None:
    passthrough = PassthroughLadder(name="p", segment=Fraction(2))
    info = SourceInfo((PICTURE,), (AudioStream(codec, "eng"), AudioStream("ac3", "fra", 2)))
    specs = track_specs(passthrough, info)
    assert [(spec.id, spec.copied) for spec in specs] == [("v0", True), ("a0", False), ("a1", True)]
    words = lines(passthrough, PipeFeed(Container.TS), info).decode().splitlines()
    assert [word for word in words if word.startswith("-c:")] == [
        "-c:v copy",
        "-c:a aac",
        "-c:a copy",
    ]


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (Fraction(25), 90_000),
        (Fraction(30000, 1001), 90_000),
        (Fraction(60000, 1001), 60_000),
        (Fraction(24000, 1001), 24_000),
        (None, 90_000),
    ],
)
def test_a_frame_is_whole_ticks(rate: Fraction | None, expected: int) -> None:
    assert timescale_for(rate) == expected
    if rate is not None:
        assert (expected / rate).denominator == 1
