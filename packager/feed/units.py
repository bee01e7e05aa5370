"""The bytes of a container in whole units, every byte kept: packets of a TS, tags of an FLV.

Units are cut, not judged: what is none (junk between packets, a tag of an unknown kind) is handed
on as it is, so that the units joined are always the bytes that came.
"""

from enum import IntEnum
from typing import Protocol

from packager.feed.container import Container

PACKET = 188
"""Bytes of a packet of a transport stream (ISO/IEC 13818-1, 2.4.3.2)."""
SYNC = 0x47
FLV_HEADER = 13
"""Bytes before the first tag of an FLV: header, and the size of no tag."""
TAG_HEAD = 11
"""Bytes of a tag before its data (Adobe's FLV specification 10.1, E.4.1)."""
_TAG_TAIL = 4
_TYPE = 0x1F
"""Of a tag's first byte: what is left are flags."""


class Tag(IntEnum):
    """Types of FLV tags."""

    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


class Cutter(Protocol):
    """Cuts the bytes of one connection."""

    def push(self, data: bytes) -> list[bytes]:
        """The units that `data` completes, and what is none."""
        ...

    def rest(self) -> bytes:
        """What is left at the end: part of a unit."""
        ...


def cutter(container: Container) -> Cutter:
    """What cuts the bytes of `container`."""
    return TsCutter() if container is Container.TS else FlvCutter()


def is_packet(unit: bytes) -> bool:
    """Whether a unit of a TS is a packet, and no junk."""
    return len(unit) == PACKET and unit[0] == SYNC


def tag_type(unit: bytes) -> Tag | None:
    """The type of a unit of an FLV that is a tag; None for its header, and for what is none."""
    if len(unit) < TAG_HEAD + _TAG_TAIL or unit.startswith(b"FLV"):
        return None
    return Tag(unit[0] & _TYPE) if unit[0] & _TYPE in _TAGS else None


_TAGS = frozenset(Tag)


class TsCutter:
    """Cuts a transport stream into packets; where sync is lost, two sync bytes find it again."""

    def __init__(self) -> None:
        """Start anywhere in a stream."""
        self._buffer = b""
        self._synced = False

    def push(self, data: bytes) -> list[bytes]:
        """Packets of 188 bytes, and junk between them in pieces of any size."""
        buffer = self._buffer + data
        units: list[bytes] = []
        at = 0
        while len(buffer) - at > PACKET:
            if buffer[at] == SYNC and (self._synced or buffer[at + PACKET] == SYNC):
                self._synced = True
                units.append(buffer[at : at + PACKET])
                at += PACKET
                continue
            self._synced = False
            end = _next_sync(buffer, at + 1)
            units.append(buffer[at:end])
            at = end
        # The last packet of what came is not waited for.
        if self._synced and len(buffer) - at == PACKET and buffer[at] == SYNC:
            units.append(buffer[at:])
            at += PACKET
        self._buffer = buffer[at:]
        return units

    def rest(self) -> bytes:
        """Less than a packet, or one alone."""
        rest, self._buffer = self._buffer, b""
        return rest


def _next_sync(buffer: bytes, at: int) -> int:
    """Where a packet may begin, from `at` on."""
    while (at := buffer.find(SYNC, at)) >= 0:
        if at + PACKET >= len(buffer) or buffer[at + PACKET] == SYNC:
            return at
        at += 1
    return len(buffer)


class FlvCutter:
    """Cuts an FLV into its header and tags, each with the size that follows it."""

    def __init__(self) -> None:
        """Start at the header."""
        self._buffer = bytearray()
        self._begun = False
        self._lost = False

    def push(self, data: bytes) -> list[bytes]:
        """The header, tags; everything as it comes from what is no tag on."""
        self._buffer += data
        units: list[bytes] = []
        while not self._lost and (size := self._size()) <= len(self._buffer):
            units.append(bytes(self._buffer[:size]))
            del self._buffer[:size]
        if self._lost and self._buffer:
            units.append(self.rest())
        return units

    def _size(self) -> int:
        """Bytes of the next unit, as far as that is known."""
        buffer = self._buffer
        if not self._begun:
            if len(buffer) < FLV_HEADER:
                return FLV_HEADER
            self._begun = True
            # A stream that was joined later has no header.
            if buffer.startswith(b"FLV"):
                return FLV_HEADER
        if len(buffer) < TAG_HEAD:
            return TAG_HEAD
        if buffer[0] & _TYPE not in _TAGS:
            self._lost = True
            return len(buffer) + 1
        return TAG_HEAD + int.from_bytes(buffer[1:4]) + _TAG_TAIL

    def rest(self) -> bytes:
        """Part of a tag: at most 16 MiB."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


_ENHANCED_VIDEO, _ENHANCED_AUDIO = 0x80, 9
"""What says that the rest of the byte is a packet type (Enhanced RTMP 2, ExHeader)."""
_AVC, _AAC = 7, 10
_KEYFRAME = 1


def is_setup(unit: bytes) -> bool:
    """Whether an FLV tag says how to decode the others: metadata, or a sequence header."""
    kind = tag_type(unit)
    if kind is Tag.SCRIPT:
        return True
    body = unit[TAG_HEAD:-_TAG_TAIL]
    if kind is None or len(body) < 2:  # noqa: PLR2004 -- codec and packet type
        return False
    high, low = body[0] >> 4, body[0] & 0x0F
    if kind is Tag.VIDEO:
        return low == 0 if body[0] & _ENHANCED_VIDEO else (low, body[1]) == (_AVC, 0)
    return low == 0 if high == _ENHANCED_AUDIO else (high, body[1]) == (_AAC, 0)


def is_keyframe(unit: bytes) -> bool:
    """Whether an FLV tag is a picture that needs no other."""
    return tag_type(unit) is Tag.VIDEO and unit[TAG_HEAD] >> 4 & 7 == _KEYFRAME
