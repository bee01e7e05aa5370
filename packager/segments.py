"""The segments of a track.

They are a view over append-only columns that all later timelines share, so that one more segment
costs the same in a window of two minutes and of twelve hours, and twelve hours fit in little room.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from operator import add, sub
from typing import NamedTuple, overload

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


class _Columns:
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
        for chunk in chunks:
            self.chunk_start.append(chunk.start)
            self.chunk_duration.append(chunk.duration)
            self.chunk_size.append(chunk.size)
        self.number.append(segment.number)
        self.period.append(segment.period)
        self.start.append(segment.start)
        self.published.append(segment.published)
        self.ticks.append(_before(self.ticks, len(self.ticks)) + segment.duration)
        self.octets.append(_before(self.octets, len(self.octets)) + segment.size)
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
    def unpacked(packed: Packed, period: int) -> "_Columns":
        """Raises: ValueError, OverflowError: the numbers do not belong together."""
        columns = _Columns()
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
        chunks = slice(_before(self.chunks, rows.start), stops[-1])
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
        return Segment(
            self.number[row],
            self.period[row],
            self.start[row],
            self.ticks[row] - _before(self.ticks, row),
            self.octets[row] - _before(self.octets, row),
            UtcMicros(self.published[row]),
        )

    def chunks_of(self, row: int) -> Iterator[Chunk]:
        offset = 0
        for at in range(_before(self.chunks, row), self.chunks[row]):
            size = self.chunk_size[at]
            yield Chunk(self.chunk_start[at], self.chunk_duration[at], offset, size)
            offset += size

    def take(self, other: "_Columns", rows: range) -> None:
        """Append `rows` of another, which are not none."""
        chunks = slice(_before(other.chunks, rows.start), other.chunks[rows.stop - 1])
        for name in ("number", "period", "start", "published"):
            getattr(self, name).extend(getattr(other, name)[rows.start : rows.stop])
        for name in ("ticks", "octets", "chunks"):
            mine, theirs = getattr(self, name), getattr(other, name)
            more = _before(mine, len(mine)) - _before(theirs, rows.start)
            mine.extend([total + more for total in theirs[rows.start : rows.stop]])
        for name in ("chunk_start", "chunk_duration", "chunk_size"):
            getattr(self, name).extend(getattr(other, name)[chunks])
        at, more = len(self.number) - len(rows), len(self.number) - rows.stop
        self._begin_run_unless_alike(at)
        begins = other.begins
        inside = begins[bisect_right(begins, rows.start) : bisect_left(begins, rows.stop)]
        self.begins.extend([row + more for row in inside])


def _before(totals: "array[int]", row: int) -> int:
    return totals[row - 1] if row else 0


class Segments(Sequence[Segment]):
    """A view of shared append-only columns, ordered by segment number.

    It is a few runs of rows: one, and one for whatever was kept as all around it was trimmed.
    """

    __slots__ = ("_columns", "_runs")

    def __init__(self, columns: _Columns | None = None, runs: tuple[range, ...] = ()) -> None:
        self._columns = columns or _Columns()
        self._runs = runs

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> "Segments": ...
    def __getitem__(self, index: int | slice) -> "Segment | Segments":
        if not isinstance(index, slice):
            return self._columns.segment(self._row(index))
        start, stop, step = index.indices(len(self))
        if step != 1:
            msg = "a view of segments has no stride"
            raise ValueError(msg)
        runs: list[range] = []
        for run in self._runs:
            runs.append(run[max(0, start) : max(0, stop)])
            start, stop = start - len(run), stop - len(run)
        return Segments(self._columns, tuple(filter(len, runs)))

    def _row(self, index: int) -> int:
        if index < 0:
            index += len(self)
        if index >= 0:
            for run in self._runs:
                if index < len(run):
                    return run[index]
                index -= len(run)
        msg = "segment index out of range"
        raise IndexError(msg)

    def __iter__(self) -> Iterator[Segment]:
        for run in self._runs:
            yield from map(self._columns.segment, run)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segments) and list(self.rows()) == list(other.rows())

    __hash__ = None  # type: ignore[assignment]

    def rows(self) -> Iterator[tuple[Segment, tuple[Chunk, ...]]]:
        """Each segment with its chunks."""
        for run in self._runs:
            for row in run:
                yield self._columns.segment(row), tuple(self._columns.chunks_of(row))

    @property
    def ticks(self) -> int:
        """Of all together, in their track's timescale."""
        totals = self._columns.ticks
        return sum(totals[run[-1]] - _before(totals, run.start) for run in self._runs)

    @property
    def octets(self) -> int:
        """Bytes of all together."""
        totals = self._columns.octets
        return sum(totals[run[-1]] - _before(totals, run.start) for run in self._runs)

    def chunks(self, index: int) -> tuple[Chunk, ...]:
        """The chunks of the segment at this position."""
        return tuple(self._columns.chunks_of(self._row(index)))

    def plus(self, segment: Segment, chunks: Iterable[Chunk]) -> "Segments":
        """This view and `segment` after it.

        Raises:
            OverflowError: a value has more than 63 bits.
        """
        columns, runs = self._growable()
        row = len(columns.number)
        columns.append(segment, chunks)
        return Segments(columns, _with_rows(runs, range(row, row + 1)))

    def _growable(self) -> tuple[_Columns, tuple[range, ...]]:
        """Columns and rows, with nothing behind the rows: another view may have gone on."""
        last = self._runs[-1].stop if self._runs else 0
        return (self._columns, self._runs) if last == len(self._columns.number) else self._copied()

    def _copied(self) -> tuple[_Columns, tuple[range, ...]]:
        columns = _Columns()
        for run in self._runs:
            columns.take(self._columns, run)
        count = len(columns.number)
        return columns, (range(count),) if count else ()

    def joined(self, packed: Packed, period: int) -> "Segments":
        """This view and those of `packed`, of one period, after it.

        Raises:
            ValueError, OverflowError: they do not fit together.
        """
        more = _Columns.unpacked(packed, period)
        if self._runs and more.number[0] <= self._columns.number[self._runs[-1][-1]]:
            raise ValueError("segments out of order")
        columns, runs = self._growable()
        row, count = len(columns.number), len(more.number)
        columns.take(more, range(count))
        return Segments(columns, _with_rows(runs, range(row, row + count)))

    def packed(self, most: int) -> Iterator[Packed]:
        """All of them, which are of one period: at most `most` chunks each, or one segment."""
        chunks = self._columns.chunks
        for run in self._runs:
            begin = run.start
            for row in run:
                if row > begin and chunks[row] - _before(chunks, begin) > most:
                    yield self._columns.packed(range(begin, row))
                    begin = row
            yield self._columns.packed(range(begin, run.stop))

    def of_period(self, index: int) -> "Segments":
        """Those of the period with this index."""
        columns = self._columns.period
        first = sum(bisect_left(columns, index, r.start, r.stop) - r.start for r in self._runs)
        last = sum(bisect_right(columns, index, r.start, r.stop) - r.start for r in self._runs)
        return self[first:last]

    def index_of(self, number: int) -> int:
        """Position of the first segment whose number is `number` or above."""
        before = 0
        for run in self._runs:
            row = bisect_left(self._columns.number, number, run.start, run.stop)
            before += row - run.start
            if row < run.stop:
                break
        return before

    def numbered(self, number: int) -> Segment | None:
        """The segment with exactly this number."""
        index = self.index_of(number)
        if index < len(self) and (found := self[index]).number == number:
            return found
        return None

    def between(self, first: int, last: int) -> "Segments":
        """Those with numbers in [first, last]."""
        return self[self.index_of(first) : self.index_of(last + 1)]

    def runs(self, first: int = 0, last: int = 1 << 62) -> Iterator[Run]:
        """They all, as the fewest runs: those that begin at a number from `first` to `last`."""
        columns, begins = self._columns, self._columns.begins
        for rows in self._runs:
            at = bisect_right(begins, rows.start)
            start = rows.start
            if columns.number[start] < first:
                inside = bisect_left(columns.number, first, rows.start, rows.stop)
                at = bisect_left(begins, inside)
                start, at = begins[at] if at < len(begins) else rows.stop, at + 1
            while start < rows.stop and columns.number[start] <= last:
                stop = min(begins[at], rows.stop) if at < len(begins) else rows.stop
                begun = columns.segment(start)
                yield Run(begun.number, begun.start, begun.duration, stop - start)
                start, at = stop, at + 1

    @property
    def run_count(self) -> int:
        """How many runs they are."""
        begins = self._columns.begins
        return sum(
            bisect_left(begins, rows.stop) - bisect_right(begins, rows.start) + 1
            for rows in self._runs
        )

    @property
    def last_run(self) -> int:
        """The number that the last run begins with."""
        rows, begins = self._runs[-1], self._columns.begins
        row = max(rows.start, begins[bisect_left(begins, rows.stop) - 1])
        return self._columns.number[row]

    def numbers(self) -> Iterator[tuple[int, int]]:
        """Their numbers: the first and the last of each that follow without a gap."""
        first = last = -1
        for run in self.runs():
            if run.number != last + 1 or first < 0:
                if first >= 0:
                    yield first, last
                first = run.number
            last = run.number + run.length - 1
        if first >= 0:
            yield first, last

    @property
    def last_number(self) -> int:
        """Of the newest; -1 where there is none."""
        return self._columns.number[self._runs[-1][-1]] if self._runs else -1

    @property
    def every_number(self) -> Iterator[int]:
        """That of each, in order."""
        for run in self._runs:
            yield from self._columns.number[run.start : run.stop]

    @property
    def periods(self) -> list[int]:
        """The indexes of the periods that they lie in, in order."""
        found: list[int] = []
        column = self._columns.period
        for run in self._runs:
            row = run.start
            while row < run.stop:
                if not found or found[-1] != column[row]:
                    found.append(column[row])
                row = bisect_right(column, column[row], row, run.stop)
        return found

    def only(self, ranges: Iterable[tuple[int, int]]) -> "Segments":
        """Those with numbers in one of the ranges (first, last), which are in order and apart.

        Lets go of the others once they are the larger part.
        """
        runs: tuple[range, ...] = ()
        for first, last in ranges:
            for run in self.between(first, last)._runs:  # noqa: SLF001 - of the same class
                runs = _with_rows(runs, run)
        found = Segments(self._columns, runs)
        few = 2 * len(found) < len(self._columns.number)
        return Segments(*found._copied()) if few else found


def _with_rows(runs: tuple[range, ...], more: range) -> tuple[range, ...]:
    if runs and runs[-1].stop == more.start:
        return (*runs[:-1], range(runs[-1].start, more.stop))
    return (*runs, more)
