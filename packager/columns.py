"""Segments as rows of columns: twelve hours of them fit in little room."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import add, sub
from typing import NamedTuple

import msgspec

from packager.ticks import UtcMicros


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """A run of samples: `size` bytes from `offset` of its segment. Times in ticks."""

    start: int
    duration: int
    offset: int
    size: int


class Segment(msgspec.Struct, frozen=True, gc=False):
    """A whole segment of one track. Times in ticks since the Unix epoch."""

    number: int
    period: int
    """Index of its period."""
    start: int
    duration: int
    size: int
    """Bytes."""
    published: UtcMicros
    """When it was whole."""

    @property
    def end(self) -> int:
        """Where the next sample starts."""
        return self.start + self.duration


class Run(NamedTuple):
    """Segments alike: numbers without a gap, one period, one duration, each where the last ends.

    Times in ticks since the Unix epoch.
    """

    number: int
    """Of the first."""
    start: int
    duration: int
    """Of each."""
    length: int
    """Segments."""

    @property
    def end(self) -> int:
        """Where the next sample starts."""
        return self.start + self.length * self.duration


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Whole segments of one period, in order, as the fewest numbers."""

    number: int
    """Of the first."""
    steps: list[int]
    """From each segment's number to that of the next."""
    published: list[int]
    """Microseconds since the Unix epoch."""
    counts: list[int]
    """Chunks of each segment, at least one."""
    start: int
    """Ticks since the Unix epoch: where the first chunk begins."""
    gaps: list[int]
    """Ticks between each chunk's end and the start of the next."""
    durations: list[int]
    """Of the chunks, in ticks."""
    sizes: list[int]
    """Of the chunks, in bytes."""


class Columns:
    """A row a segment, and one a chunk, of 64 bits a value.

    Durations, sizes and chunks of the segments are kept as totals up to and with each.
    """

    __slots__ = (
        "begins",
        "chunk_duration",
        "chunk_size",
        "chunk_start",
        "chunks",
        "number",
        "octets",
        "period",
        "published",
        "start",
        "ticks",
    )

    def __init__(self) -> None:
        """No rows."""
        self.number = array("q")
        self.period = array("q")
        self.start = array("q")
        self.published = array("q")
        self.ticks = array("q")
        self.octets = array("q")
        self.chunks = array("q")
        self.chunk_start = array("q")
        self.chunk_duration = array("q")
        self.chunk_size = array("q")
        self.begins = array("q")
        """Rows that a run begins with."""

    def append(self, segment: Segment, chunks: Iterable[Chunk]) -> None:
        """Add a row.

        Raises:
            OverflowError: a value has more than 63 bits.
        """
        for chunk in chunks:
            self.chunk_start.append(chunk.start)
            self.chunk_duration.append(chunk.duration)
            self.chunk_size.append(chunk.size)
        self.number.append(segment.number)
        self.period.append(segment.period)
        self.start.append(segment.start)
        self.published.append(segment.published)
        self.ticks.append(total_before(self.ticks, len(self.ticks)) + segment.duration)
        self.octets.append(total_before(self.octets, len(self.octets)) + segment.size)
        self.chunks.append(len(self.chunk_start))
        self._begin_run_unless_alike(len(self.number) - 1)

    def _begin_run_unless_alike(self, row: int) -> None:
        if row:
            last, this = self.segment(row - 1), self.segment(row)
            told = (last.number + 1, last.period, last.end, last.duration)
            if told == (this.number, this.period, this.start, this.duration):
                return
        self.begins.append(row)

    @staticmethod
    def unpacked(packed: Packed, period: int) -> "Columns":
        """The rows of `packed`, of one period.

        Raises:
            ValueError, OverflowError: the numbers do not belong together.
        """
        columns = Columns()
        segments, chunks = len(packed.counts), len(packed.sizes)
        if not segments or {len(packed.steps) + 1, len(packed.published)} != {segments}:
            raise ValueError("not as many of each for the segments")
        if {len(packed.gaps) + 1, len(packed.durations), sum(packed.counts)} != {chunks}:
            raise ValueError("not as many of each for the chunks")
        if min(packed.counts) < 1 or min(packed.steps, default=1) < 1:
            raise ValueError("segments out of order, or without a chunk")
        starts = list(accumulate(map(add, packed.gaps, packed.durations), initial=packed.start))
        octets = list(accumulate(packed.sizes))
        stops = list(accumulate(packed.counts))
        lasts = [stop - 1 for stop in stops]
        begins = [starts[first] for first in [0, *stops[:-1]]]
        ends = [starts[last] + packed.durations[last] for last in lasts]
        columns.number.extend(accumulate(packed.steps, initial=packed.number))
        columns.period.extend([period] * segments)
        columns.start.extend(begins)
        columns.published.extend(packed.published)
        lengths = list(map(sub, ends, begins))
        columns.ticks.extend(accumulate(lengths))
        columns.begins.append(0)
        columns.begins.extend(
            row
            for row, alike in enumerate(
                zip(packed.steps, begins[1:], ends, lengths[1:], lengths, strict=False), 1
            )
            if alike[0] != 1 or alike[1] != alike[2] or alike[3] != alike[4]
        )
        columns.octets.extend(octets[last] for last in lasts)
        columns.chunks.extend(stops)
        columns.chunk_start.extend(starts)
        columns.chunk_duration.extend(packed.durations)
        columns.chunk_size.extend(packed.sizes)
        return columns

    def packed(self, rows: range) -> Packed:
        """`rows`, which are not none."""
        numbers, stops = (column[rows.start : rows.stop] for column in (self.number, self.chunks))
        chunks = slice(total_before(self.chunks, rows.start), stops[-1])
        starts, durations = self.chunk_start[chunks], self.chunk_duration[chunks]
        return Packed(
            number=numbers[0],
            steps=list(map(sub, numbers[1:], numbers)),
            published=self.published[rows.start : rows.stop].tolist(),
            counts=list(map(sub, stops, [chunks.start, *stops])),
            start=starts[0],
            gaps=list(map(sub, starts[1:], map(add, starts, durations))),
            durations=durations.tolist(),
            sizes=self.chunk_size[chunks].tolist(),
        )

    def segment(self, row: int) -> Segment:
        """The segment of a row."""
        return Segment(
            self.number[row],
            self.period[row],
            self.start[row],
            self.ticks[row] - total_before(self.ticks, row),
            self.octets[row] - total_before(self.octets, row),
            UtcMicros(self.published[row]),
        )

    def chunks_of(self, row: int) -> Iterator[Chunk]:
        """Its chunks."""
        offset = 0
        for at in range(total_before(self.chunks, row), self.chunks[row]):
            size = self.chunk_size[at]
            yield Chunk(self.chunk_start[at], self.chunk_duration[at], offset, size)
            offset += size

    def take(self, other: "Columns", rows: range) -> None:
        """Append `rows` of another, which are not none."""
        chunks = slice(total_before(other.chunks, rows.start), other.chunks[rows.stop - 1])
        for name in ("number", "period", "start", "published"):
            getattr(self, name).extend(getattr(other, name)[rows.start : rows.stop])
        for name in ("ticks", "octets", "chunks"):
            mine, theirs = getattr(self, name), getattr(other, name)
            more = total_before(mine, len(mine)) - total_before(theirs, rows.start)
            mine.extend([total + more for total in theirs[rows.start : rows.stop]])
        for name in ("chunk_start", "chunk_duration", "chunk_size"):
            getattr(self, name).extend(getattr(other, name)[chunks])
        at, more = len(self.number) - len(rows), len(self.number) - rows.stop
        self._begin_run_unless_alike(at)
        begins = other.begins
        inside = begins[bisect_right(begins, rows.start) : bisect_left(begins, rows.stop)]
        self.begins.extend([row + more for row in inside])


def total_before(totals: "array[int]", row: int) -> int:
    """What `totals`, each up to and with a row, are before this one."""
    return totals[row - 1] if row else 0
