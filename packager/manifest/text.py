"""Long texts that grow: what is said once is compressed once.

A manifest of twelve hours is the one of a moment ago and a line more. So it is made of pieces, the
old ones of which stay: each is deflated by itself, and gzip members (RFC 1952) are put together
from them.
"""

import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from cachetools import LRUCache

_GZIP_HEAD = bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF])
_GZIP_LAST = b"\x03\x00"
"""An empty last block (RFC 1951 section 3.2.6)."""
_LEVEL = 6
_BLOCK = 128
"""Segments whose text is a piece."""
_MOST_LEADS = 64
_MOST_TEXTS = 64
_MOST_BLOCKS = 4096
"""Of one tape: six days and more of two-second segments."""


class Piece:
    """A part of a text, in both forms."""

    def __init__(self, raw: bytes) -> None:
        """A piece that reads `raw`."""
        self.raw = raw

    @cached_property
    def deflated(self) -> bytes:
        """A part of a raw deflate stream that needs nothing of what is before it."""
        deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflater.compress(self.raw) + deflater.flush(zlib.Z_FULL_FLUSH)

    @cached_property
    def digest(self) -> bytes:
        """Tells it from any other."""
        return blake2b(self.raw, digest_size=8).digest()


class Text:
    """Pieces, one after the other."""

    def __init__(self, pieces: Iterable[Piece], before: "Text | None" = None) -> None:
        """The text of `pieces`; `before` is one that may begin alike, of which that is known."""
        self._pieces = [piece for piece in pieces if piece.raw]
        self._known: list[tuple[Piece, tuple[int, int]]] = []
        if before is not None:
            known = zip(before._pieces, before._sums, strict=False)  # noqa: SLF001 - of the same class
            self._known = list(known)
        self._sums: list[tuple[int, int]] = []
        """Check and size up to the end of each piece, once they are known."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.plain() == other.plain()

    __hash__ = None  # type: ignore[assignment]

    @property
    def digest(self) -> str:
        """Tells it from other texts in the same pieces: where they begin must not be chance."""
        return blake2b(b"".join(piece.digest for piece in self._pieces), digest_size=8).hexdigest()

    def plain(self) -> bytes:
        """As it is."""
        return b"".join([piece.raw for piece in self._pieces])

    def gzipped(self) -> bytes:
        """As one gzip member."""
        check, size = self._sum()
        trailer = check.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
        return b"".join(
            [_GZIP_HEAD, *(piece.deflated for piece in self._pieces), _GZIP_LAST, trailer]
        )

    def _sum(self) -> tuple[int, int]:
        """The CRC-32 and the size of it all."""
        for mine, (theirs, sums) in zip(self._pieces, self._known, strict=False):
            if mine is not theirs and mine.raw != theirs.raw:
                break
            self._sums.append(sums)
        check, size = self._sums[-1] if self._sums else (0, 0)
        for piece in self._pieces[len(self._sums) :]:
            check = zlib.crc32(piece.raw, check)
            size += len(piece.raw)
            self._sums.append((check, size))
        self._known = []
        return check, size


def spliced(frame: bytes, mark: str, lists: Iterable[Iterable[Piece]]) -> Iterator[Piece]:
    """The pieces of a document: `frame`, with each of `lists` in the place of a `mark`.

    Raises:
        ValueError: there are not as many of the one as of the other.
    """
    first, *others = frame.split(mark.encode())
    yield Piece(first)
    for pieces, rest in zip(lists, others, strict=True):
        yield from pieces
        yield Piece(rest)


Writer = Callable[[int, int], str]
"""The text of the segments with the numbers from the first to the last."""


@dataclass(frozen=True, slots=True)
class Passage:
    """The part of a manifest that lists a track's segments."""

    first: int
    """Number that the window begins with."""
    opened: int
    """Up to here the text shows that it does."""
    last: int
    settled: int
    """Up to here the text will never change."""
    known: int
    """What is behind that cannot have changed while this is the same."""
    lead: Writer
    """Writes what a window begins with."""
    middle: Writer
    """Writes what is the same in every window."""
    by_segment: bool = False
    """What it writes of two stretches that follow each other is what it writes of both."""


class Tape:
    """What was written of one track in one kind of manifest.

    Pieces begin at multiples of a number, so that every origin cuts a text alike.
    """

    def __init__(self, block: int) -> None:
        """An empty one, in pieces of `block` segments."""
        self._length = block
        self._blocks: dict[int, tuple[int, int, Piece]] = {}
        """Each with what was settled and known then."""
        self._leads: dict[tuple[int, int], Piece] = {}
        self._newest = -1, -1, ""
        """Of a block that is not full: its begin, up to where it is settled, the text so far."""

    def cut(self, passage: Passage) -> Iterator[Piece]:
        """The pieces of `passage`."""
        stop = min((passage.opened // self._length + 1) * self._length - 1, passage.last)
        yield self._lead(passage, stop)
        for block in range(stop // self._length + 1, passage.last // self._length + 1):
            yield self._block(passage, block)

    def _lead(self, passage: Passage, stop: int) -> Piece:
        key = passage.first, stop
        settled = stop <= passage.settled
        if settled and (found := self._leads.get(key)) is not None:
            return found
        piece = Piece(passage.lead(*key).encode())
        if settled:
            if len(self._leads) >= _MOST_LEADS:
                self._leads.clear()
            self._leads[key] = piece
        return piece

    def _block(self, passage: Passage, block: int) -> Piece:
        begin, end = block * self._length, (block + 1) * self._length - 1
        if end > passage.last:
            return self._tail(passage, begin)
        if (found := self._blocks.get(block)) is not None:
            settled, known, piece = found
            if end <= min(settled, passage.settled) or known == passage.known:
                return piece
        piece = Piece(passage.middle(begin, end).encode())
        if len(self._blocks) >= _MOST_BLOCKS:
            self._blocks.clear()
        self._blocks[block] = passage.settled, passage.known, piece
        return piece

    def _tail(self, passage: Passage, begin: int) -> Piece:
        """What is there of a block that is not full: it goes on from what was there before."""
        known, until, text = self._newest
        if known != begin or until > passage.last:
            until, text = begin - 1, ""
        settled = min(passage.last, passage.settled)
        if passage.by_segment and settled > until:
            text += passage.middle(until + 1, settled)
            until = settled
            self._newest = begin, until, text
        rest = passage.middle(until + 1, passage.last) if until < passage.last else ""
        return Piece((text + rest).encode())


class Tapes:
    """The tapes of a channel: dropped when what is past is told anew."""

    def __init__(self, block: int = _BLOCK) -> None:
        """None yet; `block` segments make a piece."""
        self._block = block
        self._tapes: dict[tuple[str, ...], Tape] = {}
        self._texts: LRUCache[Hashable, Text] = LRUCache(_MOST_TEXTS)

    def of(self, *key: str) -> Tape:
        """The one for a kind of manifest, a track, and whatever else its text depends on."""
        return self._tapes.setdefault(key, Tape(self._block))

    def text(self, key: Hashable, pieces: Iterable[Piece]) -> Text:
        """A text that begins, as far as it can, like the one with this key before."""
        text = Text(pieces, self._texts.get(key))
        self._texts[key] = text
        return text
