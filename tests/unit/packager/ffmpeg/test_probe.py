from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import FeedError
from packager.ffmpeg.probe import (
    AudioStream,
    SourceInfo,
    VideoStream,
    read_banner,
    read_version,
)
from tests.paths import CORPUS

NTSC = Fraction(30000, 1001)


def banner(name: str) -> str:
    return (CORPUS / "ffmpeg" / f"{name}.txt").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "harbour",
            SourceInfo(
                (VideoStream("h264", 1920, 1080, Fraction(25), 0, 90_000, 0x100, 1),),
                (AudioStream("aac", "und", 1, 48_000, "stereo", 0x101, 1),),
                Fraction("8.03"),
            ),
        ),
        (
            "train",
            SourceInfo(
                (VideoStream("h264", 640, 360, Fraction(30), 0, 90_000, 0x100, 1),),
                (AudioStream("aac", "eng", 1, 48_000, "stereo", 0x101, 1),),
                Fraction("10.03"),
            ),
        ),
        (
            "scte35",
            SourceInfo(
                (VideoStream("mpeg2video", 640, 426, NTSC, 0, 90_000, 0x100, 1),),
                (AudioStream("mp2", "und", 1, 44_100, "mono", 0x101, 1),),
                Fraction("0.83"),
            ),
        ),
        (
            "two-languages",
            SourceInfo(
                (VideoStream("h264", 64, 36, NTSC, 0, 1000),),
                (
                    AudioStream("aac", "eng", 1, 44_100, "mono"),
                    AudioStream("aac", "fra", 2, 44_100, "mono"),
                ),
                Fraction("0.52"),
            ),
        ),
        (
            "attached-picture",
            SourceInfo(
                (VideoStream("h264", 64, 36, Fraction(25), 0, 12_800, 0x2),),
                (AudioStream("aac", "und", 1, 44_100, "mono", 0x3),),
                Fraction("0.52"),
            ),
        ),
    ],
)
def test_streams(name: str, expected: SourceInfo) -> None:
    assert read_banner(banner(name), name) == expected


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sound-only", "x: the feed has no video"),
        ("attached-picture-only", "x: the feed has no video"),
        ("noise", "x: no media: Error opening input files: Invalid data found"),
        ("empty", "x: no media: Error opening input files: Invalid data found"),
        ("missing", "x: no media: Error opening input files: No such file or directory"),
    ],
)
def test_refused(name: str, reason: str) -> None:
    with pytest.raises(FeedError) as caught:
        read_banner(banner(name), "x")
    assert str(caught.value).startswith(reason)


def test_lines_without_a_message() -> None:
    with pytest.raises(FeedError, match=r"^x: no media in it$"):
        read_banner("", "x")


@given(st.text() | st.text(alphabet=" Stream#0:123[x]()Video: h264,25fps\n"))
def test_any_text_has_streams_or_is_refused(text: str) -> None:
    try:
        assert read_banner(text, "x").video
    except FeedError:
        return


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ffmpeg version n9.0.2-17-g2a571b6068-20260930 Copyright (c) 2000-2026", (9, 0)),
        ("ffmpeg version 5.1.6-0+deb12u1 Copyright", (5, 1)),
        ("ffmpeg version 4.4 Copyright", (4, 4)),
        ("ffmpeg version N-113007-g8d24a28d06 Copyright", None),
        ("ffprobe version 6.0", None),
    ],
)
def test_version(text: str, expected: tuple[int, int] | None) -> None:
    assert read_version(text) == expected


@pytest.mark.parametrize(
    ("reported", "language"),
    [("eng", "eng"), ("ENG", "eng"), ("eng,deu", "eng"), ("english", "und"), ("", "und")],
)
def test_streams_with_any_language_are_found(reported: str, language: str) -> None:
    text = banner("train").replace("(eng)", f"({reported})")
    assert [sound.language for sound in read_banner(text, "train").audio] == [language]
    picture = text.replace("[0x100]: Video", f"[0x100]({reported}): Video")
    assert len(read_banner(picture, "train").video) == 1


def test_the_smallest_frame_size_is_parsed() -> None:
    text = banner("train").replace("640x360", "8x8")
    (video,) = read_banner(text, "train").video
    assert (video.width, video.height) == (8, 8)


@pytest.mark.parametrize(
    ("properties", "interlaced"),
    [
        ("yuv420p(top first)", True),
        ("yuv420p(tv, bt709, bottom first)", True),
        ("yuv420p(tv, top coded first (swapped))", True),
        ("yuv420p(progressive)", False),
        ("yuv420p(tv, bt709)", False),
    ],
)
def test_the_field_order_is_read(properties: str, interlaced: bool) -> None:  # noqa: FBT001
    line = f"  Stream #0:0[0x100]: Video: h264 (High), {properties}, 720x576 [SAR 16:15], 25 fps"
    assert read_banner(line, "feed").video[0].interlaced is interlaced
