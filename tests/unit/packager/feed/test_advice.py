"""The advice on a feed: one sentence for each problem, the most serious first."""

from fractions import Fraction

import msgspec
import pytest

from packager.feed.advice import FeedRequirements, advice, facts_of
from packager.feed.report import Report
from packager.host.ladder_files import load_ladder, shipped_ladders
from tests.paths import ROOT

GOOD = Report(
    bitrate=6_000_000,
    frame_rate=25.0,
    keyframe_interval=1.92,
    skew_ms=-250,
    clock_ppm=20,
    still_ms=40,
    mute_ms=20,
    video="h264",
    audio=("aac",),
)
COPYABLE = frozenset(("h264", "hevc", "aac"))
COPIED = FeedRequirements(Fraction(48, 25), copied=COPYABLE)
ENCODED = FeedRequirements(Fraction(48, 25), frame_rate=Fraction(25), bitrate=5_500_000)


def changed(**fields: object) -> Report:
    return msgspec.structs.replace(GOOD, **fields)


@pytest.mark.parametrize("facts", [FeedRequirements(), COPIED, ENCODED])
def test_a_healthy_feed_has_no_advice(facts: FeedRequirements) -> None:
    assert advice(GOOD, facts) == []


SENTENCES = [
    ({"silent_ms": 3000, "still_ms": 3000}, FeedRequirements(), "no bytes for 3 s"),
    ({"video": "", "still_ms": None}, FeedRequirements(), "no video"),
    ({"still_ms": None}, FeedRequirements(), "no video, although h264 is announced"),
    ({"still_ms": 3120}, FeedRequirements(), "no video for 3.1 s"),
    ({"audio": (), "mute_ms": None}, FeedRequirements(), "no audio"),
    ({"mute_ms": None}, FeedRequirements(), "no audio, although aac is announced"),
    ({"mute_ms": 2500}, FeedRequirements(), "no audio for 2.5 s"),
    (
        {"video": "mpeg2video"},
        COPIED,
        "codec mpeg2video cannot be passed through: encode it with a ladder",
    ),
    (
        {"continuity_errors": 37},
        FeedRequirements(),
        "37 packets were lost or damaged on the network",
    ),
    ({"continuity_errors": 1}, FeedRequirements(), "1 packet was lost or damaged on the network"),
    ({"junk_bytes": 200}, FeedRequirements(), "200 bytes were outside all packets"),
    (
        {"keyframe_interval": 10.0},
        COPIED,
        "keyframe interval is 10 s: in passthrough, segments of 1.92 s need a keyframe each",
    ),
    (
        {"keyframe_interval": 12.5},
        ENCODED,
        (
            "keyframe interval is 12.5 s: a viewer cannot start, and a decoding error persists, "
            "until the next keyframe"
        ),
    ),
    ({"jumps": 1}, FeedRequirements(), "timestamps jumped once"),
    ({"jumps": 2}, FeedRequirements(), "timestamps jumped 2 times"),
    ({"skew_ms": 480}, FeedRequirements(), "audio arrives 480 ms before its video"),
    ({"skew_ms": -1600}, FeedRequirements(), "audio arrives 1600 ms after its video"),
    ({"clock_ppm": 120}, FeedRequirements(), "the encoder's clock is 120 ppm fast: 10 s a day"),
    (
        {"clock_ppm": -800},
        FeedRequirements(),
        "the encoder's clock is 800 ppm slow: 69 s a day, more than can be corrected",
    ),
    ({"dropped_frames": 3}, FeedRequirements(), "3 frames were dropped by the encoder or lost"),
    ({"late_frames": 1}, FeedRequirements(), "1 frame was late by half a second or more"),
    (
        {"unsteady": True, "frame_rate": 22.0},
        ENCODED,
        "the frame rate varies: set a constant frame rate in the encoder",
    ),
    (
        {"frame_rate": 29.97},
        ENCODED,
        "the feed has 29.97 frames/s, the ladder 25: frames are dropped",
    ),
    ({"frame_rate": 24.0}, ENCODED, "the feed has 24 frames/s, the ladder 25: frames are repeated"),
    (
        {"bitrate": 1_200_000},
        ENCODED,
        (
            "the feed has 1.2 Mbit/s, the highest rendition 5.5 Mbit/s: "
            "the rendition looks no better than the feed"
        ),
    ),
]


@pytest.mark.parametrize(("fields", "facts", "sentence"), SENTENCES)
def test_each_problem_is_one_sentence(
    fields: dict[str, object], facts: FeedRequirements, sentence: str
) -> None:
    assert advice(changed(**fields), facts) == [sentence]


def test_the_most_serious_problem_is_first() -> None:
    report = changed(
        late_frames=2, continuity_errors=5, video="mpeg2video", audio=(), keyframe_interval=5.0
    )
    sentences = advice(report, COPIED)
    beginnings = [
        "no audio",
        "codec mpeg2video",
        "5 packets",
        "keyframe interval is 5 s",
        "2 frames",
    ]
    assert len(sentences) == len(beginnings)
    assert all(map(str.startswith, sentences, beginnings))


def test_events_before_the_earlier_report_are_left_out() -> None:
    counts = {"continuity_errors": 40, "dropped_frames": 9, "late_frames": 3, "jumps": 1}
    before = changed(**counts)
    facts = FeedRequirements(earlier=before, since=60)
    assert advice(before, facts) == []
    after = changed(**counts | {"continuity_errors": 77})
    sentences = ["37 packets were lost or damaged on the network in the last minute"]
    assert advice(after, facts) == sentences


def test_audio_and_video_that_the_ladder_can_encode_are_no_problem() -> None:
    assert not advice(msgspec.structs.replace(GOOD, audio=("aac", "mp2")), COPIED)
    auto = FeedRequirements(Fraction(48, 25), copied=COPYABLE, encodes_others=True)
    assert not advice(msgspec.structs.replace(GOOD, video="mpeg2video"), auto)


def test_the_facts_of_every_shipped_ladder_are_known() -> None:
    for name in shipped_ladders():
        ladder = load_ladder(name, ROOT, "")
        facts = facts_of(ladder, ladder.segment, COPYABLE)
        assert facts.segment == ladder.segment
        assert (facts.copied is None) == (facts.frame_rate is not None) == (facts.bitrate > 0)
