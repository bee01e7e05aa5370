"""Writes the messages of a publisher as an FLV (Adobe's specification 10.1, annex E)."""

from collections.abc import Iterator

from packager.container.flv_tag import (
    HAS_AUDIO,
    HAS_VIDEO,
    ON_META_DATA,
    TAG_HEADER_SIZE,
    TRAILER_SIZE,
    body_size,
    file_header,
    tag_header,
    tag_time,
)
from packager.rtmp.amf import read_values
from packager.rtmp.error import RtmpError
from packager.rtmp.message import WRAP, MessageType, RtmpMessage

_SET_DATA_FRAME = b"\x02\x00\x0d@setDataFrame"
"""Precedes metadata that a server shall keep, as an AMF0 string."""
_STRING = b"\x02"
_MEDIA = frozenset({MessageType.AUDIO, MessageType.VIDEO})


class FlvTags:
    """Turns the messages of one publisher into an FLV; their bodies stay unchanged."""

    def __init__(self) -> None:
        self._begun = False
        self._pieces: list[bytes | bytearray] = []

    def take(self) -> bytes:
        """The whole tags since the last call."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def media(self, message: RtmpMessage) -> None:
        """Add an audio or video message."""
        if message.length:
            self._begin(HAS_AUDIO | HAS_VIDEO)
            self._tag(message.kind, message.timestamp, message.length, message.parts)

    def metadata(self, payload: bytes, timestamp: int) -> None:
        """Add a data message in AMF0, such as `onMetaData`."""
        body = payload.removeprefix(_SET_DATA_FRAME)
        if body.startswith(_STRING):
            if not self._begun:
                self._begin(_announced_tracks(body))
            if body.startswith(ON_META_DATA):
                # It describes the whole stream; ffmpeg reads later metadata as a subtitle.
                timestamp = 0
            self._tag(MessageType.DATA, timestamp, len(body), [body])

    def aggregate(self, message: RtmpMessage) -> None:
        """Add a message that contains several tags (RTMP, section 7.1.6).

        Raises:
            RtmpError: the message is cut off.
        """
        for inner in _inner(message):
            if inner.kind in _MEDIA:
                self.media(inner)
            elif inner.kind == MessageType.DATA:
                self.metadata(inner.payload, inner.timestamp)

    def _begin(self, flags: int) -> None:
        if not self._begun:
            self._begun = True
            self._pieces.append(file_header(flags))

    def _tag(self, kind: int, timestamp: int, length: int, parts: list[bytes | bytearray]) -> None:
        self._pieces.append(tag_header(kind, length, timestamp))
        self._pieces += parts
        self._pieces.append((length + TAG_HEADER_SIZE).to_bytes(TRAILER_SIZE))


def _announced_tracks(metadata: bytes) -> int:
    """The tracks that `metadata` announces, as flags of the file header.

    A reader searches for seconds for an announced track that does not exist.
    """
    if not metadata.startswith(ON_META_DATA):
        return HAS_AUDIO | HAS_VIDEO
    try:
        values = read_values(metadata)[1:2]
    except RtmpError:
        return HAS_AUDIO | HAS_VIDEO
    names = values[0].keys() if values and isinstance(values[0], dict) else ()
    flags = HAS_AUDIO * ("audiocodecid" in names) | HAS_VIDEO * ("videocodecid" in names)
    return flags or HAS_AUDIO | HAS_VIDEO


def _inner(message: RtmpMessage) -> Iterator[RtmpMessage]:
    """The tags of an aggregate. Their times are relative: the first has the message's time."""
    data, at, shift = message.payload, 0, None
    while at < len(data):
        body = at + TAG_HEADER_SIZE
        end = body + body_size(data, at)
        if end + TRAILER_SIZE > len(data):
            raise RtmpError("an aggregate message is cut off")
        time = tag_time(data, at)
        if shift is None:
            shift = message.timestamp - time
        timestamp = (time + shift) & WRAP
        parts: list[bytes | bytearray] = [data[body:end]]
        yield RtmpMessage(data[at], timestamp, message.stream, parts, end - body)
        at = end + TRAILER_SIZE
