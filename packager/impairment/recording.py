"""The file format of a recording: the bytes of a feed and their arrival times.

    file      = magic, record...
    magic     = "RSREC001"
    record    = kind u8, length u32, instant i64, checksum u32, payload of `length` bytes
    kind      = 1 connected   payload: the container's name, a line feed, the peer; UTF-8
                2 received    payload: the bytes
                3 disconnected  payload: the reason; UTF-8
    instant   = microseconds since the Unix epoch
    checksum  = CRC-32 of kind, length, instant and payload

Numbers are big-endian. Records are only appended: after a crash of the recorder, the file is valid
up to its last complete record. `docs/decisions/0025-recordings.md` has the reasons.
"""

import zlib
from struct import Struct

from packager.errors import MediaError
from packager.feed.report import Container
from packager.impairment.schedule import Connected, Disconnected, Event, Received

MAGIC = b"RSREC001"
"""The start of every recording; the digits are the version of the format."""
MAX_PAYLOAD = 1 << 20
"""Bytes of a record's payload; a larger block becomes several records."""
_MAX_TEXT = 4096
"""Bytes of a peer or a reason."""
_HEAD = Struct(">BIq")
_CHECK = Struct(">I")
_OVERHEAD = _HEAD.size + _CHECK.size
_CONNECTED, _RECEIVED, _DISCONNECTED = 1, 2, 3


def encode(event: Event) -> bytes:
    """The records of `event`."""
    match event:
        case Connected():
            peer = event.peer.encode("utf-8", "replace")[:_MAX_TEXT]
            return _record(_CONNECTED, event.at, event.container.encode() + b"\n" + peer)
        case Received():
            pieces = range(0, len(event.data), MAX_PAYLOAD)
            return b"".join(
                _record(_RECEIVED, event.at, event.data[at : at + MAX_PAYLOAD]) for at in pieces
            )
        case Disconnected():
            reason = event.reason.encode("utf-8", "replace")[:_MAX_TEXT]
            return _record(_DISCONNECTED, event.at, reason)


def _record(kind: int, at: int, payload: bytes) -> bytes:
    head = _HEAD.pack(kind, len(payload), at)
    return head + _CHECK.pack(zlib.crc32(payload, zlib.crc32(head))) + payload


class RecordingReader:
    """Reads a recording in pieces of any size.

    An incomplete record waits for more bytes. An invalid record ends the reading.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False
        self._connected = False
        self._last = -(1 << 63)
        self._place = 0
        self.damage: MediaError | None = None
        """Why the rest cannot be read; None while there is no damage."""

    @property
    def pending(self) -> int:
        """Bytes after the last complete record: at the end of a file, a torn record."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes.

        An instant before the previous one, as after a clock change, is replaced by that one.
        """
        events: list[Event] = []
        if self.damage is not None:
            return events
        self._buffer += data
        done = 0
        view = memoryview(bytes(self._buffer))
        try:
            if not self._begun:
                done = self._magic(view)
            while self._begun and (found := self._next(view[done:])) is not None:
                event, size = found
                done += size
                self._place += size
                events.append(event)
        except MediaError as error:
            self.damage = error
        del self._buffer[:done]
        if self.damage is not None:
            self._buffer.clear()
        return events

    def _magic(self, view: memoryview) -> int:
        if bytes(view[: len(MAGIC)]) != MAGIC[: len(view)]:
            raise MediaError("not a recording, or a recording of another version")
        if len(view) < len(MAGIC):
            return 0
        self._begun = True
        self._place = len(MAGIC)
        return len(MAGIC)

    def _next(self, view: memoryview) -> tuple[Event, int] | None:
        """The next event and the bytes of its record; None while the record is incomplete."""
        if len(view) < _OVERHEAD:
            return None
        kind, length, at = _HEAD.unpack_from(view)
        if kind not in (_CONNECTED, _RECEIVED, _DISCONNECTED) or length > MAX_PAYLOAD:
            raise MediaError("damaged: not a record", offset=self._place)
        end = _OVERHEAD + length
        if len(view) < end:
            return None
        payload = bytes(view[_OVERHEAD:end])
        (checksum,) = _CHECK.unpack_from(view, _HEAD.size)
        if zlib.crc32(payload, zlib.crc32(view[: _HEAD.size])) != checksum:
            raise MediaError("damaged: a checksum is wrong", offset=self._place)
        self._last = max(self._last, at)
        return self._event(kind, payload), end

    def _event(self, kind: int, payload: bytes) -> Event:
        if (kind == _CONNECTED) is self._connected:
            raise MediaError("damaged: records out of order", offset=self._place)
        if kind == _RECEIVED:
            return Received(self._last, payload)
        self._connected = kind == _CONNECTED
        if kind == _DISCONNECTED:
            return Disconnected(self._last, payload.decode("utf-8", "replace"))
        name, _, peer = payload.partition(b"\n")
        try:
            container = Container(name.decode("ascii", "replace"))
        except ValueError:
            raise MediaError("unknown container", offset=self._place) from None
        return Connected(self._last, container, peer.decode("utf-8", "replace"))
