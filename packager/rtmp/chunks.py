"""Reads the chunk stream (specification 1.0, section 5.3): bytes become messages.

No loop runs byte by byte. A video frame is many chunks of one message in a row. Their headers are
equal and at equal distances, so the reader compares them and removes them as columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from packager.rtmp.error import RtmpError
from packager.rtmp.message import CHUNK_SIZE, EXTENDED, KINDS, WRAP, MessageType, RtmpMessage

_INCOMPLETE = -1
"""Returned for an incomplete header."""
_SAME = 3
"""The form of a header that repeats all fields."""
_SIZES = (11, 7, 3, 0)
"""Bytes of a message header, by its form."""
_MAX_RUN = 256
"""Chunks compared in one step: a limit on wasted work where messages alternate."""
_MAX_STREAMS = 64
_WORD = 4


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """Limits on the memory that a sender can occupy, in bytes."""

    message: int
    """The longest message."""
    together: int
    """All incomplete messages together."""


class _Stream:
    """The fields of a chunk stream's last header, and its incomplete message."""

    __slots__ = (
        "delta",
        "field",
        "kind",
        "length",
        "marker",
        "missing",
        "parts",
        "repeated",
        "stamp",
        "stream",
        "timestamp",
    )

    def __init__(self) -> None:
        self.timestamp = 0
        self.delta = 0
        self.field = 0
        self.stamp = b""
        """The extended timestamp, as received; empty without one."""
        self.length = 0
        self.kind = 0
        self.stream = 0
        self.missing = 0
        """Bytes of the message in chunks whose header is not read yet; 0 without a message."""
        self.parts: list[bytes | bytearray] = []
        self.repeated: int | None = 0
        """Bytes of the extended timestamp in each further chunk; None before the first of them."""
        self.marker = b""
        """The header of each further chunk of the message, once known."""


class ChunkReader:
    """Reads the messages that one side of a connection sends."""

    def __init__(self, limits: ChunkLimits) -> None:
        self.limits = limits
        self._size = CHUNK_SIZE
        self._streams: dict[int, _Stream] = {}
        self._left = b""
        """An incomplete header."""
        self._open: _Stream | None = None
        """The stream of the incomplete chunk."""
        self._chunk = 0
        """Bytes missing of that chunk."""
        self._together = 0

    def push(self, data: bytes) -> Iterator[RtmpMessage]:
        """The messages that `data` completes; take all of them before the next push.

        Raises:
            RtmpError: `data` is no chunk stream, or exceeds the limits.
        """
        if self._left:
            data, self._left = self._left + data, b""
        at, end = 0, len(data)
        while at < end:
            stream = self._open
            if stream is None:
                body = self._header(data, at)
                stream = self._open
                if stream is None:
                    self._left = data[at:]
                    return
                at = body
            taken = min(self._chunk, end - at)
            if taken:
                stream.parts.append(data[at : at + taken])
                at += taken
                self._chunk -= taken
            if self._chunk:
                return
            self._open = None
            if stream.marker:
                at = self._further(stream, data, at)
            if not stream.missing:
                message = self._complete(stream)
                if not self._apply(message):
                    yield message

    def _header(self, data: bytes, at: int) -> int:
        """Read the chunk header at `at`. Returns: the offset of its payload, or _INCOMPLETE."""
        form, number, body = data[at] >> 6, data[at] & 0x3F, at + 1
        if number < 2:  # noqa: PLR2004 -- 0 and 1: in one or two more bytes (5.3.1.1)
            body = at + 2 + number
            if body > len(data):
                return _INCOMPLETE
            number = 64 + int.from_bytes(data[at + 1 : body], "little")
        stream = self._streams.get(number)
        if stream is not None and stream.missing:
            if form != _SAME:
                raise RtmpError(
                    "a message begins before the end of the last one in its chunk stream"
                )
            return self._continue(stream, data, at, body)
        if stream is None:
            # The first header has all fields; librtmp omits the message stream of some.
            if form > 1:
                raise RtmpError("the first header of a chunk stream is incomplete")
            if len(self._streams) >= _MAX_STREAMS:
                raise RtmpError(f"more than {_MAX_STREAMS} chunk streams")
            stream = _Stream()
        start = self._begin(stream, form, data, body)
        if start != _INCOMPLETE:
            self._streams[number] = stream
            if stream.missing and not stream.stamp:
                stream.marker = bytes([data[at] | _SAME << 6]) + data[at + 1 : body]
        return start

    def _begin(self, stream: _Stream, form: int, data: bytes, body: int) -> int:
        """Read the fields of a header of `form` that begins a message."""
        end = body + _SIZES[form]
        if end > len(data):
            return _INCOMPLETE
        field = int.from_bytes(data[body : body + 3]) if form != _SAME else stream.field
        time, stamp = stream.delta if form == _SAME else field, b""
        if field == EXTENDED:
            stamp = data[end : end + _WORD]
            end += _WORD
            if end > len(data):
                return _INCOMPLETE
            time = int.from_bytes(stamp)
        if form < 2:  # noqa: PLR2004 -- forms 0 and 1 describe the message
            stream.length = int.from_bytes(data[body + 3 : body + 6])
            stream.kind = data[body + 6]
        if form == 0:
            stream.stream = int.from_bytes(data[body + 7 : body + 11], "little")
        stream.timestamp = time if form == 0 else (stream.timestamp + time) & WRAP
        # After a header with all fields, a repeating header uses that timestamp as the
        # difference (5.3.1.2.4). ffmpeg writes and reads it so.
        stream.field, stream.delta, stream.stamp = field, time, stamp
        self._reserve(stream)
        return end

    def _reserve(self, stream: _Stream) -> None:
        if stream.kind not in KINDS:
            raise RtmpError(f"unknown message type {stream.kind}")
        if stream.length > self.limits.message:
            raise RtmpError(
                f"a message of {stream.length} bytes; the limit is {self.limits.message} bytes"
            )
        self._together += stream.length
        if self._together > self.limits.together:
            raise RtmpError(f"more than {self.limits.together} bytes of incomplete messages")
        stream.parts, stream.marker = [], b""
        stream.repeated = None if stream.stamp else 0
        self._open, self._chunk = stream, min(self._size, stream.length)
        stream.missing = stream.length - self._chunk

    def _continue(self, stream: _Stream, data: bytes, at: int, body: int) -> int:
        """Read the header of a further chunk."""
        if stream.repeated is None:
            # The extended timestamp is repeated, but some encoders omit it.
            stamp = data[body : body + _WORD]
            again = (stream.stamp, stream.timestamp.to_bytes(_WORD))
            if not any(one.startswith(stamp) for one in again):
                stream.repeated = 0
            elif len(stamp) < _WORD:
                return _INCOMPLETE
            else:
                stream.repeated = _WORD
        end = body + stream.repeated
        if end > len(data):
            return _INCOMPLETE
        stream.marker = data[at:end]
        self._open, self._chunk = stream, min(self._size, stream.missing)
        stream.missing -= self._chunk
        return end

    def _further(self, stream: _Stream, data: bytes, at: int) -> int:
        """Take the chunks of a message that follow each other. Returns: the offset behind them."""
        marker, size = stream.marker, self._size
        head = len(marker)
        step = head + size
        while stream.missing >= size:
            count = min(stream.missing // size, (len(data) - at) // step, _MAX_RUN)
            same = self._same(marker, data[at : at + count * step], step, count) if count else 0
            if not same:
                return at
            piece = bytearray(data[at : at + same * step])
            for cut in range(head):
                del piece[:: step - cut]
            stream.parts.append(piece)
            stream.missing -= same * size
            at += same * step
        end = at + head + stream.missing
        if stream.missing and end <= len(data) and data.startswith(marker, at):
            stream.parts.append(data[at + head : end])
            stream.missing = 0
            return end
        return at

    @staticmethod
    def _same(marker: bytes, run: bytes, step: int, count: int) -> int:
        """How many of `count` chunks, each `step` bytes of `run`, begin with `marker`."""
        for place, byte in enumerate(marker):
            column = run[place::step]
            count = min(count, len(column) - len(column.lstrip(bytes([byte]))))
        return count

    def _complete(self, stream: _Stream) -> RtmpMessage:
        self._together -= stream.length
        parts, stream.parts = stream.parts, []
        return RtmpMessage(stream.kind, stream.timestamp, stream.stream, parts, stream.length)

    def _apply(self, message: RtmpMessage) -> bool:
        """Apply a control message of the chunk stream (5.4.1, 5.4.2). Returns: whether it is so."""
        if message.kind not in {MessageType.SET_CHUNK_SIZE, MessageType.ABORT}:
            return False
        value = int.from_bytes(message.payload[:_WORD])
        if message.length < _WORD:
            raise RtmpError("a control message is cut off")
        if message.kind == MessageType.ABORT:
            self._abort(value)
        elif 1 <= value < 1 << 31:
            # A large value is harmless: the limits of messages apply.
            self._size = value
        else:
            raise RtmpError(f"an invalid chunk size of {value} bytes")
        return True

    def _abort(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and stream.missing:
            self._together -= stream.length
            stream.parts, stream.missing = [], 0
