"""A table of segments in columns: twelve hours of segments need little memory."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from operator import add, sub
from typing import NamedTuple

import msgspec

from packager.timing.ticks import UtcMicros


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
    """Instant of its completion."""

    @property
    def end(self) -> int:
        """Start of the next sample."""
        return self.start + self.duration


class SegmentRun(NamedTuple):
    """Segments of one period and one duration, with consecutive numbers and no hole between them.

    Times in ticks since the Unix epoch.
    """

    number: int
    """Number of the first segment."""
    start: int
    duration: int
    """Duration of each segment."""
    length: int
    """Count of segments."""

    @property
    def end(self) -> int:
        """Start of the next sample."""
        return self.start + self.length * self.duration


class PackedSegments(msgspec.Struct, frozen=True, array_like=True):
    """Complete segments of one period, in order, in a compact form.

    Field order is the format of the journal.
    """

    number: int
    """Number of the first segment."""
    steps: list[int]
    """Difference of each segment's number to the next one."""
    published: list[int]
    """Microseconds since the Unix epoch."""
    counts: list[int]
    """Count of each segment's chunks, at least 1."""
    start: int
    """Start of the first chunk, in ticks since the Unix epoch."""
    gaps: list[int]
    """Ticks from each chunk's end to the start of the next."""
    durations: list[int]
    """Duration of each chunk, in ticks."""
    sizes: list[int]
    """Size of each chunk, in bytes."""


class SegmentColumns:
    """One row per segment and one per chunk, with 64 bits per value.

    The columns `ticks`, `sizes` and `chunks` hold running totals up to and including each segment.
    """

    __slots__ = (
        "begins",
        "chunk_duration",
        "chunk_size",
        "chunk_start",
        "chunks",
        "number",
        "period",
        "published",
        "sizes",
        "start",
        "ticks",
    )

    def __init__(self) -> None:
        self.number = array("q")
        self.period = array("q")
        self.start = array("q")
        self.published = array("q")
        self.ticks = array("q")
        self.sizes = array("q")
        self.chunks = array("q")
        self.chunk_start = array("q")
        self.chunk_duration = array("q")
        self.chunk_size = array("q")
        self.begins = array("q")
        """First row of each run of equal segments."""

    def append(self, segment: Segment, chunks: Iterable[Chunk]) -> None:
        """Append a row.

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
        self.sizes.append(total_before(self.sizes, len(self.sizes)) + segment.size)
        self.chunks.append(len(self.chunk_start))
        self._update_runs(len(self.number) - 1)

    def _update_runs(self, row: int) -> None:
        if row:
            last, this = self.segment(row - 1), self.segment(row)
            expected = (last.number + 1, last.period, last.end, last.duration)
            if expected == (this.number, this.period, this.start, this.duration):
                return
        self.begins.append(row)

    @staticmethod
    def unpacked(packed: PackedSegments, period: int) -> "SegmentColumns":
        """The rows of `packed`, whose segments lie in one period.

        Raises:
            ValueError, OverflowError: the values contradict each other.
        """
        columns = SegmentColumns()
        segments, chunks = len(packed.counts), len(packed.sizes)
        if not segments or {len(packed.steps) + 1, len(packed.published)} != {segments}:
            raise ValueError("the lists of segments differ in length")
        if {len(packed.gaps) + 1, len(packed.durations), sum(packed.counts)} != {chunks}:
            raise ValueError("the lists of chunks differ in length")
        if min(packed.counts) < 1 or min(packed.steps, default=1) < 1:
            raise ValueError("segments out of order, or without chunks")
        starts = list(accumulate(map(add, packed.gaps, packed.durations), initial=packed.start))
        size_totals = list(accumulate(packed.sizes))
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
        columns.sizes.extend(size_totals[last] for last in lasts)
        columns.chunks.extend(stops)
        columns.chunk_start.extend(starts)
        columns.chunk_duration.extend(packed.durations)
        columns.chunk_size.extend(packed.sizes)
        return columns

    def packed(self, rows: range) -> PackedSegments:
        """The rows `rows` (at least one) in compact form."""
        numbers, stops = (column[rows.start : rows.stop] for column in (self.number, self.chunks))
        chunks = slice(total_before(self.chunks, rows.start), stops[-1])
        starts, durations = self.chunk_start[chunks], self.chunk_duration[chunks]
        return PackedSegments(
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
        """The segment of row `row`."""
        return Segment(
            self.number[row],
            self.period[row],
            self.start[row],
            self.ticks[row] - total_before(self.ticks, row),
            self.sizes[row] - total_before(self.sizes, row),
            UtcMicros(self.published[row]),
        )

    def chunks_of(self, row: int) -> Iterator[Chunk]:
        """The chunks of the segment of row `row`."""
        offset = 0
        for at in range(total_before(self.chunks, row), self.chunks[row]):
            size = self.chunk_size[at]
            yield Chunk(self.chunk_start[at], self.chunk_duration[at], offset, size)
            offset += size

    def take(self, other: "SegmentColumns", rows: range) -> None:
        """Append the rows `rows` (at least one) of `other`."""
        chunks = slice(total_before(other.chunks, rows.start), other.chunks[rows.stop - 1])
        for name in ("number", "period", "start", "published"):
            getattr(self, name).extend(getattr(other, name)[rows.start : rows.stop])
        for name in ("ticks", "sizes", "chunks"):
            mine, theirs = getattr(self, name), getattr(other, name)
            more = total_before(mine, len(mine)) - total_before(theirs, rows.start)
            mine.extend([total + more for total in theirs[rows.start : rows.stop]])
        for name in ("chunk_start", "chunk_duration", "chunk_size"):
            getattr(self, name).extend(getattr(other, name)[chunks])
        at, more = len(self.number) - len(rows), len(self.number) - rows.stop
        self._update_runs(at)
        begins = other.begins
        inside = begins[bisect_right(begins, rows.start) : bisect_left(begins, rows.stop)]
        self.begins.extend([row + more for row in inside])


def total_before(totals: "array[int]", row: int) -> int:
    """The running total before row `row`."""
    return totals[row - 1] if row else 0
