"""Boxes (ISO/IEC 14496-12 section 4.2): sizes and four-letter types."""

from collections.abc import Iterator
from struct import Struct, pack

import msgspec

from packager.errors import MediaError

Buffer = bytes | bytearray | memoryview

_HEADER = Struct(">I4s")
_LARGE = Struct(">Q")
HEADER = _HEADER.size


class Box(msgspec.Struct, frozen=True, gc=False):
    """One box of a buffer, with the offsets of its start, its body and its end."""

    type: bytes
    start: int
    body: int
    end: int


def read_header(data: Buffer, at: int, limit: int) -> tuple[bytes, int, int] | None:
    """Type, header size and total size of the box at `at`; None if bytes are missing.

    Raises:
        MediaError: the size is impossible.
    """
    if limit - at < HEADER:
        return None
    size, kind = _HEADER.unpack_from(data, at)
    length = HEADER
    if size == 1:
        if limit - at < HEADER + _LARGE.size:
            return None
        (size,) = _LARGE.unpack_from(data, at + HEADER)
        length += _LARGE.size
    if size < length:
        raise MediaError(f"box of {size} bytes", offset=at, box=printable(kind))
    return kind, length, size


def printable(kind: bytes) -> str:
    """A box type as text: letters as they are, other bytes escaped."""
    return kind.decode("latin-1").encode("unicode_escape").decode()


def children(data: Buffer, start: int, end: int) -> Iterator[Box]:
    """The consecutive boxes in `data[start:end]`.

    Raises:
        MediaError: a box does not fit.
    """
    at = start
    while at < end:
        header = read_header(data, at, end)
        if header is None or at + header[2] > end:
            raise MediaError("box does not fit its parent", offset=at)
        kind, length, size = header
        yield Box(kind, at, at + length, at + size)
        at += size


def find(data: Buffer, start: int, end: int, *path: bytes) -> Box:
    """The first box at `path` below `data[start:end]`.

    Raises:
        MediaError: there is no such box.
    """
    box: Box | None = None
    for name in path:
        box = next((child for child in children(data, start, end) if child.type == name), None)
        if box is None:
            raise MediaError("missing", offset=start, box=printable(name))
        start, end = box.body, box.end
    if box is None:
        raise MediaError("no path", offset=start)
    return box


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box of `kind` around `parts`."""
    body = b"".join(parts)
    return _HEADER.pack(HEADER + len(body), kind) + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with a version and flags (section 4.2.2)."""
    return box(kind, pack(">I", version << 24 | flags), *parts)
