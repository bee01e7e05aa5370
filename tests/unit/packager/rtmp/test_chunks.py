from dataclasses import dataclass, field

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager.rtmp.chunks import ChunkLimits, ChunkReader
from packager.rtmp.error import RtmpError
from packager.rtmp.message import MessageType, RtmpMessage, written
from tests.support.rtmp import ChunkWriter, Sent, Stamps, cut

LIMITS = ChunkLimits(message=1 << 20, together=1 << 21)
_LINES = [3, 4, 63, 64, 319, 320, 65599]
_times = st.one_of(
    st.integers(0, 100),
    st.integers(0xFFFFFE, 0x1000001),
    st.integers(0, 0x7FFFFFFF),
)
_messages = st.builds(
    Sent,
    st.sampled_from([MessageType.AUDIO, MessageType.VIDEO]),
    # No byte equals one of a timestamp: otherwise omitted timestamps look like present ones.
    st.builds(lambda n, seed: bytes((seed + i) % 128 | 128 for i in range(n)),
              st.one_of(st.integers(0, 20), st.integers(0, 3000)), st.integers(0, 127)),
    _times,
    st.integers(0, 2),
)  # fmt: skip


@dataclass
class Conversation:
    """What one side sends, and the messages in it in the order in which they are whole."""

    data: bytes = b""
    messages: list[Sent] = field(default_factory=list)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    writer = ChunkWriter(stamps=draw(st.sampled_from(Stamps)))
    conversation = Conversation(writer.resize(draw(st.integers(1, 300))))
    queues = {
        number: draw(st.lists(_messages, min_size=1, max_size=3))
        for number in draw(st.lists(st.sampled_from(_LINES), unique=True, min_size=1, max_size=3))
    }
    turns = iter(draw(st.lists(st.integers(0, 40), max_size=60)))
    while queues:
        turn = next(turns, 0)
        number = list(queues)[turn % len(queues)]
        if turn == 40:
            conversation.data += writer.resize(writer.size % 250 + 37)
        if writer.unfinished(number):
            conversation.data += writer.further(number)
        else:
            conversation.data += writer.begin(queues[number][0], number)
        if not writer.unfinished(number):
            conversation.messages.append(queues[number].pop(0))
            if not queues[number]:
                del queues[number]
    return conversation


def read(parts: list[bytes]) -> list[RtmpMessage]:
    reader = ChunkReader(LIMITS)
    return [message for part in parts for message in reader.push(part)]


def outcome(parts: list[bytes]) -> tuple[list[Sent], str]:
    """The messages, and the error that ends them."""
    reader, messages = ChunkReader(LIMITS), list[Sent]()
    try:
        for part in parts:
            for message in reader.push(part):
                messages.append(
                    Sent(message.kind, message.payload, message.timestamp, message.stream)
                )
    except RtmpError as error:
        assert str(error).isprintable()
        return messages, str(error)
    return messages, ""


def same(sent: list[Sent], messages: list[RtmpMessage]) -> bool:
    return len(sent) == len(messages) and all(
        one.is_what(other) for one, other in zip(sent, messages, strict=True)
    )


def _late() -> Conversation:
    """A message with an extended timestamp in each of its chunks."""
    writer = ChunkWriter()
    sent = Sent(MessageType.VIDEO, b"\xff" * 600, 0x01000000)
    return Conversation(writer.whole(sent), [sent])


_LATE = _late()


@given(conversations(), st.lists(st.integers(0, 1 << 20), max_size=20))
def test_any_split_of_the_bytes_gives_the_same_result(
    conversation: Conversation, places: list[int]
) -> None:
    assert same(conversation.messages, read([conversation.data]))
    assert same(conversation.messages, read(cut(conversation.data, places)))


@given(conversations())
@example(_LATE)
def test_byte_by_byte(conversation: Conversation) -> None:
    assert same(conversation.messages, read([bytes([octet]) for octet in conversation.data]))


@given(st.binary(max_size=300), st.integers(0, 2))
@example(b"\x42" + bytes(9), 0)
def test_any_bytes_are_messages_or_refused(data: bytes, form: int) -> None:
    prefix = ChunkWriter().whole(Sent(MessageType.AUDIO, b"x" * (form * 200)))
    assert outcome([prefix + data]) == outcome([prefix, *(bytes([octet]) for octet in data)])


@pytest.mark.parametrize("size", [1, 128, 4096, 60_000, 1 << 30])
@pytest.mark.parametrize("timestamp", [0, 0x01234567])
@pytest.mark.parametrize("stamps", Stamps)
def test_a_long_message(size: int, timestamp: int, stamps: Stamps) -> None:
    sent = Sent(MessageType.VIDEO, bytes(i * i % 128 | 128 for i in range(30_000)), timestamp)
    writer = ChunkWriter(stamps=stamps)
    assert same([sent], read([writer.resize(size) + writer.whole(sent)]))


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 128, b"x" * 129, b"x" * 500])
def test_the_written_messages(payload: bytes) -> None:
    data = written(MessageType.COMMAND, payload, stream=5)
    assert same([Sent(MessageType.COMMAND, payload, 0, 5)], read([data]))


def test_timestamps_wrap() -> None:
    first = b"\x04\xff\xff\xff\x00\x00\x01\x08\x01\x00\x00\x00\xff\xff\xff\xf0x"
    second = b"\x84\x00\x00\x20y"
    assert [message.timestamp for message in read([first, second])] == [0xFFFFFFF0, 0x10]


def test_a_repeating_header_repeats_the_difference() -> None:
    writer = ChunkWriter()
    sent = [Sent(MessageType.AUDIO, b"abc", time) for time in (23, 46, 69, 92)]
    data = b"".join(map(writer.whole, sent))
    assert len(data) == 15 + 3 * 4
    assert same(sent, read([data]))


def test_a_chunk_stream_may_begin_without_a_message_stream() -> None:
    (message,) = read([b"\x42\x00\x00\x00\x00\x00\x06\x04\x00\x06\x00\x00\x00\x01"])
    assert (message.kind, message.stream) == (MessageType.USER_CONTROL, 0)


def test_an_aborted_message_is_dropped() -> None:
    writer = ChunkWriter()
    aborted, whole = Sent(MessageType.VIDEO, b"x" * 300), Sent(MessageType.VIDEO, b"y" * 300)
    abort = ChunkWriter().whole(Sent(MessageType.ABORT, b"\0\0\0\x04", stream=0), 2)
    unknown = ChunkWriter().whole(Sent(MessageType.ABORT, b"\0\0\0\x09", stream=0), 2)
    begun = writer.begin(aborted) + writer.further(4)
    again = ChunkWriter().whole(whole)
    reader = ChunkReader(ChunkLimits(300, 310))
    for _ in range(3):
        assert list(reader.push(begun + abort + unknown + abort)) == []
    assert same([whole], list(reader.push(again)))


def test_the_kept_bytes_of_all_messages_are_bounded() -> None:
    reader = ChunkReader(ChunkLimits(1000, 1500))
    writer = ChunkWriter()
    sent = Sent(MessageType.VIDEO, b"x" * 1000)
    assert list(reader.push(writer.begin(sent, 5))) == []
    with pytest.raises(RtmpError, match="more than 1500 bytes of incomplete messages"):
        list(reader.push(writer.begin(sent, 6)))


def test_whole_messages_count_no_more() -> None:
    reader = ChunkReader(ChunkLimits(1000, 1500))
    writer = ChunkWriter()
    for number in range(3, 20):
        (message,) = reader.push(writer.whole(Sent(MessageType.VIDEO, b"x" * 1000), number))
        assert message.length == 1000


def test_chunk_streams_are_bounded() -> None:
    writer = ChunkWriter()
    data = [writer.whole(Sent(MessageType.AUDIO, b"x"), number) for number in range(3, 68)]
    assert len(read(data[:64])) == 64
    with pytest.raises(RtmpError, match="more than 64 chunk streams"):
        read(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc4", "first header of a chunk stream is incomplete"),
        (b"\x84\x00\x00\x00", "first header of a chunk stream is incomplete"),
        (b"\x04" + bytes(6) + b"\x07" + bytes(4), "unknown message type 7"),
        (
            b"\x04\0\0\0\xff\xff\xff\x08" + bytes(4),
            "a message of 16777215 bytes; the limit is 1048576 bytes",
        ),
        (
            b"\x04\0\0\0\0\x01\0\x08" + bytes(4 + 128) + b"\x04",
            "before the end of the last one",
        ),
        (b"\x02\0\0\0\0\0\x04\x01" + bytes(8), "chunk size of 0 bytes"),
        (b"\x02\0\0\0\0\0\x04\x01" + bytes(4) + b"\xff" * 4, "chunk size of 4294967295 bytes"),
        (b"\x02\0\0\0\0\0\x03\x01" + bytes(7), "control message is cut off"),
        (b"\x02\0\0\0\0\0\x00\x02" + bytes(4), "control message is cut off"),
    ],
)
def test_invalid_input_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(RtmpError, match=reason):
        read([data])
