"""The header and the tags of an FLV (Adobe's video file format specification 10.1, annex E)."""

from enum import IntEnum
from struct import pack

SIGNATURE = b"FLV"
HEADER_SIZE = 9
TAG_HEADER_SIZE = 11
TRAILER_SIZE = 4
"""Bytes of PreviousTagSize, which follows the header and each tag."""
TYPE_MASK, FILTER_FLAG, RESERVED_MASK = 0x1F, 0x20, 0xC0
"""Parts of a tag's first byte. With the filter flag the body is encrypted."""
HAS_AUDIO, HAS_VIDEO = 4, 1
"""Flags of the header."""
ON_META_DATA = b"\x02\0\x0aonMetaData"
"""The name of the metadata in a script tag, as an AMF0 string."""
_TIMESTAMP_MODULUS = 1 << 32


class TagType(IntEnum):
    """Types of FLV tags."""

    AUDIO = 8
    VIDEO = 9
    SCRIPT = 18


TAG_TYPES = frozenset(TagType)


def file_header(flags: int) -> bytes:
    """The header of an FLV, with the PreviousTagSize that follows it."""
    return SIGNATURE + b"\x01" + bytes([flags]) + HEADER_SIZE.to_bytes(4) + bytes(TRAILER_SIZE)


def body_size(data: bytes | bytearray, at: int = 0) -> int:
    """Bytes of the body of the tag at `at`."""
    return int.from_bytes(data[at + 1 : at + 4])


def tag_type(tag: bytes) -> TagType | None:
    """The type of a whole tag; None for a file header or an unknown type."""
    if len(tag) < TAG_HEADER_SIZE + TRAILER_SIZE or tag.startswith(SIGNATURE):
        return None
    return TagType(tag[0] & TYPE_MASK) if tag[0] & TYPE_MASK in TAG_TYPES else None


def tag_header(kind: int, size: int, timestamp: int) -> bytes:
    """The header of a tag with a body of `size` bytes; `timestamp` in milliseconds, 32 bit."""
    return pack(">IIxxx", kind << 24 | size, (timestamp & 0xFFFFFF) << 8 | timestamp >> 24)


def tag_time(data: bytes, at: int = 0) -> int:
    """The timestamp of the tag at `at`, in milliseconds from 0 to 2^32."""
    return data[at + 7] << 24 | int.from_bytes(data[at + 4 : at + 7])


def with_time(tag: bytes, millis: int) -> bytes:
    """`tag` with another timestamp, modulo 2^32."""
    millis %= _TIMESTAMP_MODULUS
    return tag[:4] + (millis & 0xFFFFFF).to_bytes(3) + bytes([millis >> 24]) + tag[8:]
