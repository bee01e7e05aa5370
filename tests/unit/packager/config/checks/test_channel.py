from fractions import Fraction

import pytest

from packager.config.checks.channel import check_ladder_fits
from packager.config.decoding.report import FileReport
from packager.config.ladder import AudioRendition, EncodeLadder, Ladder, PassthroughLadder
from packager.config.ladder import VideoRendition as Video
from packager.config.schema.channel import ChannelEntry, segment_of
from packager.config.sources import FileSource, PatternSource

ENCODE = EncodeLadder(
    name="demo",
    frame_rate=Fraction(25),
    segment=Fraction(48, 25),
    video=(Video(id="v", width=640, height=360, bitrate=800_000),),
    audio=AudioRendition(),
)
PASSTHROUGH = PassthroughLadder(name="passthrough", segment=Fraction(6))
PATTERN = PatternSource()
FILE = FileSource(files=("a.ts",))


def lines(channel: ChannelEntry, ladder: Ladder) -> list[str]:
    report = FileReport("r.yaml")
    check_ladder_fits(channel, ladder, "channels.a", report)
    return [f"{problem.path}: {problem.reason}: {problem.remedy}" for problem in report.problems]


@pytest.mark.parametrize(
    ("segment", "ladder", "expected"),
    [
        (None, ENCODE, Fraction(48, 25)),
        (Fraction(2), ENCODE, 2),
        (None, PASSTHROUGH, 6),
        (Fraction(32, 15), PASSTHROUGH, Fraction(32, 15)),
    ],
)
def test_segment_of_a_channel(segment: Fraction | None, ladder: Ladder, expected: Fraction) -> None:
    channel = ChannelEntry(source=FILE, ladder="x", segment=segment)
    assert lines(channel, ladder) == []
    assert segment_of(channel, ladder) == expected


def test_the_shortest_window_and_retention() -> None:
    channel = ChannelEntry(
        source=PATTERN, ladder="x", segment=Fraction(2), window=Fraction(8), retention=Fraction(16)
    )
    assert lines(channel, ENCODE) == []
    assert segment_of(channel, ENCODE) == 2


@pytest.mark.parametrize(
    ("channel", "ladder", "expected"),
    [
        (
            ChannelEntry(source=PATTERN, ladder="passthrough"),
            PASSTHROUGH,
            (
                "ladder: 'passthrough' copies streams, and a test pattern has to be encoded: "
                "use a ladder with mode: encode"
            ),
        ),
        (
            ChannelEntry(source=FILE, ladder="x", segment=Fraction("1.9")),
            ENCODE,
            (
                "segment: 1.9s is not a whole number of frames at 25 frames/s: "
                "use 1.92s, the nearest duration that is"
            ),
        ),
        (
            ChannelEntry(source=FILE, ladder="x", segment=Fraction(21)),
            PASSTHROUGH,
            "segment: expected 0.5s to 20s, got 21s: use for example 1.92s",
        ),
        (
            ChannelEntry(source=FILE, ladder="x", window=Fraction("7.67")),
            ENCODE,
            "window: 7.67s is less than 4 segments, 7.68s: use 7.68s or more",
        ),
        (
            ChannelEntry(source=FILE, ladder="x", retention=Fraction(120)),
            ENCODE,
            "retention: 120s is less than the window and 4 segments, 127.68s: use 127.68s or more",
        ),
    ],
)
def test_channel_and_ladder_do_not_fit(
    channel: ChannelEntry, ladder: Ladder, expected: str
) -> None:
    assert lines(channel, ladder) == [f"channels.a.{expected}"]


def test_window_and_retention_are_reported_together() -> None:
    channel = ChannelEntry(source=FILE, ladder="x", window=Fraction(1), retention=Fraction(2))
    assert [line.partition(":")[0] for line in lines(channel, ENCODE)] == [
        "channels.a.window",
        "channels.a.retention",
    ]
