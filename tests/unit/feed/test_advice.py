"""The sentences about a feed: one for each fault, none for what is well, the worst first."""

from fractions import Fraction

import msgspec
import pytest

from packager.feed.advice import Facts, advice, facts_of
from packager.feed.container import Report
from packager.runtime.config_file import load_ladder, shipped_ladders
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
COPIED = Facts(Fraction(48, 25), copied=COPYABLE)
ENCODED = Facts(Fraction(48, 25), frame_rate=Fraction(25), bitrate=5_500_000)


def changed(**fields: object) -> Report:
    return msgspec.structs.replace(GOOD, **fields)


@pytest.mark.parametrize("facts", [Facts(), COPIED, ENCODED])
def test_nothing_is_said_of_a_feed_that_is_well(facts: Facts) -> None:
    assert advice(GOOD, facts) == []


SENTENCES = [
    ({"silent_ms": 3000, "still_ms": 3000}, Facts(), "nothing has come for 3 s"),
    ({"video": "", "still_ms": None}, Facts(), "no picture"),
    ({"still_ms": None}, Facts(), "no picture, though h264 is announced"),
    ({"still_ms": 3120}, Facts(), "no picture for 3.1 s"),
    ({"audio": (), "mute_ms": None}, Facts(), "no sound"),
    ({"mute_ms": None}, Facts(), "no sound, though aac is announced"),
    ({"mute_ms": 2500}, Facts(), "no sound for 2.5 s"),
    ({"video": "mpeg2video"}, COPIED, "codec mpeg2video cannot be passed through"),
    ({"audio": ("aac", "mp2", "mp2")}, COPIED, "codec mp2 cannot be passed through"),
    ({"continuity_errors": 37}, Facts(), "37 packets were lost or damaged on the line"),
    ({"continuity_errors": 1}, Facts(), "1 packet was lost or damaged on the line"),
    ({"junk_bytes": 200}, Facts(), "200 bytes were no part of a packet"),
    (
        {"keyframe_interval": 10.0},
        COPIED,
        "keyframes every 10 s: segments of 1.92 s cannot each start on one in passthrough",
    ),
    (
        {"keyframe_interval": 12.5},
        ENCODED,
        "keyframes every 12.5 s: for so long nobody can start, nor a fault be over",
    ),
    ({"jumps": 1}, Facts(), "the timestamps of pictures jumped once"),
    ({"jumps": 2}, Facts(), "the timestamps of pictures jumped 2 times"),
    ({"skew_ms": 480}, Facts(), "the sound is 480 ms ahead of the picture on the line"),
    ({"skew_ms": -1600}, Facts(), "the sound is 1600 ms behind the picture on the line"),
    ({"clock_ppm": 120}, Facts(), "the feed's clock is 120 ppm fast: 10 s a day"),
    (
        {"clock_ppm": -800},
        Facts(),
        "the feed's clock is 800 ppm slow: 69 s a day, more than is made up for",
    ),
    ({"dropped_frames": 3}, Facts(), "3 pictures were left out by the encoder or lost"),
    ({"late_frames": 1}, Facts(), "1 picture was late by half a second or more"),
    (
        {"unsteady": True, "frame_rate": 22.0},
        ENCODED,
        "the frame rate varies: pictures are not all equally far apart",
    ),
    (
        {"frame_rate": 29.97},
        ENCODED,
        "29.97 frames/s go into a ladder of 25: pictures are dropped",
    ),
    ({"frame_rate": 24.0}, ENCODED, "24 frames/s go into a ladder of 25: pictures are repeated"),
    (
        {"bitrate": 1_200_000},
        ENCODED,
        "1.2 Mbit/s go into a rung of 5.5: it looks no better than the feed",
    ),
]


@pytest.mark.parametrize(("fields", "facts", "sentence"), SENTENCES)
def test_what_is_wrong_is_one_sentence(
    fields: dict[str, object], facts: Facts, sentence: str
) -> None:
    assert advice(changed(**fields), facts) == [sentence]


def test_the_most_serious_is_said_first() -> None:
    report = changed(
        late_frames=2, continuity_errors=5, video="mpeg2video", audio=(), keyframe_interval=5.0
    )
    said = advice(report, COPIED)
    beginnings = ["no sound", "codec mpeg2video", "5 packets", "keyframes every 5 s", "2 pictures"]
    assert len(said) == len(beginnings)
    assert all(map(str.startswith, said, beginnings))


def test_what_happened_before_is_not_told_again() -> None:
    counts = {"continuity_errors": 40, "dropped_frames": 9, "late_frames": 3, "jumps": 1}
    before = changed(**counts)
    facts = Facts(earlier=before, since=60)
    assert advice(before, facts) == []
    after = changed(**counts | {"continuity_errors": 77})
    said = ["37 packets were lost or damaged on the line in the last minute"]
    assert advice(after, facts) == said


def test_the_facts_of_every_shipped_ladder_are_known() -> None:
    for name in shipped_ladders():
        ladder = load_ladder(name, ROOT, "", "")
        facts = facts_of(ladder, ladder.segment, COPYABLE)
        assert facts.segment == ladder.segment
        assert (facts.copied is None) == (facts.frame_rate is not None) == (facts.bitrate > 0)
