"""Long texts that grow: each part is rendered and compressed once.

A manifest of twelve hours differs by one line from the manifest before. So it is made of blocks,
and old blocks are kept: each is deflated by itself, and gzip members (RFC 1952) are joined from
them.
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
"""Segments of a block."""
_MAX_LEADS = 64
_MAX_TEXTS = 64
_MAX_BLOCKS = 4096
"""Blocks of one list: more than six days of two-second segments."""


class CompressedBlock:
    """A part of a text, plain and deflated."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def deflated(self) -> bytes:
        """A part of a raw deflate stream that does not refer to the parts before it."""
        deflater = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflater.compress(self.raw) + deflater.flush(zlib.Z_FULL_FLUSH)

    @cached_property
    def digest(self) -> bytes:
        """The identity of its bytes."""
        return blake2b(self.raw, digest_size=8).digest()


class ManifestText:
    """A text in blocks."""

    def __init__(
        self, blocks: Iterable[CompressedBlock], before: "ManifestText | None" = None
    ) -> None:
        """The text of `blocks`; sums over blocks that `before` starts with too are reused."""
        self._blocks = [block for block in blocks if block.raw]
        self._known: list[tuple[CompressedBlock, tuple[int, int]]] = []
        if before is not None:
            known = zip(before._blocks, before._sums, strict=False)  # noqa: SLF001 - the same class
            self._known = list(known)
        self._sums: list[tuple[int, int]] = []
        """CRC-32 and size up to the end of each block, once they are computed."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ManifestText) and self.plain() == other.plain()

    __hash__ = None  # type: ignore[assignment]

    @property
    def digest(self) -> str:
        """The identity of the text, for texts that are divided into blocks by the same rule."""
        return blake2b(b"".join(block.digest for block in self._blocks), digest_size=8).hexdigest()

    def plain(self) -> bytes:
        """The uncompressed bytes."""
        return b"".join([block.raw for block in self._blocks])

    def gzipped(self) -> bytes:
        """The text as one gzip member."""
        check, size = self._sum()
        trailer = check.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
        return b"".join(
            [_GZIP_HEAD, *(block.deflated for block in self._blocks), _GZIP_LAST, trailer]
        )

    def _sum(self) -> tuple[int, int]:
        """CRC-32 and size of the whole text."""
        for mine, (theirs, sums) in zip(self._blocks, self._known, strict=False):
            if mine is not theirs and mine.raw != theirs.raw:
                break
            self._sums.append(sums)
        check, size = self._sums[-1] if self._sums else (0, 0)
        for block in self._blocks[len(self._sums) :]:
            check = zlib.crc32(block.raw, check)
            size += len(block.raw)
            self._sums.append((check, size))
        self._known = []
        return check, size


def spliced(
    frame: bytes, mark: str, lists: Iterable[Iterable[CompressedBlock]]
) -> Iterator[CompressedBlock]:
    """The blocks of a document: `frame`, with each `mark` replaced by one of `lists`.

    Raises:
        ValueError: the count of marks differs from that of lists.
    """
    first, *others = frame.split(mark.encode())
    yield CompressedBlock(first)
    for blocks, rest in zip(lists, others, strict=True):
        yield from blocks
        yield CompressedBlock(rest)


Writer = Callable[[int, int], str]
"""Renders the segments from the first to the last of two numbers."""


@dataclass(frozen=True, slots=True)
class ListSlice:
    """The entries of a track's segments in one manifest, and the functions that render them."""

    first: int
    """First number of the window."""
    lead_until: int
    """The text up to this number depends on the start of the window."""
    last: int
    settled: int
    """The text up to this number will never change."""
    known: int
    """While this number is equal, the text after `settled` is equal."""
    render_lead: Writer
    """Renders the entries at the start of the window."""
    render: Writer
    """Renders entries whose text is the same in every window."""
    by_segment: bool = False
    """Whether the text of two consecutive ranges is the text of both together."""


class ListCache:
    """The rendered blocks of one track in one kind of manifest.

    Blocks start at multiples of their length, so that all origins divide a text in the same way.
    """

    def __init__(self, block: int) -> None:
        """Start empty, with blocks of `block` segments."""
        self._length = block
        self._blocks: dict[int, tuple[int, int, CompressedBlock]] = {}
        """Blocks, with the values of `settled` and `known` when each was rendered."""
        self._leads: dict[tuple[int, int], CompressedBlock] = {}
        self._newest = -1, -1, ""
        """The unfinished block: its first number, its last settled number, its text up to that."""

    def cut(self, part: ListSlice) -> Iterator[CompressedBlock]:
        """The blocks of a slice."""
        stop = min((part.lead_until // self._length + 1) * self._length - 1, part.last)
        yield self._lead(part, stop)
        for index in range(stop // self._length + 1, part.last // self._length + 1):
            yield self._block(part, index)

    def _lead(self, part: ListSlice, stop: int) -> CompressedBlock:
        """The block at the start of the window."""
        key = part.first, stop
        settled = stop <= part.settled
        if settled and (found := self._leads.get(key)) is not None:
            return found
        block = CompressedBlock(part.render_lead(*key).encode())
        if settled:
            if len(self._leads) >= _MAX_LEADS:
                self._leads.clear()
            self._leads[key] = block
        return block

    def _block(self, part: ListSlice, index: int) -> CompressedBlock:
        begin, end = index * self._length, (index + 1) * self._length - 1
        if end > part.last:
            return self._unfinished(part, begin)
        if (found := self._blocks.get(index)) is not None:
            settled, known, block = found
            if end <= min(settled, part.settled) or known == part.known:
                return block
        block = CompressedBlock(part.render(begin, end).encode())
        if len(self._blocks) >= _MAX_BLOCKS:
            self._blocks.clear()
        self._blocks[index] = part.settled, part.known, block
        return block

    def _unfinished(self, part: ListSlice, begin: int) -> CompressedBlock:
        """The block that more segments will be added to: it extends the text before."""
        known, until, text = self._newest
        if known != begin or until > part.last:
            until, text = begin - 1, ""
        settled = min(part.last, part.settled)
        if part.by_segment and settled > until:
            text += part.render(until + 1, settled)
            until = settled
            self._newest = begin, until, text
        rest = part.render(until + 1, part.last) if until < part.last else ""
        return CompressedBlock((text + rest).encode())


class ListCaches:
    """The list caches of a channel; drop them when the past of its timeline changes."""

    def __init__(self, block: int = _BLOCK) -> None:
        """Start empty, with blocks of `block` segments."""
        self._block = block
        self._lists: dict[tuple[str, ...], ListCache] = {}
        self._texts: LRUCache[Hashable, ManifestText] = LRUCache(_MAX_TEXTS)

    def of(self, *key: str) -> ListCache:
        """The cache for a kind of manifest, a track, and all else that its text depends on."""
        return self._lists.setdefault(key, ListCache(self._block))

    def text(self, key: Hashable, blocks: Iterable[CompressedBlock]) -> ManifestText:
        """The text of `blocks`, which reuses sums of the last text with the same key."""
        text = ManifestText(blocks, self._texts.get(key))
        self._texts[key] = text
        return text
