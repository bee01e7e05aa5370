"""FLV, as RTMP carries it (Adobe's video file format specification 10.1, annex E)."""

from collections.abc import Iterator
from struct import pack

from packager.rtmp.amf import read_values
from packager.rtmp.error import RtmpError
from packager.rtmp.message import WRAP, Kind, Message

_AUDIO, _VIDEO = 4, 1
"""Flags of the header."""
_TAG = 11
"""Bytes of a tag's header."""
_SET_DATA_FRAME = b"\x02\x00\x0d@setDataFrame"
"""What an encoder says before a description that a server shall keep, as an AMF0 string."""
_ON_META_DATA = b"\x02\x00\x0aonMetaData"
_A_STRING = b"\x02"
_MEDIA = frozenset({Kind.AUDIO, Kind.VIDEO})


class FlvTags:
    """Makes the messages of one publisher an FLV, headers first; nothing in them is changed."""

    def __init__(self) -> None:
        self._begun = False
        self._pieces: list[bytes | bytearray] = []

    def take(self) -> bytes:
        """What there is since the last time: whole tags."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def media(self, message: Message) -> None:
        """A piece of sound or picture."""
        if message.length:
            self._begin(_AUDIO | _VIDEO)
            self._tag(message.kind, message.timestamp, message.length, message.parts)

    def description(self, payload: bytes, timestamp: int) -> None:
        """A data message in AMF0: `onMetaData` and the like."""
        said = payload.removeprefix(_SET_DATA_FRAME)
        if said.startswith(_A_STRING):
            if not self._begun:
                self._begin(_announced(said))
            if said.startswith(_ON_META_DATA):
                # It is of the whole; ffmpeg takes one that comes at a time for a subtitle.
                timestamp = 0
            self._tag(Kind.DATA, timestamp, len(said), [said])

    def aggregate(self, message: Message) -> None:
        """A message of several tags (RTMP, section 7.1.6).

        Raises:
            RtmpError: it is not.
        """
        for inner in _inner(message):
            if inner.kind in _MEDIA:
                self.media(inner)
            elif inner.kind == Kind.DATA:
                self.description(inner.payload, inner.timestamp)

    def _begin(self, flags: int) -> None:
        if not self._begun:
            self._begun = True
            self._pieces.append(b"FLV\x01" + bytes([flags]) + b"\0\0\0\x09\0\0\0\0")

    def _tag(self, kind: int, timestamp: int, length: int, parts: list[bytes | bytearray]) -> None:
        time = (timestamp & 0xFFFFFF) << 8 | timestamp >> 24
        self._pieces.append(pack(">IIxxx", kind << 24 | length, time))
        self._pieces += parts
        self._pieces.append((length + _TAG).to_bytes(4))


def _announced(description: bytes) -> int:
    """Which tracks `description` speaks of, as flags of the header.

    A reader that is promised a track that never comes looks for it for seconds.
    """
    if not description.startswith(_ON_META_DATA):
        return _AUDIO | _VIDEO
    try:
        said = read_values(description)[1:2]
    except RtmpError:
        return _AUDIO | _VIDEO
    names = said[0].keys() if said and isinstance(said[0], dict) else ()
    flags = _AUDIO * ("audiocodecid" in names) | _VIDEO * ("videocodecid" in names)
    return flags or _AUDIO | _VIDEO


def _inner(message: Message) -> Iterator[Message]:
    """The tags of an aggregate; their times count from the first's, which is the message's."""
    data, at, shift = message.payload, 0, None
    while at < len(data):
        body = at + _TAG
        end = body + int.from_bytes(data[at + 1 : at + 4])
        if end + 4 > len(data):
            raise RtmpError("an aggregate message is cut off")
        time = int.from_bytes(data[at + 4 : at + 7]) | data[at + 7] << 24
        if shift is None:
            shift = message.timestamp - time
        yield Message(data[at], (time + shift) & WRAP, message.stream, [data[body:end]], end - body)
        at = end + 4
