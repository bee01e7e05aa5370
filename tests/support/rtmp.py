"""The encoder's side of RTMP, in all the variants that encoders use."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from struct import pack

from packager.rtmp.amf import Value, write_values
from packager.rtmp.chunks import ChunkLimits, ChunkReader
from packager.rtmp.handshake import LENGTH
from packager.rtmp.message import EXTENDED, MessageType, RtmpMessage

KEY = "correct-horse-battery-staple"
GREETING = b"\x03" + bytes(8) + b"c" * 1528 + b"C" * 1536
"""C0, C1 and C2."""
GREETED = 1 + 2 * LENGTH
"""Bytes of S0, S1 and S2."""
_WIDE = ChunkLimits(1 << 24, 1 << 26)


class Stamps(StrEnum):
    """The extended timestamp in the headers of further chunks."""

    REPEATED = "repeated"
    ABSOLUTE = "absolute"
    OMITTED = "omitted"


@dataclass(frozen=True)
class Sent:
    """A message."""

    kind: int
    payload: bytes
    timestamp: int = 0
    stream: int = 1

    def is_what(self, message: RtmpMessage) -> bool:
        assert message.length == len(message.payload)
        return self == Sent(message.kind, message.payload, message.timestamp, message.stream)


class _Line:
    """A chunk stream."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.last: Sent | None = None
        self.field: int | None = None
        self.stamp = b""
        self.sent = 0

    @property
    def left(self) -> int:
        return len(self.last.payload) - self.sent if self.last else 0

    def basic(self, form: int) -> bytes:
        if self.number < 64:
            return bytes([form << 6 | self.number])
        if self.number < 320:
            return bytes([form << 6, self.number - 64])
        return bytes([form << 6 | 1]) + (self.number - 64).to_bytes(2, "little")


class ChunkWriter:
    """Writes messages as chunks, with the shortest possible headers."""

    def __init__(self, size: int = 128, stamps: Stamps = Stamps.REPEATED) -> None:
        self.size = size
        self._stamps = stamps
        self._lines: dict[int, _Line] = {}

    def whole(self, sent: Sent, number: int = 4) -> bytes:
        """All chunks of a message."""
        chunks = [self.begin(sent, number)]
        while self.unfinished(number):
            chunks.append(self.further(number))
        return b"".join(chunks)

    def unfinished(self, number: int) -> bool:
        return self._line(number).left > 0

    def begin(self, sent: Sent, number: int = 4) -> bytes:
        """The first chunk of a message."""
        line = self._line(number)
        assert line.left <= 0
        last, line.last = line.last, sent
        form, time = 0, sent.timestamp
        if last and last.stream == sent.stream and sent.timestamp >= last.timestamp:
            form, time = 1, sent.timestamp - last.timestamp
            if (last.kind, len(last.payload)) == (sent.kind, len(sent.payload)):
                form = 3 if line.field == time else 2
        line.field = time
        line.stamp = time.to_bytes(4) if time >= EXTENDED else b""
        head = b"" if form == 3 else min(time, EXTENDED).to_bytes(3)
        if form < 2:
            head += len(sent.payload).to_bytes(3) + bytes([sent.kind])
        if form == 0:
            head += sent.stream.to_bytes(4, "little")
        line.sent = self.size
        return line.basic(form) + head + line.stamp + sent.payload[: self.size]

    def further(self, number: int) -> bytes:
        """The next chunk of the incomplete message."""
        line = self._line(number)
        assert line.last is not None
        stamp = line.stamp
        if stamp and self._stamps is Stamps.OMITTED:
            stamp = b""
        elif stamp and self._stamps is Stamps.ABSOLUTE:
            stamp = line.last.timestamp.to_bytes(4)
        piece = line.last.payload[line.sent : line.sent + self.size]
        line.sent += self.size
        return line.basic(3) + stamp + piece

    def resize(self, size: int) -> bytes:
        """Set the chunk size to `size`."""
        message = self.whole(Sent(MessageType.SET_CHUNK_SIZE, pack(">I", size), stream=0), 2)
        self.size = size
        return message

    def command(self, name: str, transaction: float, *values: Value, stream: int = 0) -> bytes:
        return self.whole(command(name, transaction, *values, stream=stream), 3)

    def _line(self, number: int) -> _Line:
        return self._lines.setdefault(number, _Line(number))


def command(name: str, transaction: float, *values: Value, stream: int = 0) -> Sent:
    return Sent(MessageType.COMMAND, write_values(name, transaction, *values), stream=stream)


def connecting(writer: ChunkWriter, app: str = "live", **asked: Value) -> bytes:
    """The handshake and the connect command."""
    return GREETING + writer.command("connect", 1.0, {"app": app, "flashVer": "test", **asked})


def opening(
    writer: ChunkWriter, key: str = KEY, app: str = "live", size: int = 4096, **asked: Value
) -> bytes:
    """All bytes that an encoder sends before media."""
    return b"".join(
        (
            connecting(writer, app, **asked),
            writer.resize(size),
            writer.command("releaseStream", 2.0, None, key),
            writer.command("FCPublish", 3.0, None, key),
            writer.command("createStream", 4.0, None),
            writer.command("publish", 5.0, None, key, "live", stream=1),
        )
    )


def description(**values: Value) -> Sent:
    """An onMetaData as encoders send it."""
    return Sent(MessageType.DATA, write_values("@setDataFrame", "onMetaData", values))


def replies(data: bytes) -> list[RtmpMessage]:
    """The messages of a server, behind its handshake."""
    return list(ChunkReader(_WIDE).push(data[GREETED:]))


def tag(sent: Sent) -> bytes:
    """A message as a tag of an FLV."""
    length = len(sent.payload)
    time = (sent.timestamp & 0xFFFFFF).to_bytes(3) + bytes([sent.timestamp >> 24])
    head = bytes([sent.kind]) + length.to_bytes(3) + time + bytes(3)
    return head + sent.payload + (length + 11).to_bytes(4)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """`data` cut at `places`, modulo its length."""
    stops = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(stops)]
