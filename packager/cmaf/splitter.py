"""Bytes of one fragmented-MP4 track in, init section and fragments out.

Any split of the bytes gives the same events. Boxes between fragments (`styp`, `sidx`, `prft`,
`emsg`, `free`, the final `mfra`) are skipped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from packager.cmaf.boxes import Buffer, printable, read_header
from packager.errors import MediaError

MAX_BOX = 1 << 20
"""Maximum bytes of a box other than `mdat`."""
MAX_MDAT = 64 << 20
"""Maximum bytes of an `mdat`: ten seconds at 50 Mbit/s."""


@dataclass(frozen=True, slots=True)
class InitSection:
    """`ftyp` and `moov`: a CMAF header (ISO/IEC 23000-19 section 7.3.1)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class MovieFragment:
    """A `moof` and the payload of the `mdat` after it."""

    moof: bytes
    payload: Buffer


@dataclass(slots=True)
class Splitter:
    """The splitter of one track."""

    offset: int = 0
    """Offset of the next box in the stream."""
    _data: bytearray = field(default_factory=bytearray)
    _ftyp: bytes = b""
    _moof: bytes = b""

    @property
    def buffered(self) -> int:
        """Bytes of an incomplete box that are kept for the next call."""
        return len(self._data)

    def feed(self, data: Buffer) -> Iterator[InitSection | MovieFragment]:
        """The init sections and fragments that `data` completes, in order.

        Raises:
            MediaError: the bytes are not fragmented MP4, or a box is larger than allowed.
        """
        self._data += data
        at = 0
        while (header := self._header(at)) is not None:
            kind, length, size = header
            if len(self._data) - at < size:
                break
            event = self._box(kind, memoryview(self._data)[at : at + size], length)
            self.offset += size
            at += size
            if event is not None:
                # The payload refers to this buffer, so that media is not copied: use another one.
                self._data, at = self._data[at:], 0
                yield event
        if at:
            self._data = self._data[at:]

    def _header(self, at: int) -> tuple[bytes, int, int] | None:
        try:
            header = read_header(self._data, at, len(self._data))
        except MediaError as error:
            raise MediaError(error.reason, offset=self.offset, box=error.box) from None
        if header is not None:
            kind, _, size = header
            self._check(kind, size)
        return header

    def _check(self, kind: bytes, size: int) -> None:
        if size > (MAX_MDAT if kind == b"mdat" else MAX_BOX):
            reason = f"box of {size} bytes is too large"
            raise MediaError(reason, offset=self.offset, box=printable(kind))
        if not kind.isalnum():
            raise MediaError("not a media box", offset=self.offset, box=printable(kind))

    def _box(
        self, kind: bytes, data: memoryview, length: int
    ) -> InitSection | MovieFragment | None:
        if kind == b"mdat":
            return self._fragment(data[length:])
        if kind == b"ftyp":
            self._ftyp = bytes(data)
        elif kind == b"moov":
            return InitSection(self._ftyp + bytes(data))
        elif kind == b"moof":
            self._moof = bytes(data)
        return None

    def _fragment(self, payload: memoryview) -> MovieFragment:
        if not self._moof:
            raise MediaError("no moof before it", offset=self.offset, box="mdat")
        moof, self._moof = self._moof, b""
        return MovieFragment(moof, payload)
