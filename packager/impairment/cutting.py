"""Cuts the bytes of a container into whole units: packets of a TS, tags of an FLV.

Every byte is kept: bytes outside all units (junk between packets, a tag of an unknown type) pass
unchanged. The units joined are always the bytes received.
"""

from typing import Protocol

from packager.container.flv_body import SEQUENCE_START, FlvBody, parse_audio, parse_video
from packager.container.flv_tag import (
    HEADER_SIZE,
    SIGNATURE,
    TAG_HEADER_SIZE,
    TAG_TYPES,
    TRAILER_SIZE,
    TYPE_MASK,
    TagType,
    body_size,
    tag_type,
)
from packager.container.ts_packet import PACKET_SIZE, SYNC_BYTE
from packager.feed.report import Container

FLV_START_SIZE = HEADER_SIZE + TRAILER_SIZE
"""Bytes before the first tag of an FLV."""


class Cutter(Protocol):
    """Cuts the bytes of one connection."""

    def push(self, data: bytes) -> list[bytes]:
        """The units that `data` completes, and the bytes outside them."""
        ...

    def rest(self) -> bytes:
        """The incomplete unit at the end."""
        ...


def cutter(container: Container) -> Cutter:
    """A cutter for `container`."""
    return TsCutter() if container is Container.TS else FlvCutter()


class TsCutter:
    """Cuts a transport stream into packets; after a loss of sync, two sync bytes restore it."""

    def __init__(self) -> None:
        self._buffer = b""
        self._synced = False

    def push(self, data: bytes) -> list[bytes]:
        """Packets of 188 bytes, and junk between them in pieces of any size."""
        buffer = self._buffer + data
        units: list[bytes] = []
        at = 0
        while len(buffer) - at > PACKET_SIZE:
            is_next_sync = buffer[at + PACKET_SIZE] == SYNC_BYTE
            if buffer[at] == SYNC_BYTE and (self._synced or is_next_sync):
                self._synced = True
                units.append(buffer[at : at + PACKET_SIZE])
                at += PACKET_SIZE
                continue
            self._synced = False
            end = _next_sync(buffer, at + 1)
            units.append(buffer[at:end])
            at = end
        # The last packet needs no sync byte behind it: that byte may arrive late.
        if self._synced and len(buffer) - at == PACKET_SIZE and buffer[at] == SYNC_BYTE:
            units.append(buffer[at:])
            at += PACKET_SIZE
        self._buffer = buffer[at:]
        return units

    def rest(self) -> bytes:
        """At most one packet."""
        rest, self._buffer = self._buffer, b""
        return rest


def _next_sync(buffer: bytes, at: int) -> int:
    """The offset of the next possible packet, from `at` on."""
    while (at := buffer.find(SYNC_BYTE, at)) >= 0:
        if at + PACKET_SIZE >= len(buffer) or buffer[at + PACKET_SIZE] == SYNC_BYTE:
            return at
        at += 1
    return len(buffer)


class FlvCutter:
    """Cuts an FLV into its header and tags, each with the size that follows it."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._begun = False
        self._lost = False

    def push(self, data: bytes) -> list[bytes]:
        """The header and tags; from an unknown tag on, all bytes as they arrive."""
        self._buffer += data
        units: list[bytes] = []
        while not self._lost and (size := self._size()) <= len(self._buffer):
            units.append(bytes(self._buffer[:size]))
            del self._buffer[:size]
        if self._lost and self._buffer:
            units.append(self.rest())
        return units

    def _size(self) -> int:
        """Bytes of the next unit, or a lower bound while that is unknown."""
        buffer = self._buffer
        if not self._begun:
            if len(buffer) < FLV_START_SIZE:
                return FLV_START_SIZE
            self._begun = True
            # A stream that was joined in the middle has no header.
            if buffer.startswith(SIGNATURE):
                return FLV_START_SIZE
        if len(buffer) < TAG_HEADER_SIZE:
            return TAG_HEADER_SIZE
        if buffer[0] & TYPE_MASK not in TAG_TYPES:
            self._lost = True
            return len(buffer) + 1
        return TAG_HEADER_SIZE + body_size(buffer) + TRAILER_SIZE

    def rest(self) -> bytes:
        """At most one tag of 16 MiB."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest


def is_setup(unit: bytes) -> bool:
    """Whether an FLV tag configures decoders: metadata, or a sequence header."""
    if tag_type(unit) is TagType.SCRIPT:
        return True
    body = _body(unit)
    return body is not None and body.packet_type == SEQUENCE_START


def is_keyframe(unit: bytes) -> bool:
    """Whether an FLV tag is a video keyframe."""
    body = _body(unit)
    return body is not None and body.key


def _body(unit: bytes) -> FlvBody | None:
    kind = tag_type(unit)
    body = unit[TAG_HEADER_SIZE:-TRAILER_SIZE]
    if kind is None or kind is TagType.SCRIPT or not body:
        return None
    return parse_video(body) if kind is TagType.VIDEO else parse_audio(body)
