from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from packager.feed.report import Container
from packager.impairment.recording import MAGIC, MAX_PAYLOAD, RecordingReader, encode
from packager.impairment.schedule import (
    Connected,
    Disconnected,
    Event,
    Received,
    ended,
    over_and_over,
)
from tests.support.strategies import split

INSTANTS = st.integers(-(1 << 62), 1 << 62)
WORDS = st.text(max_size=40)


@st.composite
def schedules(draw: st.DrawFn) -> list[Event]:
    """Connections with their bytes, the last of them perhaps still there."""
    events: list[Event] = []
    for _ in range(draw(st.integers(0, 4))):
        events.append(Connected(0, draw(st.sampled_from(Container)), draw(WORDS)))
        pieces = draw(st.lists(st.binary(min_size=1, max_size=300), max_size=5))
        events += [Received(0, piece) for piece in pieces]
        events.append(Disconnected(0, draw(WORDS)))
    if events and draw(st.booleans()):
        events.pop()
    count = len(events)
    instants = sorted(draw(st.lists(INSTANTS, min_size=count, max_size=count)))
    return [replace(event, at=at) for event, at in zip(events, instants, strict=True)]


def recorded(events: list[Event]) -> bytes:
    return MAGIC + b"".join(map(encode, events))


@given(schedules(), st.data())
def test_any_split_of_the_bytes_gives_the_same_result(
    events: list[Event], data: st.DataObject
) -> None:
    reader = RecordingReader()
    read = [e for piece in data.draw(split(recorded(events))) for e in reader.feed(piece)]
    assert read == events
    assert reader.pending == 0
    assert reader.damage is None


@given(schedules(), st.data())
def test_torn_anywhere_it_is_whole_up_to_the_last_whole_record(
    events: list[Event], data: st.DataObject
) -> None:
    whole = recorded(events)
    end = data.draw(st.integers(0, len(whole)))
    reader = RecordingReader()
    read = reader.feed(whole[:end])
    assert read == events[: len(read)]
    assert reader.damage is None
    kept = len(recorded(read)) if end >= len(MAGIC) else 0
    assert reader.pending == end - kept
    rest = events[len(read) : len(read) + 1]
    assert all(end < kept + len(encode(event)) for event in rest), "what was whole was left"


@given(schedules(), st.data())
def test_a_byte_that_was_changed_is_found(events: list[Event], data: st.DataObject) -> None:
    whole = bytearray(recorded(events))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    reader = RecordingReader()
    read = reader.feed(bytes(whole))
    assert read == events[: len(read)]
    assert reader.damage is not None or reader.pending
    assert len(recorded(read)) <= max(at, len(MAGIC))


@given(st.binary(max_size=2000), st.sampled_from((b"", MAGIC)))
def test_any_bytes_are_read_or_refused_and_never_held_without_bound(
    noise: bytes, begin: bytes
) -> None:
    reader = RecordingReader()
    reader.feed(begin + noise)
    if reader.damage is not None:
        assert reader.feed(noise) == []
        assert reader.pending == 0


def test_a_record_longer_than_any_is_refused_at_its_head() -> None:
    reader = RecordingReader()
    reader.feed(MAGIC + b"\2" + (MAX_PAYLOAD + 1).to_bytes(4) + bytes(12))
    assert "not a record" in str(reader.damage)


def test_more_than_a_record_holds_is_several() -> None:
    data = bytes(range(256)) * (MAX_PAYLOAD // 128) + b"x"
    reader = RecordingReader()
    read = reader.feed(recorded([Connected(5, Container.TS, "a"), Received(6, data)]))
    pieces = [event for event in read if isinstance(event, Received)]
    assert len(pieces) == 3
    assert b"".join(piece.data for piece in pieces) == data


def test_a_clock_that_was_set_back_stands_still() -> None:
    reader = RecordingReader()
    events = [Connected(9, Container.FLV, "a"), Received(4, b"x"), Disconnected(11, "b")]
    assert [event.at for event in reader.feed(recorded(events))] == [9, 9, 11]


def test_bytes_without_a_connection_are_damage() -> None:
    for events in (
        [Received(1, b"x")],
        [Disconnected(1, "")],
        [Connected(1, Container.TS, "")] * 2,
    ):
        reader = RecordingReader()
        reader.feed(recorded(list(events)))
        assert "out of order" in str(reader.damage)


@given(schedules(), st.integers(0, 10**7))
def test_over_and_over_each_turn_is_whole_and_time_goes_on(events: list[Event], pause: int) -> None:
    turns = over_and_over(lambda: events, pause)
    once = list(ended(events))
    if not once:
        assert list(turns) == []
        return
    played = [next(turns) for _ in range(3 * len(once))]
    assert played[: len(once)] == once
    begins = played[len(once)].at
    assert begins - played[len(once) - 1].at == pause
    second = played[len(once) : 2 * len(once)]
    assert [replace(e, at=e.at - begins + once[0].at) for e in second] == once
