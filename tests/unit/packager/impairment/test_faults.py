"""Each fault, alone and on top of others, on a real feed and on made-up tags."""

import random
import re
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.container.flv_tag import tag_time
from packager.container.pes import AUDIO_STREAMS, VIDEO_STREAMS, pts_of, stream_id_of
from packager.container.ts_packet import is_packet, pcr_of, pid_of
from packager.feed.report import Container
from packager.impairment.cutting import FlvCutter, TsCutter
from packager.impairment.faults import (
    DriftFault,
    Fault,
    JumpFault,
    LossFault,
    MuteFault,
    SkewFault,
    StallFault,
    WrapFault,
    with_faults,
)
from packager.impairment.pace import paced
from packager.impairment.reconnect import ReconnectFault, RestartClock
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from packager.impairment.syntax import parse_fault
from packager.track import TrackKind
from tests.support import footage
from tests.support.units import FLV_HEADER, flv_tag

TRAIN = footage.train().read_bytes()
TS = list(paced(Container.TS, TsCutter().push(TRAIN), "train"))
SETUP = [
    FLV_HEADER,
    flv_tag(18, 0, b"\2\0\x0aonMetaData"),
    flv_tag(9, 0, b"\x17\0\0\0\0avcC"),
    flv_tag(8, 0, b"\xaf\0\x11\x90"),
]
TAGS = [
    flv_tag(
        kind,
        at,
        (b"\x17" if at % 1000 == 0 else b"\x27") + b"\1\0\0\0x" if kind == 9 else b"\xaf\1x",
    )
    for at in range(0, 10_000, 20)
    for kind in ((9, 8) if at % 40 == 0 else (8,))
]
FLV = list(paced(Container.FLV, SETUP + TAGS, "tags"))
SECOND = 1_000_000


def play(events: Sequence[Event], *faults: str, seed: int = 1) -> list[Event]:
    played = list(
        with_faults(events, [parse_fault(text) for text in faults], random.Random(seed).random)
    )
    instants = [event.at for event in played]
    assert instants == sorted(instants)
    return played


def data(events: Sequence[Event], begin: float = 0, end: float = 1e9) -> bytes:
    return b"".join(
        e.data for e in events if isinstance(e, Received) and begin * SECOND <= e.at < end * SECOND
    )


def packets(events: Sequence[Event], begin: float = 0, end: float = 1e9) -> list[bytes]:
    return TsCutter().push(data(events, begin, end))


def tags(events: Sequence[Event], begin: float = 0, end: float = 1e9) -> list[bytes]:
    return FlvCutter().push(data(events, begin, end))


def edges(events: Sequence[Event]) -> list[tuple[type, int]]:
    return [(type(e), e.at) for e in events if not isinstance(e, Received)]


FAULTS = st.sampled_from(
    [
        *(
            "loss=1%",
            "loss=2%x10",
            "stall=2s+3s",
            "stall=2s+3s,lost",
            "jump=3s+3600s",
            "jump=3s-1h",
        ),
        *("wrap=5s", "reconnect=3s+2s", "reconnect=3s+2s,restart", "reconnect=3s+2s,absurd"),
        *("drift=100ppm", "mute=4s", "skew=250ms"),
    ]
)


@settings(max_examples=15)
@given(st.lists(FAULTS, max_size=4), st.sampled_from([TS, FLV]), st.integers(0, 3))
def test_any_faults_go_together_and_are_the_same_every_time(
    faults: list[str], feed: list[Event], seed: int
) -> None:
    played = play(feed, *faults, seed=seed)
    assert played == play(feed, *faults, seed=seed)
    there = False
    for event in played:
        assert isinstance(event, Connected) is not there
        there = not isinstance(event, Disconnected)
    assert not there
    if not faults:
        assert played == feed


def test_no_event_no_fault() -> None:
    for fault in ("loss=1%", "reconnect=1s+1s", "drift=1ppm", "stall=0s+1s"):
        assert play([], fault) == []


@pytest.mark.parametrize(
    ("text", "share"), [("loss=5%", 0.05), ("loss=5%x10", 0.05), ("loss=0%", 0)]
)
def test_the_lost_share_is_the_configured_one(text: str, share: float) -> None:
    left, all_of_it = packets(play(TS, text)), packets(TS)
    lost = len(all_of_it) - len(left)
    assert lost == pytest.approx(share * len(all_of_it), rel=0.4)
    assert set(left) <= set(all_of_it)


def test_all_of_it_can_be_lost() -> None:
    assert data(play(TS, "loss=100%")) == b""
    assert tags(play(FLV, "loss=100%")) == SETUP


def test_a_stall_holds_all_of_it_or_loses_it() -> None:
    for feed in (TS, FLV):
        held = play(feed, "stall=2s+3s")
        assert data(held) == data(feed)
        assert data(held, 2, 5) == b""
        assert data(held, 5, 5.000001) != b""
        lost = play(feed, "stall=2s+3s,lost")
        assert data(lost, 2, 5) == b""
        assert data(lost) == data(feed, 0, 2) + data(feed, 5)


@pytest.mark.parametrize("kind", TrackKind)
def test_timestamps_of_one_stream_jump_alone(kind: TrackKind) -> None:
    streams = {TrackKind.VIDEO: VIDEO_STREAMS, TrackKind.AUDIO: AUDIO_STREAMS}
    jumped, straight = packets(play(TS, f"jump=3s+1h,{kind}")), packets(TS)
    changed = [a for a, b in zip(straight, jumped, strict=True) if a != b]
    assert len(changed) > 20
    assert {stream_id_of(one) in streams[kind] for one in changed} == {True}


@pytest.mark.parametrize(("text", "by"), [("jump=3s+1h", 3600), ("jump=3s-1h", -3600)])
def test_timestamps_jump(text: str, by: int) -> None:
    jumped, straight = packets(play(TS, text)), packets(TS)
    assert len(jumped) == len(straight)
    changed = [(a, b) for a, b in zip(straight, jumped, strict=True) if a != b]
    assert changed
    for a, b in changed:
        for read, modulus, rate in ((pts_of, 1 << 33, 90_000), (pcr_of, 300 << 33, 27_000_000)):
            before, after = read(a), read(b)
            if before is not None and after is not None:
                assert after == (before + by * rate) % modulus
    assert data(play(TS, text), 0, 3) == data(TS, 0, 3)
    times = [tag_time(tag) for tag in tags(play(FLV, text))[4:]]
    assert times == [
        tag_time(tag) if tag_time(tag) < 3000 else (tag_time(tag) + by * 1000) % (1 << 32)
        for tag in TAGS
    ]


def test_the_counter_wraps_at_the_configured_time() -> None:
    wrapped = [
        pts for packet in packets(play(TS, "wrap=5s")) if (pts := pts_of(packet)) is not None
    ]
    straight = [pts for packet in packets(TS) if (pts := pts_of(packet)) is not None]
    first = straight[0]
    assert wrapped == [(pts - first - 5 * 90_000) % (1 << 33) for pts in straight]
    assert max(wrapped) > (1 << 33) - 90_000
    assert min(wrapped) < 90_000
    times = [tag_time(tag) for tag in tags(play(FLV, "wrap=5s"))[4:]]
    assert times == [(tag_time(tag) - 5000) % (1 << 32) for tag in TAGS]


def test_a_connection_ends_and_resumes() -> None:
    played = play(TS, "reconnect=3s+2s")
    assert edges(played) == [
        (Connected, 0),
        (Disconnected, 3 * SECOND),
        (Connected, 5 * SECOND),
        (Disconnected, TS[-1].at),
    ]
    assert data(played) == data(TS, 0, 3) + data(TS, 5)


@pytest.mark.parametrize(("word", "wanted"), [("restart", 1), ("absurd", 72_000)])
def test_timestamps_after_a_reconnect(word: str, wanted: int) -> None:
    played = packets(play(TS, f"reconnect=3s+2s,{word}"), 5)
    straight = packets(TS, 5)
    assert len(played) == len(straight)
    times = [pts for packet in played if (pts := pts_of(packet)) is not None]
    assert min(times) > (wanted - 1) * 90_000
    assert max(times) < (wanted + 7) * 90_000
    assert [p[3:4] for p in played] == [p[3:4] for p in straight]


def test_a_resumed_flv_starts_with_its_headers_at_a_keyframe() -> None:
    straight = tags(play(FLV, "reconnect=2500ms+2200ms"), 4.7)
    assert [tag[:1] for tag in straight[1:4]] == [b"\x12", b"\x09", b"\x08"]
    assert straight[0] == FLV_HEADER
    assert straight[4:] == [tag for tag in TAGS if tag_time(tag) >= 5000]
    assert {tag_time(tag) for tag in straight[1:5]} == {5000}
    again = tags(play(FLV, "reconnect=2500ms+2200ms,restart"), 4.7)
    assert [tag_time(tag) - 1000 for tag in again[1:]] == [
        tag_time(tag) - 5000 for tag in straight[1:]
    ]


def test_audio_without_video_resumes_at_once() -> None:
    sound = [tag for tag in (*SETUP, *TAGS) if tag[0] != 9]
    feed = list(paced(Container.FLV, sound, "sound"))
    back = tags(play(feed, "reconnect=3s+1s"), 4)
    assert back[0] == FLV_HEADER
    assert back[3:] == [tag for tag in sound[3:] if tag_time(tag) >= 4000]


def test_a_connection_made_during_the_interruption_starts_after_it() -> None:
    feed: list[Event] = [
        Connected(0, Container.TS, "a"),
        Disconnected(1 * SECOND, "over"),
        Connected(4 * SECOND, Container.TS, "b"),
        Received(6 * SECOND, TRAIN[:376]),
        Disconnected(7 * SECOND, "over"),
    ]
    assert play(feed, "reconnect=3s+2s") == [
        *feed[:2],
        Connected(5 * SECOND, Container.TS, "b"),
        *feed[3:],
    ]


def test_a_fast_clock_brings_the_feed_early() -> None:
    for text, rate in (("drift=1000ppm", 1_001_000), ("drift=-1000ppm", 999_000)):
        played = play(TS, text)
        assert [event.at for event in played] == [event.at * SECOND // rate for event in TS]
        assert data(played) == data(TS)


def test_muting_leaves_the_video_unchanged() -> None:
    muted, straight = packets(play(TS, "mute=4s"), 4), packets(TS, 4)
    assert set(map(pid_of, straight)) - set(map(pid_of, muted)) == {0x101}
    assert muted == [packet for packet in straight if is_packet(packet) and pid_of(packet) != 0x101]
    assert data(play(TS, "mute=4s"), 0, 4) == data(TS, 0, 4)
    assert {tag[0] for tag in tags(play(FLV, "mute=0s"))[1:]} == {9, 18}


def test_a_skewed_feed_is_the_same_but_late() -> None:
    played = play(TS, "skew=250ms")
    assert [event.at - 250_000 for event in played] == [event.at for event in TS]
    assert data(played) == data(TS)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("loss=0.5%", LossFault(Fraction(1, 200))),
        ("loss=2%x10", LossFault(Fraction(1, 50), 10)),
        ("stall=10s+3s", StallFault(Fraction(10), Fraction(3))),
        ("stall=1m+500ms,lost", StallFault(Fraction(60), Fraction(1, 2), lost=True)),
        ("jump=20s+3600s", JumpFault(Fraction(20), Fraction(3600))),
        ("jump=0s-10s", JumpFault(Fraction(0), Fraction(-10))),
        ("jump=1s-8s,audio", JumpFault(Fraction(1), Fraction(-8), TrackKind.AUDIO)),
        ("wrap=5s", WrapFault(Fraction(5))),
        ("reconnect=10s+8s", ReconnectFault(Fraction(10), Fraction(8))),
        ("reconnect=10s+8s,continue", ReconnectFault(Fraction(10), Fraction(8))),
        (
            "reconnect=10s+8s,restart",
            ReconnectFault(Fraction(10), Fraction(8), RestartClock.RESTART),
        ),
        ("drift=-100ppm", DriftFault(-100)),
        ("mute=10s", MuteFault(Fraction(10))),
        ("skew=250ms", SkewFault(Fraction(1, 4))),
    ],
)
def test_the_text_of_a_fault_is_parsed(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "known faults: loss, stall"),
        ("flood=1s", "not a fault: 'flood=1s' (known faults: loss"),
        ("loss", "known faults: loss"),
        ("loss=101%", "'loss=101%': more than 100% (write loss=0.5%"),
        ("loss=5", "(write loss=0.5% or"),
        ("loss=5%x0", "(write loss=0.5% or"),
        ("stall=10s", "(write stall=10s+3s"),
        ("stall=10s-3s", "(write stall=10s+3s"),
        ("stall=10s+3s,restart", "(write stall=10s+3s"),
        ("jump=20s+3600s,lost", "(write jump="),
        ("jump=x+3s", "not a duration: 'x'"),
        ("reconnect=10s+8s,later", "(write reconnect="),
        ("drift=100", "(write drift=100ppm"),
        ("drift=-200000ppm", "more than 100000 ppm"),
        ("wrap=5", "not a duration: '5'"),
        ("mute=8d", "more than a week"),
        ("skew=250ms,lost", "not a duration"),
    ],
)
def test_an_invalid_fault_is_explained_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as error:
        parse_fault(text)
    assert "\n" not in str(error.value)


@given(st.text(max_size=30))
def test_any_text_is_a_fault_or_refused(text: str) -> None:
    for name in ("loss", "stall", "jump", "wrap", "reconnect", "drift", "mute", "skew"):
        try:
            parse_fault(f"{name}={text}")
        except ValueError as error:
            assert "write" in str(error)
