from dataclasses import dataclass, field
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.rtmp.amf import Value, read_values, write_values
from packager.rtmp.message import MessageType, RtmpMessage
from packager.rtmp.session import (
    Event,
    PublishWanted,
    RtmpMedia,
    RtmpSession,
    SendBytes,
    SessionEnded,
)
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
AUDIO = Sent(MessageType.AUDIO, b"\xaf\x01sound", 23)
VIDEO = Sent(MessageType.VIDEO, b"\x17\x01picture" * 500, 40)


@dataclass
class Talk:
    """A session and its events."""

    session: RtmpSession = field(default_factory=RtmpSession)
    refusal: str = ""
    sent: bytes = b""
    media: bytes = b""
    wanted: list[tuple[str, ...]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    farewell: bool = False

    def send(self, data: bytes) -> None:
        self.note(self.session.receive(data))

    def note(self, events: list[Event]) -> None:
        for event in events:
            assert not self.ended
            match event:
                case SendBytes(data):
                    self.sent += data
                case RtmpMedia(data):
                    self.media += data
                case SessionEnded(reason, farewell):
                    self.ended.append(reason)
                    self.farewell = farewell
                case PublishWanted(keys):
                    assert event is events[-1]
                    self.wanted.append(keys)
                    answer = self.session.dismiss(self.refusal) if self.refusal else None
                    self.note(self.session.accept() if answer is None else answer)

    def commands(self) -> list[list[Value]]:
        """The commands that the server sent."""
        return [read_values(m.payload) for m in self.replies(MessageType.COMMAND)]

    def replies(self, kind: MessageType) -> list[RtmpMessage]:
        return [message for message in replies(self.sent) if message.kind == kind]

    def codes(self) -> list[Value]:
        return [
            value["code"]
            for values in self.commands()
            for value in values
            if isinstance(value, dict) and "code" in value
        ]


def publishing() -> tuple[Talk, ChunkWriter]:
    talk, writer = Talk(), ChunkWriter()
    talk.send(opening(writer))
    return talk, writer


def test_a_publisher() -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.send(GREETING[:1000])
    assert talk.sent == b""
    talk.send(GREETING[1000:2000])
    assert len(talk.sent) == GREETED
    assert talk.sent[0] == 3
    assert talk.sent[1537:] == GREETING[1:1537]
    talk.send(GREETING[2000:] + opening(writer)[len(GREETING) :])
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
    talk.send(writer.whole(about) + writer.whole(AUDIO) + writer.whole(VIDEO, 6))
    metadata = Sent(MessageType.DATA, about.payload[16:])
    assert talk.media == HEADER + tag(metadata) + tag(AUDIO) + tag(VIDEO)
    talk.send(writer.command("FCUnpublish", 6.0, None, KEY))
    assert talk.codes()[2:] == ["NetStream.Unpublish.Success"]
    assert talk.ended == ["the encoder stopped publishing"]
    assert talk.farewell
    talk.send(writer.command("deleteStream", 7.0, None, 1.0))
    assert not talk.session.publishing


_messages = st.lists(
    st.one_of(
        st.builds(
            Sent,
            st.sampled_from(
                [
                    MessageType.AUDIO,
                    MessageType.VIDEO,
                    MessageType.DATA,
                    MessageType.DATA_AMF3,
                    MessageType.AGGREGATE,
                ]
            ),
            st.binary(max_size=300),
            st.integers(0, 0xFFFFFFFF),
        ),
        st.just(description(audiocodecid=10.0)),
        st.just(command("deleteStream", 6.0, None, 1.0)),
        st.just(Sent(MessageType.USER_CONTROL, b"\0\x06time", stream=0)),
    ),
    max_size=12,
)


@given(_messages, st.lists(st.integers(0, 1 << 20), max_size=12), st.integers(1, 600))
def test_any_split_of_the_bytes_gives_the_same_events(
    messages: list[Sent], places: list[int], size: int
) -> None:
    writer = ChunkWriter()
    data = opening(writer, size=size) + b"".join(map(writer.whole, messages))
    once, often = Talk(), Talk()
    once.send(data)
    for part in cut(data, places):
        often.send(part)
    assert (once.sent, once.media, once.wanted, once.ended) == (
        often.sent,
        often.media,
        often.wanted,
        often.ended,
    )


@given(st.binary(max_size=400), st.sampled_from(["", "greeting", "connect", "publish"]))
def test_any_bytes_end_in_one_line_or_nothing(data: bytes, after: str) -> None:
    prefix = {
        "": b"",
        "greeting": GREETING,
        "connect": connecting(ChunkWriter()),
        "publish": opening(ChunkWriter()),
    }[after]
    talk = Talk()
    talk.send(prefix + data)
    assert len(talk.ended) <= 1
    assert all(reason and reason.isprintable() for reason in talk.ended)


# Media.


def test_other_messages_are_not_passed_on() -> None:
    talk, writer = publishing()
    for sent in (
        Sent(MessageType.AUDIO, b""),
        Sent(MessageType.DATA, b"\x05"),
        Sent(MessageType.DATA, b""),
        Sent(MessageType.SHARED, b"x"),
        Sent(MessageType.ACKNOWLEDGEMENT, b"\0\0\0\1"),
    ):
        talk.send(writer.whole(sent))
    assert talk.media == b""
    assert not talk.ended


@pytest.mark.parametrize(
    "kind", [MessageType.AUDIO, MessageType.VIDEO, MessageType.DATA, MessageType.AGGREGATE]
)
def test_media_before_publish_is_ignored(kind: MessageType) -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.send(connecting(writer) + writer.whole(Sent(kind, b"\x02\0\x01x")))
    assert talk.media == b""
    assert not talk.ended


def test_bytes_behind_publish_wait_for_the_permission() -> None:
    writer, session = ChunkWriter(), RtmpSession()
    data = opening(writer) + writer.whole(AUDIO)
    assert isinstance(session.receive(data)[-1], PublishWanted)
    assert session.receive(writer.whole(VIDEO, 6)) == []
    media = [event.data for event in session.accept() if isinstance(event, RtmpMedia)]
    assert b"".join(media) == HEADER + tag(AUDIO) + tag(VIDEO)
    assert session.accept() == []


def test_bytes_that_wait_for_the_permission_are_bounded() -> None:
    talk = Talk(RtmpSession())
    assert isinstance(talk.session.receive(opening(ChunkWriter()))[-1], PublishWanted)
    for _ in range(200):
        talk.send(bytes(1000))
    assert talk.ended == ["too many bytes before the permission to publish"]
    assert talk.session.accept() == []


def test_an_error_in_waiting_bytes_appears_after_the_permission() -> None:
    for odd in (b"\x04" + bytes(6) + b"\x07" + bytes(4), b"\xc9"):
        session = RtmpSession()
        assert isinstance(session.receive(opening(ChunkWriter()) + odd)[-1], PublishWanted)
        assert isinstance(session.accept()[-1], SessionEnded)
        session = RtmpSession()
        assert isinstance(session.receive(opening(ChunkWriter()))[-1], PublishWanted)
        assert session.receive(odd) == []
        assert isinstance(session.accept()[-1], SessionEnded)


@pytest.mark.parametrize(
    ("metadata", "flags"),
    [
        ({"videocodecid": 7.0, "audiocodecid": 10.0}, 5),
        ({"videocodecid": 7.0}, 1),
        ({"audiocodecid": 10.0}, 4),
        ({}, 5),
    ],
)
def test_the_file_header_announces_the_tracks_of_the_metadata(
    metadata: dict[str, Value], flags: int
) -> None:
    talk, writer = publishing()
    talk.send(writer.whole(description(**metadata)) + writer.whole(description(**metadata)))
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
    talk.send(writer.whole(Sent(MessageType.DATA, payload)))
    assert talk.media == HEADER + tag(Sent(MessageType.DATA, payload))


def test_a_description_is_of_no_time() -> None:
    talk, writer = publishing()
    about = write_values("onMetaData", {})
    talk.send(writer.whole(AUDIO, 6) + writer.whole(Sent(MessageType.DATA, about, 240)))
    assert talk.media == HEADER + tag(AUDIO) + tag(Sent(MessageType.DATA, about))


def test_amf3_messages_that_hold_amf0() -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.send(connecting(writer))
    publish = write_values("publish", 5.0, None, KEY, "live")
    talk.send(writer.whole(Sent(MessageType.COMMAND_AMF3, b"\0" + publish), 3))
    about = write_values("onMetaData", {})
    talk.send(writer.whole(Sent(MessageType.DATA_AMF3, b"\0" + about)))
    assert talk.media == HEADER + tag(Sent(MessageType.DATA, about))


def test_an_aggregate_becomes_its_tags() -> None:
    about = Sent(MessageType.DATA, write_values("onTextData", {}), 0x01000010)
    inner = [about, *(Sent(s.kind, s.payload, 0x01000010 + s.timestamp) for s in (AUDIO, VIDEO))]
    other = tag(Sent(MessageType.COMMAND, b"x"))
    payload = b"".join(map(tag, inner)) + other
    talk, writer = publishing()
    talk.send(writer.whole(Sent(MessageType.AGGREGATE, payload, 5000)))
    moved = [Sent(s.kind, s.payload, s.timestamp - 0x01000010 + 5000) for s in inner]
    assert talk.media == HEADER + b"".join(map(tag, moved))


@pytest.mark.parametrize("length", [1, 10, 14, 20])
def test_an_aggregate_that_is_cut_off(length: int) -> None:
    talk, writer = publishing()
    talk.send(writer.whole(Sent(MessageType.AGGREGATE, tag(AUDIO)[:length])))
    assert talk.ended == ["an aggregate message is cut off"]


# Replies.


def test_enhanced_rtmp_is_offered_on_request_only() -> None:
    talk = Talk()
    talk.send(connecting(ChunkWriter()))
    assert "fourCcList" not in repr(talk.commands())
    for asked in ("fourCcList", "videoFourCcInfoMap", "capsEx"):
        talk = Talk()
        talk.send(connecting(ChunkWriter(), **{asked: None}))
        ((_, _, server, status),) = talk.commands()
        for reply in (server, status):
            assert isinstance(reply, dict)
            codecs = reply["fourCcList"]
            assert isinstance(codecs, list)
            assert {"hvc1", "av01", "vp09", "Opus"} <= set(map(str, codecs))


def test_pings_are_answered() -> None:
    talk, writer = publishing()
    talk.send(writer.whole(Sent(MessageType.USER_CONTROL, b"\0\x06abcd", stream=0), 2))
    talk.send(writer.whole(Sent(MessageType.USER_CONTROL, b"\0\x03abcd", stream=0), 2))
    assert talk.replies(MessageType.USER_CONTROL)[-1].payload == b"\0\x07abcd"
    assert len(talk.replies(MessageType.USER_CONTROL)) == 2


@pytest.mark.parametrize(("window", "most"), [(None, 1_250_000), (100_000, 50_000), (0, 32768)])
def test_received_bytes_are_acknowledged(window: int | None, most: int) -> None:
    talk, writer = publishing()
    if window is not None:
        talk.send(writer.whole(Sent(MessageType.WINDOW, pack(">I", window), stream=0), 2))
    before = len(talk.replies(MessageType.ACKNOWLEDGEMENT))
    data = writer.whole(Sent(MessageType.VIDEO, bytes(2 * most + 4096)))
    for at in range(0, len(data), 4096):
        talk.send(data[at : at + 4096])
    sent = talk.replies(MessageType.ACKNOWLEDGEMENT)[before:]
    acknowledged = [int.from_bytes(message.payload) for message in sent]
    assert len(acknowledged) >= 2
    assert acknowledged[-1] - acknowledged[-2] < most + 4096
    assert talk.session._acknowledgement.received - acknowledged[-1] < most


# Refusals.


def refused(talk: Talk, reason: str) -> None:
    (ended,) = talk.ended
    assert reason in ended
    assert not talk.farewell
    assert talk.session.receive(b"more") == []
    assert talk.session.dismiss("again") == []


@pytest.mark.parametrize("app", ["", "vod", KEY])
def test_no_such_app(app: str) -> None:
    talk = Talk()
    talk.send(connecting(ChunkWriter(), app))
    assert talk.codes() == ["NetConnection.Connect.Rejected"]
    refused(talk, "no such app; publish to /live/KEY")
    assert KEY not in repr((talk.ended, talk.commands()))


@pytest.mark.parametrize("asked", [(), (None,), ({},), ({"app": 1.0},)])
def test_connect_without_an_app(asked: tuple[Value, ...]) -> None:
    talk = Talk()
    talk.send(GREETING + ChunkWriter().command("connect", 1.0, *asked))
    assert talk.codes() == ["NetConnection.Connect.Rejected"]


def test_a_refused_encoder_receives_the_reason() -> None:
    talk = Talk(refusal="no such stream key")
    talk.send(opening(ChunkWriter()))
    assert talk.codes()[-1] == "NetStream.Publish.BadName"
    refused(talk, "no such stream key")


def test_an_evicted_encoder_receives_the_reason() -> None:
    talk, _ = publishing()
    talk.note(talk.session.dismiss("another encoder has come"))
    assert talk.codes()[-1] == "NetConnection.Connect.Closed"
    refused(talk, "another encoder has come")


def test_before_publish_a_dismissal_sends_no_reason() -> None:
    talk = Talk()
    talk.note(talk.session.dismiss("nothing is published"))
    assert talk.sent == b""
    refused(talk, "nothing is published")


@pytest.mark.parametrize("name", ["", "with space", "x" * 5000, "schl\u00fcssel", "\0" * 20])
def test_a_name_that_can_be_no_key_has_no_keys(name: str) -> None:
    talk = Talk(refusal="no such stream key")
    talk.send(opening(ChunkWriter(), name))
    assert talk.wanted == [()]
    assert talk.codes()[-1] == "NetStream.Publish.BadName"


def test_no_key_is_shown() -> None:
    assert KEY not in repr(PublishWanted((KEY,)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "not RTMP: the first byte is 0x47"),
        (b"\x16\x03\x01", "the encoder speaks TLS"),
        (b"\x06" + bytes(1536), "not RTMP: the first byte is 0x06"),
        (GREETING + b"\xff" * 100, "first header of a chunk stream is incomplete"),
        (GREETING + ChunkWriter().command("publish", 1.0, None, KEY), "before connect"),
        (GREETING + ChunkWriter().whole(Sent(MessageType.COMMAND, b"\x05")), "without a name"),
        (GREETING + ChunkWriter().whole(Sent(MessageType.COMMAND, b"\x04")), "type marker 4"),
        (
            GREETING + ChunkWriter().whole(Sent(MessageType.VIDEO, bytes(70_000))),
            "the limit is 65536 bytes",
        ),
        (
            GREETING + 65 * ChunkWriter().whole(Sent(MessageType.WINDOW, bytes(4))),
            "after 64 messages",
        ),
    ],
)
def test_errors_that_end_a_session(data: bytes, reason: str) -> None:
    talk = Talk()
    talk.send(data)
    refused(talk, reason)


@pytest.mark.parametrize(
    ("named", "values", "reason"),
    [
        ("connect", ({"app": "live"},), "second connect"),
        ("publish", (None, KEY), "second publish"),
        ("publish", (None,), "publish without a stream name"),
        ("publish", (None, 1.0), "publish without a stream name"),
        ("play", (None, KEY), "accepts publishers only"),
        ("unheard", ("x" * 70_000,), "the limit is 65536 bytes"),
    ],
)
def test_errors_that_end_a_publication(named: str, values: tuple[Value, ...], reason: str) -> None:
    talk, writer = publishing()
    talk.send(writer.command(named, 9.0, *values))
    refused(talk, reason)


def test_unknown_and_early_messages_are_ignored() -> None:
    talk, writer = Talk(), ChunkWriter()
    talk.send(connecting(writer) + writer.command("_checkbw", 2.0, None))
    talk.send(writer.command("deleteStream", 3.0, None, 1.0))
    assert not talk.ended
    assert len(talk.commands()) == 1
