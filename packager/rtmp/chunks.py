"""The chunk stream (specification 1.0, section 5.3): bytes become messages.

Nothing is done byte by byte. Where many chunks of one message follow each other, which is what a
picture at the usual chunk sizes is, they are taken in one step: their headers are all the same and
lie at equal distances, so they are compared and cut out as columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from packager.rtmp.error import RtmpError
from packager.rtmp.message import CHUNK_SIZE, EXTENDED, KINDS, WRAP, Kind, Message

_MORE = -1
"""Not all of a header has come."""
_SAME = 3
"""The form of a header that says nothing new."""
_SIZES = (11, 7, 3, 0)
"""Bytes of a message header, by its form."""
_RUN = 256
"""Chunks that are taken in one step: no more are compared in vain where messages alternate."""
_STREAMS = 64
_WORD = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sender may make us keep, in bytes."""

    message: int
    """The longest message."""
    together: int
    """All messages that have begun and are not whole yet."""


class _Stream:
    """What is known of a chunk stream from the last header, and its message so far."""

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
        """The extended timestamp as it came, if there was one."""
        self.length = 0
        self.kind = 0
        self.stream = 0
        self.missing = 0
        """Bytes of the message that have not come, nor their chunk's header; 0: none is begun."""
        self.parts: list[bytes | bytearray] = []
        self.repeated: int | None = 0
        """Bytes of the extended timestamp in each further chunk; None until one was seen."""
        self.marker = b""
        """The header of each further chunk of the message, once it is known."""


class ChunkReader:
    """Makes messages of what one side of a connection sends."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._size = CHUNK_SIZE
        self._streams: dict[int, _Stream] = {}
        self._left = b""
        """The beginning of a header."""
        self._open: _Stream | None = None
        """Whose chunk is not whole."""
        self._chunk = 0
        """Bytes of it that have not come."""
        self._together = 0

    def push(self, data: bytes) -> Iterator[Message]:
        """The messages that `data` completes; all of them are to be taken before the next push.

        Raises:
            RtmpError: this is no chunk stream, or more than the limits.
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
                message = self._whole(stream)
                if not self._for_us(message):
                    yield message

    def _header(self, data: bytes, at: int) -> int:
        """Open the chunk whose header is at `at`, if that is all there: where its payload is."""
        form, number, body = data[at] >> 6, data[at] & 0x3F, at + 1
        if number < 2:  # noqa: PLR2004 -- 0 and 1: one or two more bytes say which (5.3.1.1)
            body = at + 2 + number
            if body > len(data):
                return _MORE
            number = 64 + int.from_bytes(data[at + 1 : body], "little")
        stream = self._streams.get(number)
        if stream is not None and stream.missing:
            if form != _SAME:
                raise RtmpError("a message begins within another of its chunk stream")
            return self._continue(stream, data, at, body)
        if stream is None:
            # The first header is whole, but that librtmp leaves the message stream out of some.
            if form > 1:
                raise RtmpError("a chunk stream begins without a whole header")
            if len(self._streams) >= _STREAMS:
                raise RtmpError(f"more than {_STREAMS} chunk streams")
            stream = _Stream()
        start = self._begin(stream, form, data, body)
        if start != _MORE:
            self._streams[number] = stream
            if stream.missing and not stream.stamp:
                stream.marker = bytes([data[at] | _SAME << 6]) + data[at + 1 : body]
        return start

    def _begin(self, stream: _Stream, form: int, data: bytes, body: int) -> int:
        """Read a header of `form` with which a message begins."""
        end = body + _SIZES[form]
        if end > len(data):
            return _MORE
        field = int.from_bytes(data[body : body + 3]) if form != _SAME else stream.field
        time, stamp = stream.delta if form == _SAME else field, b""
        if field == EXTENDED:
            stamp = data[end : end + _WORD]
            end += _WORD
            if end > len(data):
                return _MORE
            time = int.from_bytes(stamp)
        if form < 2:  # noqa: PLR2004 -- forms 0 and 1 describe the message
            stream.length = int.from_bytes(data[body + 3 : body + 6])
            stream.kind = data[body + 6]
        if form == 0:
            stream.stream = int.from_bytes(data[body + 7 : body + 11], "little")
        stream.timestamp = time if form == 0 else (stream.timestamp + time) & WRAP
        # After a whole header, one that says nothing new repeats its timestamp as a difference
        # (5.3.1.2.4): so ffmpeg writes, and so it reads.
        stream.field, stream.delta, stream.stamp = field, time, stamp
        self._reserve(stream)
        return end

    def _reserve(self, stream: _Stream) -> None:
        if stream.kind not in KINDS:
            raise RtmpError(f"no message is of type {stream.kind}")
        if stream.length > self.limits.message:
            raise RtmpError(
                f"a message of {stream.length} bytes; {self.limits.message} are the most"
            )
        self._together += stream.length
        if self._together > self.limits.together:
            raise RtmpError(f"more than {self.limits.together} bytes of messages at once")
        stream.parts, stream.marker = [], b""
        stream.repeated = None if stream.stamp else 0
        self._open, self._chunk = stream, min(self._size, stream.length)
        stream.missing = stream.length - self._chunk

    def _continue(self, stream: _Stream, data: bytes, at: int, body: int) -> int:
        """Read the header of a further chunk."""
        if stream.repeated is None:
            # The extended timestamp comes again, but some encoders leave it out.
            stamp = data[body : body + _WORD]
            again = (stream.stamp, stream.timestamp.to_bytes(_WORD))
            if not any(one.startswith(stamp) for one in again):
                stream.repeated = 0
            elif len(stamp) < _WORD:
                return _MORE
            else:
                stream.repeated = _WORD
        end = body + stream.repeated
        if end > len(data):
            return _MORE
        stream.marker = data[at:end]
        self._open, self._chunk = stream, min(self._size, stream.missing)
        stream.missing -= self._chunk
        return end

    def _further(self, stream: _Stream, data: bytes, at: int) -> int:
        """Take as many whole chunks of a message as follow each other: where the next begins."""
        marker, size = stream.marker, self._size
        head = len(marker)
        step = head + size
        while stream.missing >= size:
            count = min(stream.missing // size, (len(data) - at) // step, _RUN)
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
        for place, octet in enumerate(marker):
            column = run[place::step]
            count = min(count, len(column) - len(column.lstrip(bytes([octet]))))
        return count

    def _whole(self, stream: _Stream) -> Message:
        self._together -= stream.length
        parts, stream.parts = stream.parts, []
        return Message(stream.kind, stream.timestamp, stream.stream, parts, stream.length)

    def _for_us(self, message: Message) -> bool:
        """Do what `message` says of the chunk stream itself, if it does (5.4.1, 5.4.2)."""
        if message.kind not in {Kind.SET_CHUNK_SIZE, Kind.ABORT}:
            return False
        value = int.from_bytes(message.payload[:_WORD])
        if message.length < _WORD:
            raise RtmpError("a control message is cut off")
        if message.kind == Kind.ABORT:
            self._abort(value)
        elif 1 <= value < 1 << 31:
            # However large: no more is kept than what a message has.
            self._size = value
        else:
            raise RtmpError(f"a chunk size of {value}")
        return True

    def _abort(self, number: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and stream.missing:
            self._together -= stream.length
            stream.parts, stream.missing = [], 0
