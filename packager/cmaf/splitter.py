"""Bytes of one fragmented-MP4 track in, init section and fragments out.

Any split of the bytes gives the same events. What lies between fragments (`styp`, `sidx`, `prft`,
`emsg`, `free`, the closing `mfra`) is skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from packager.cmaf.boxes import printable, read_header
from packager.errors import MediaError

MAX_BOX = 1 << 20
"""Bytes of any box but `mdat`."""
MAX_MDAT = 64 << 20
"""Bytes of an `mdat`: ten seconds at 50 Mbit/s."""


@dataclass(frozen=True, slots=True)
class InitSection:
    """`ftyp` and `moov`: a CMAF header (ISO/IEC 23000-19 section 7.3.1)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Fragment:
    """A `moof` and the payload of the `mdat` after it."""

    moof: bytes
    payload: bytes
    gap: int
    """Bytes from the end of the moof to the payload."""


@dataclass(slots=True)
class Splitter:
    """The state between two reads of a track's bytes."""

    offset: int = 0
    """Of the next box in the whole stream."""
    _data: bytearray = field(default_factory=bytearray)
    _ftyp: bytes = b""
    _moof: bytes = b""

    def feed(self, data: bytes) -> Iterator[InitSection | Fragment]:
        """What `data` completes, in order.

        Raises:
            MediaError: the bytes are not fragmented MP4, or a box is larger than allowed.
        """
        self._data += data
        at = 0
        try:
            while (header := read_header(self._data, at, len(self._data))) is not None:
                kind, length, size = header
                self._check(kind, size, at)
                if len(self._data) - at < size:
                    break
                event = self._box(kind, at, length, size)
                at += size
                if event is not None:
                    yield event
        except MediaError as error:
            raise MediaError(
                error.reason, offset=self.offset + error.offset, box=error.box
            ) from None
        finally:
            self.offset += at
            del self._data[:at]

    def _check(self, kind: bytes, size: int, at: int) -> None:
        if size > (MAX_MDAT if kind == b"mdat" else MAX_BOX):
            raise MediaError(f"box of {size} bytes is too large", offset=at, box=printable(kind))
        if not kind.isalnum():
            raise MediaError("not a media box", offset=at, box=printable(kind))

    def _box(self, kind: bytes, at: int, length: int, size: int) -> InitSection | Fragment | None:
        if kind == b"mdat":
            return self._fragment(at, length, size)
        if kind == b"ftyp":
            self._ftyp = bytes(self._data[at : at + size])
        elif kind == b"moov":
            return InitSection(self._ftyp + bytes(self._data[at : at + size]))
        elif kind == b"moof":
            self._moof = bytes(self._data[at : at + size])
        return None

    def _fragment(self, at: int, length: int, size: int) -> Fragment:
        if not self._moof:
            raise MediaError("no moof before it", offset=at, box="mdat")
        with memoryview(self._data) as view:
            payload = bytes(view[at + length : at + size])
        fragment = Fragment(self._moof, payload, length)
        self._moof = b""
        return fragment
