from dataclasses import dataclass, field
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.rtmp.amf import Value, read_values, write_values
from packager.rtmp.message import Kind, Message
from packager.rtmp.session import Ended, Event, Media, PublishWanted, Send, Session
from tests.support.rtmp import (
    GREETED,
    GREETING,
    KEY,
    ChunkWriter,
    Sent,
    command,
    connecting,
    cut,
    description,
    opening,
    replies,
    tag,
)

HEADER = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
AUDIO = Sent(Kind.AUDIO, b"\xaf\x01sound", 23)
VIDEO = Sent(Kind.VIDEO, b"\x17\x01picture" * 500, 40)


@dataclass
class Talk:
    """A session, and all that came of it."""

    session: Session = field(default_factory=Session)
    refusal: str = ""
    sent: bytes = b""
    media: bytes = b""
    wanted: list[tuple[str, ...]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    farewell: bool = False

    def say(self, data: bytes) -> None:
        self.note(self.session.receive(data))

    def note(self, events: list[Event]) -> None:
        for event in events:
            assert not self.ended
            match event:
                case Send(data):
                    self.sent += data
                case Media(data):
                    self.media += data
                case Ended(reason, farewell):
                    self.ended.append(reason)
                    self.farewell = farewell
                case PublishWanted(keys):
                    assert event is events[-1]
                    self.wanted.append(keys)
                    answer = self.session.dismiss(self.refusal) if self.refusal else None
                    self.note(self.session.accept() if answer is None else answer)

    def commands(self) -> list[list[Value]]:
        """What was said in commands."""
        return [read_values(m.payload) for m in self.replies(Kind.COMMAND)]

    def replies(self, kind: Kind) -> list[Message]:
        return [message for message in replies(self.sent) if message.kind == kind]

    def codes(self) -> list[Value]:
        return [
            said["code"]
            for values in self.commands()
            for said in values
            if isinstance(said, dict) and "code" in said
        ]


def publishing() -> tuple[Talk, ChunkWriter]:
    talk, writer = Talk(), ChunkWriter()
    talk.say(opening(writer))
    return talk, writer


def test_a_publisher() -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.say(GREETING[:1000])
    assert talk.sent == b""
    talk.say(GREETING[1000:2000])
    assert len(talk.sent) == GREETED
    assert talk.sent[0] == 3
    assert talk.sent[1537:] == GREETING[1:1537]
    talk.say(GREETING[2000:] + opening(writer)[len(GREETING) :])
    assert talk.wanted == [(KEY,)]
    assert talk.session.publishing
    assert [values[:2] for values in talk.commands()] == [
        ["_result", 1.0],
        ["_result", 2.0],
        ["_result", 3.0],
        ["_result", 4.0],
        ["onStatus", 0.0],
    ]
    assert talk.codes() == ["NetConnection.Connect.Success", "NetStream.Publish.Start"]
    assert talk.commands()[3][3] == 1.0
    assert talk.media == b""
    about = description(videocodecid=7.0, audiocodecid=10.0)
    talk.say(writer.whole(about) + writer.whole(AUDIO) + writer.whole(VIDEO, 6))
    said = Sent(Kind.DATA, about.payload[16:])
    assert talk.media == HEADER + tag(said) + tag(AUDIO) + tag(VIDEO)
    talk.say(writer.command("FCUnpublish", 6.0, None, KEY))
    assert talk.codes()[2:] == ["NetStream.Unpublish.Success"]
    assert talk.ended == ["the encoder has stopped"]
    assert talk.farewell
    talk.say(writer.command("deleteStream", 7.0, None, 1.0))
    assert not talk.session.publishing


_said = st.lists(
    st.one_of(
        st.builds(
            Sent,
            st.sampled_from([Kind.AUDIO, Kind.VIDEO, Kind.DATA, Kind.DATA_AMF3, Kind.AGGREGATE]),
            st.binary(max_size=300),
            st.integers(0, 0xFFFFFFFF),
        ),
        st.just(description(audiocodecid=10.0)),
        st.just(command("deleteStream", 6.0, None, 1.0)),
        st.just(Sent(Kind.USER_CONTROL, b"\0\x06time", stream=0)),
    ),
    max_size=12,
)


@given(_said, st.lists(st.integers(0, 1 << 20), max_size=12), st.integers(1, 600))
def test_whatever_way_it_is_cut(said: list[Sent], places: list[int], size: int) -> None:
    writer = ChunkWriter()
    data = opening(writer, size=size) + b"".join(map(writer.whole, said))
    once, often = Talk(), Talk()
    once.say(data)
    for part in cut(data, places):
        often.say(part)
    assert (once.sent, once.media, once.wanted, once.ended) == (
        often.sent,
        often.media,
        often.wanted,
        often.ended,
    )


@given(st.binary(max_size=400), st.sampled_from(["", "greeting", "connect", "publish"]))
def test_any_octets_end_in_one_line_or_nothing(data: bytes, after: str) -> None:
    prefix = {
        "": b"",
        "greeting": GREETING,
        "connect": connecting(ChunkWriter()),
        "publish": opening(ChunkWriter()),
    }[after]
    talk = Talk()
    talk.say(prefix + data)
    assert len(talk.ended) <= 1
    assert all(reason and reason.isprintable() for reason in talk.ended)


# What is passed on.


def test_what_is_not_passed_on() -> None:
    talk, writer = publishing()
    for sent in (
        Sent(Kind.AUDIO, b""),
        Sent(Kind.DATA, b"\x05"),
        Sent(Kind.DATA, b""),
        Sent(Kind.SHARED, b"x"),
        Sent(Kind.ACKNOWLEDGEMENT, b"\0\0\0\1"),
    ):
        talk.say(writer.whole(sent))
    assert talk.media == b""
    assert not talk.ended


@pytest.mark.parametrize("kind", [Kind.AUDIO, Kind.VIDEO, Kind.DATA, Kind.AGGREGATE])
def test_media_before_publish_is_nobodys(kind: Kind) -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.say(connecting(writer) + writer.whole(Sent(kind, b"\x02\0\x01x")))
    assert talk.media == b""
    assert not talk.ended


def test_what_comes_with_publish_waits_for_leave() -> None:
    writer, session = ChunkWriter(), Session()
    data = opening(writer) + writer.whole(AUDIO)
    assert isinstance(session.receive(data)[-1], PublishWanted)
    assert session.receive(writer.whole(VIDEO, 6)) == []
    media = [event.data for event in session.accept() if isinstance(event, Media)]
    assert b"".join(media) == HEADER + tag(AUDIO) + tag(VIDEO)
    assert session.accept() == []


def test_what_waits_for_leave_is_bounded() -> None:
    talk = Talk(Session())
    assert isinstance(talk.session.receive(opening(ChunkWriter()))[-1], PublishWanted)
    for _ in range(200):
        talk.say(bytes(1000))
    assert talk.ended == ["more than can wait for leave to publish"]
    assert talk.session.accept() == []


def test_what_was_wrong_while_waiting_shows_then() -> None:
    for odd in (b"\x04" + bytes(6) + b"\x07" + bytes(4), b"\xc9"):
        session = Session()
        assert isinstance(session.receive(opening(ChunkWriter()) + odd)[-1], PublishWanted)
        assert isinstance(session.accept()[-1], Ended)
        session = Session()
        assert isinstance(session.receive(opening(ChunkWriter()))[-1], PublishWanted)
        assert session.receive(odd) == []
        assert isinstance(session.accept()[-1], Ended)


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({"videocodecid": 7.0, "audiocodecid": 10.0}, 5),
        ({"videocodecid": 7.0}, 1),
        ({"audiocodecid": 10.0}, 4),
        ({}, 5),
    ],
)
def test_the_header_promises_what_was_announced(said: dict[str, Value], flags: int) -> None:
    talk, writer = publishing()
    talk.say(writer.whole(description(**said)) + writer.whole(description(**said)))
    assert talk.media[:5] == b"FLV\x01" + bytes([flags])
    assert talk.media.count(b"FLV") == 1


@pytest.mark.parametrize(
    "payload",
    [
        write_values("onTextData", {"text": "x", "audiocodecid": 1.0}),
        write_values("onMetaData"),
        write_values("onMetaData", 1.0),
        write_values("onMetaData") + b"\x03\x00",
    ],
)
def test_an_odd_description_goes_on_as_it_is(payload: bytes) -> None:
    talk, writer = publishing()
    talk.say(writer.whole(Sent(Kind.DATA, payload)))
    assert talk.media == HEADER + tag(Sent(Kind.DATA, payload))


def test_a_description_is_of_no_time() -> None:
    talk, writer = publishing()
    about = write_values("onMetaData", {})
    talk.say(writer.whole(AUDIO, 6) + writer.whole(Sent(Kind.DATA, about, 240)))
    assert talk.media == HEADER + tag(AUDIO) + tag(Sent(Kind.DATA, about))


def test_amf3_messages_that_hold_amf0() -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.say(connecting(writer))
    publish = write_values("publish", 5.0, None, KEY, "live")
    talk.say(writer.whole(Sent(Kind.COMMAND_AMF3, b"\0" + publish), 3))
    about = write_values("onMetaData", {})
    talk.say(writer.whole(Sent(Kind.DATA_AMF3, b"\0" + about)))
    assert talk.media == HEADER + tag(Sent(Kind.DATA, about))


def test_an_aggregate_becomes_its_tags() -> None:
    about = Sent(Kind.DATA, write_values("onTextData", {}), 0x01000010)
    inner = [about, *(Sent(s.kind, s.payload, 0x01000010 + s.timestamp) for s in (AUDIO, VIDEO))]
    other = tag(Sent(Kind.COMMAND, b"x"))
    payload = b"".join(map(tag, inner)) + other
    talk, writer = publishing()
    talk.say(writer.whole(Sent(Kind.AGGREGATE, payload, 5000)))
    moved = [Sent(s.kind, s.payload, s.timestamp - 0x01000010 + 5000) for s in inner]
    assert talk.media == HEADER + b"".join(map(tag, moved))


@pytest.mark.parametrize("length", [1, 10, 14, 20])
def test_an_aggregate_that_is_cut_off(length: int) -> None:
    talk, writer = publishing()
    talk.say(writer.whole(Sent(Kind.AGGREGATE, tag(AUDIO)[:length])))
    assert talk.ended == ["an aggregate message is cut off"]


# What is said back.


def test_enhanced_rtmp_is_answered_only_to_who_asks() -> None:
    talk = Talk()
    talk.say(connecting(ChunkWriter()))
    assert "fourCcList" not in repr(talk.commands())
    for asked in ("fourCcList", "videoFourCcInfoMap", "capsEx"):
        talk = Talk()
        talk.say(connecting(ChunkWriter(), **{asked: None}))
        ((_, _, server, status),) = talk.commands()
        for told in (server, status):
            assert isinstance(told, dict)
            codecs = told["fourCcList"]
            assert isinstance(codecs, list)
            assert {"hvc1", "av01", "vp09", "Opus"} <= set(map(str, codecs))


def test_pings_are_answered() -> None:
    talk, writer = publishing()
    talk.say(writer.whole(Sent(Kind.USER_CONTROL, b"\0\x06abcd", stream=0), 2))
    talk.say(writer.whole(Sent(Kind.USER_CONTROL, b"\0\x03abcd", stream=0), 2))
    assert talk.replies(Kind.USER_CONTROL)[-1].payload == b"\0\x07abcd"
    assert len(talk.replies(Kind.USER_CONTROL)) == 2


@pytest.mark.parametrize(("window", "most"), [(None, 1_250_000), (100_000, 50_000), (0, 32768)])
def test_what_has_come_is_acknowledged(window: int | None, most: int) -> None:
    talk, writer = publishing()
    if window is not None:
        talk.say(writer.whole(Sent(Kind.WINDOW, pack(">I", window), stream=0), 2))
    before = len(talk.replies(Kind.ACKNOWLEDGEMENT))
    said = writer.whole(Sent(Kind.VIDEO, bytes(2 * most + 4096)))
    for at in range(0, len(said), 4096):
        talk.say(said[at : at + 4096])
    told = [int.from_bytes(m.payload) for m in talk.replies(Kind.ACKNOWLEDGEMENT)][before:]
    assert len(told) >= 2
    assert told[-1] - told[-2] < most + 4096
    assert talk.session._received - told[-1] < most


# Refusals.


def refused(talk: Talk, reason: str) -> None:
    (said,) = talk.ended
    assert reason in said
    assert not talk.farewell
    assert talk.session.receive(b"more") == []
    assert talk.session.dismiss("again") == []


@pytest.mark.parametrize("app", ["", "vod", KEY])
def test_no_such_app(app: str) -> None:
    talk = Talk()
    talk.say(connecting(ChunkWriter(), app))
    assert talk.codes() == ["NetConnection.Connect.Rejected"]
    refused(talk, "no such app; publish to /live/KEY")
    assert KEY not in repr((talk.ended, talk.commands()))


@pytest.mark.parametrize("asked", [(), (None,), ({},), ({"app": 1.0},)])
def test_connect_without_an_app(asked: tuple[Value, ...]) -> None:
    talk = Talk()
    talk.say(GREETING + ChunkWriter().command("connect", 1.0, *asked))
    assert talk.codes() == ["NetConnection.Connect.Rejected"]


def test_who_may_not_publish_is_told_why() -> None:
    talk = Talk(refusal="no such stream key")
    talk.say(opening(ChunkWriter()))
    assert talk.codes()[-1] == "NetStream.Publish.BadName"
    refused(talk, "no such stream key")


def test_who_may_publish_no_more_is_told_why() -> None:
    talk, _ = publishing()
    talk.note(talk.session.dismiss("another encoder has come"))
    assert talk.codes()[-1] == "NetConnection.Connect.Closed"
    refused(talk, "another encoder has come")


def test_who_has_not_come_that_far_is_told_nothing() -> None:
    talk = Talk()
    talk.note(talk.session.dismiss("nothing is published"))
    assert talk.sent == b""
    refused(talk, "nothing is published")


@pytest.mark.parametrize("name", ["", "with space", "x" * 5000, "schl\u00fcssel", "\0" * 20])
def test_what_can_be_no_key_is_none(name: str) -> None:
    talk = Talk(refusal="no such stream key")
    talk.say(opening(ChunkWriter(), name))
    assert talk.wanted == [()]
    assert talk.codes()[-1] == "NetStream.Publish.BadName"


def test_no_key_is_shown() -> None:
    assert KEY not in repr(PublishWanted((KEY,)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "not RTMP: the first byte is 0x47"),
        (b"\x16\x03\x01", "TLS came where plain RTMP is spoken"),
        (b"\x06" + bytes(1536), "not RTMP: the first byte is 0x06"),
        (GREETING + b"\xff" * 100, "without a whole header"),
        (GREETING + ChunkWriter().command("publish", 1.0, None, KEY), "comes before connect"),
        (GREETING + ChunkWriter().whole(Sent(Kind.COMMAND, b"\x05")), "without name"),
        (GREETING + ChunkWriter().whole(Sent(Kind.COMMAND, b"\x04")), "begins with 4"),
        (GREETING + ChunkWriter().whole(Sent(Kind.VIDEO, bytes(70_000))), "65536 are the most"),
        (GREETING + 65 * ChunkWriter().whole(Sent(Kind.WINDOW, bytes(4))), "64 messages, and"),
    ],
)
def test_what_ends_it(data: bytes, reason: str) -> None:
    talk = Talk()
    talk.say(data)
    refused(talk, reason)


@pytest.mark.parametrize(
    ("named", "values", "reason"),
    [
        ("connect", ({"app": "live"},), "connect comes twice"),
        ("publish", (None, KEY), "publish comes twice"),
        ("publish", (None,), "publish comes without a name"),
        ("publish", (None, 1.0), "publish comes without a name"),
        ("play", (None, KEY), "wants to watch"),
        ("unheard", ("x" * 70_000,), "65536 are the most"),
    ],
)
def test_what_ends_a_publisher(named: str, values: tuple[Value, ...], reason: str) -> None:
    talk, writer = publishing()
    talk.say(writer.command(named, 9.0, *values))
    refused(talk, reason)


def test_what_is_unheard_of_or_too_early_is_passed_over() -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.say(connecting(writer) + writer.command("_checkbw", 2.0, None))
    talk.say(writer.command("deleteStream", 3.0, None, 1.0))
    assert not talk.ended
    assert len(talk.commands()) == 1
