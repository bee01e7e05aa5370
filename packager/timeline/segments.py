"""The segments of a track, as an immutable sequence.

It is a view of append-only columns that all later timelines share. So one more segment costs the
same in a window of two minutes and of twelve hours, and twelve hours need little memory.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from packager.timeline.segment_table import (
    Chunk,
    PackedSegments,
    Segment,
    SegmentColumns,
    SegmentRun,
    total_before,
)


class Segments(Sequence[Segment]):
    """A view of shared append-only columns, ordered by segment number.

    The view is a few ranges of rows: one, and one for each event that was kept by the retention.
    """

    __slots__ = ("_columns", "_runs")

    def __init__(self, columns: SegmentColumns | None = None, runs: tuple[range, ...] = ()) -> None:
        self._columns = columns or SegmentColumns()
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
            msg = "segments cannot be sliced with a step"
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
        """Duration of all segments, in ticks."""
        totals = self._columns.ticks
        return sum(totals[run[-1]] - total_before(totals, run.start) for run in self._runs)

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        totals = self._columns.sizes
        return sum(totals[run[-1]] - total_before(totals, run.start) for run in self._runs)

    def chunks(self, index: int) -> tuple[Chunk, ...]:
        """The chunks of the segment at position `index`."""
        return tuple(self._columns.chunks_of(self._row(index)))

    def plus(self, segment: Segment, chunks: Iterable[Chunk]) -> "Segments":
        """This view with `segment` appended.

        Raises:
            OverflowError: a value has more than 63 bits.
        """
        columns, runs = self._growable()
        row = len(columns.number)
        columns.append(segment, chunks)
        return Segments(columns, _with_rows(runs, range(row, row + 1)))

    def _growable(self) -> tuple[SegmentColumns, tuple[range, ...]]:
        """Columns and rows to append to: a copy, if another view has appended to the columns."""
        last = self._runs[-1].stop if self._runs else 0
        return (self._columns, self._runs) if last == len(self._columns.number) else self._copied()

    def _copied(self) -> tuple[SegmentColumns, tuple[range, ...]]:
        columns = SegmentColumns()
        for run in self._runs:
            columns.take(self._columns, run)
        count = len(columns.number)
        return columns, (range(count),) if count else ()

    def joined(self, packed: PackedSegments, period: int) -> "Segments":
        """This view with the segments of `packed`, which lie in one period, appended.

        Raises:
            ValueError, OverflowError: the segments do not follow this view.
        """
        more = SegmentColumns.unpacked(packed, period)
        if self._runs and more.number[0] <= self._columns.number[self._runs[-1][-1]]:
            raise ValueError("segments out of order")
        columns, runs = self._growable()
        row, count = len(columns.number), len(more.number)
        columns.take(more, range(count))
        return Segments(columns, _with_rows(runs, range(row, row + count)))

    def packed(self, max_chunks: int) -> Iterator[PackedSegments]:
        """All segments, of one period, in packs of at most `max_chunks` chunks or one segment."""
        chunks = self._columns.chunks
        for run in self._runs:
            begin = run.start
            for row in run:
                if row > begin and chunks[row] - total_before(chunks, begin) > max_chunks:
                    yield self._columns.packed(range(begin, row))
                    begin = row
            yield self._columns.packed(range(begin, run.stop))

    def of_period(self, index: int) -> "Segments":
        """The segments of the period with this index."""
        columns = self._columns.period
        first = sum(bisect_left(columns, index, r.start, r.stop) - r.start for r in self._runs)
        last = sum(bisect_right(columns, index, r.start, r.stop) - r.start for r in self._runs)
        return self[first:last]

    def index_of(self, number: int) -> int:
        """Position of the first segment with a number of at least `number`."""
        before = 0
        for run in self._runs:
            row = bisect_left(self._columns.number, number, run.start, run.stop)
            before += row - run.start
            if row < run.stop:
                break
        return before

    def numbered(self, number: int) -> Segment | None:
        """The segment with this number; None if it does not exist."""
        index = self.index_of(number)
        if index < len(self) and (found := self[index]).number == number:
            return found
        return None

    def between(self, first: int, last: int) -> "Segments":
        """The segments with numbers in [first, last]."""
        return self[self.index_of(first) : self.index_of(last + 1)]

    def runs(self, first: int = 0, last: int = 1 << 62) -> Iterator[SegmentRun]:
        """The runs of equal segments whose first number is from `first` to `last`."""
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
                yield SegmentRun(begun.number, begun.start, begun.duration, stop - start)
                start, at = stop, at + 1

    @property
    def run_count(self) -> int:
        """The count of all runs."""
        begins = self._columns.begins
        return sum(
            bisect_left(begins, rows.stop) - bisect_right(begins, rows.start) + 1
            for rows in self._runs
        )

    @property
    def last_run(self) -> int:
        """Number of the first segment of the last run."""
        rows, begins = self._runs[-1], self._columns.begins
        row = max(rows.start, begins[bisect_left(begins, rows.stop) - 1])
        return self._columns.number[row]

    def numbers(self) -> Iterator[tuple[int, int]]:
        """The first and the last number of each range without a gap."""
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
        """Number of the newest segment; -1 before the first."""
        return self._columns.number[self._runs[-1][-1]] if self._runs else -1

    def newest_before(self, number: int) -> int:
        """Number of the newest segment before `number`; -1 before the first."""
        column = self._columns.number
        for run in reversed(self._runs):
            row = bisect_left(column, number, run.start, run.stop)
            if row > run.start:
                return column[row - 1]
        return -1

    @property
    def every_number(self) -> Iterator[int]:
        """All numbers, in order."""
        for run in self._runs:
            yield from self._columns.number[run.start : run.stop]

    @property
    def periods(self) -> list[int]:
        """Indexes of the periods of all segments, in order."""
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
        """The segments with numbers in one of the ranges (first, last), which are in order.

        The columns are copied without the other segments once those are the larger part.
        """
        runs: tuple[range, ...] = ()
        for first, last in ranges:
            for run in self.between(first, last)._runs:  # noqa: SLF001 - the same class
                runs = _with_rows(runs, run)
        found = Segments(self._columns, runs)
        few = 2 * len(found) < len(self._columns.number)
        return Segments(*found._copied()) if few else found


def _with_rows(runs: tuple[range, ...], more: range) -> tuple[range, ...]:
    if runs and runs[-1].stop == more.start:
        return (*runs[:-1], range(runs[-1].start, more.stop))
    return (*runs, more)
