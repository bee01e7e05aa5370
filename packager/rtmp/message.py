"""Messages and their encoding (specification 1.0, sections 5.3.1 and 6.1)."""

from dataclasses import dataclass
from enum import IntEnum
from struct import pack

CHUNK_SIZE = 128
"""Bytes of payload in a chunk by default; the server never changes it."""
WRAP = 0xFFFFFFFF
"""The last timestamp, in milliseconds, before the counter wraps to 0."""
EXTENDED = 0xFFFFFF
"""In a timestamp field: the timestamp follows the header."""


class MessageType(IntEnum):
    """Message type IDs."""

    SET_CHUNK_SIZE = 1
    ABORT = 2
    ACKNOWLEDGEMENT = 3
    USER_CONTROL = 4
    WINDOW = 5
    PEER_BANDWIDTH = 6
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    SHARED_AMF3 = 16
    COMMAND_AMF3 = 17
    DATA = 18
    SHARED = 19
    COMMAND = 20
    AGGREGATE = 22


KINDS = frozenset(MessageType)


@dataclass(slots=True)
class RtmpMessage:
    """A complete message."""

    kind: int
    timestamp: int
    """Milliseconds, 32 bit."""
    stream: int
    """The ID of its message stream; 0 for the connection itself."""
    parts: list[bytes | bytearray]
    length: int
    """Bytes of all `parts`."""

    @property
    def payload(self) -> bytes:
        """All parts, joined."""
        return b"".join(self.parts)


def written(kind: MessageType, payload: bytes, *, stream: int = 0, chunk_stream: int = 3) -> bytes:
    """A message with timestamp 0 in chunks; `chunk_stream` is 2 to 63."""
    head = pack(">BxxxBHB", chunk_stream, len(payload) >> 16, len(payload) & 0xFFFF, kind)
    chunks = [head, stream.to_bytes(4, "little"), payload[:CHUNK_SIZE]]
    for at in range(CHUNK_SIZE, len(payload), CHUNK_SIZE):
        chunks += [bytes([0xC0 | chunk_stream]), payload[at : at + CHUNK_SIZE]]
    return b"".join(chunks)


def control(kind: MessageType, payload: bytes) -> bytes:
    """A protocol control message, on chunk stream 2."""
    return written(kind, payload, chunk_stream=2)
