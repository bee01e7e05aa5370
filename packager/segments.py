"""The segments of a track.

They are a view over append-only columns that all later timelines share, so that one more segment
costs the same in a window of two minutes and of twelve hours, and twelve hours fit in little room.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from packager.columns import Chunk, Columns, Packed, Run, Segment, total_before


class Segments(Sequence[Segment]):
    """A view of shared append-only columns, ordered by segment number.

    It is a few runs of rows: one, and one for whatever was kept as all around it was trimmed.
    """

    __slots__ = ("_columns", "_runs")

    def __init__(self, columns: Columns | None = None, runs: tuple[range, ...] = ()) -> None:
        self._columns = columns or Columns()
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
        return sum(totals[run[-1]] - total_before(totals, run.start) for run in self._runs)

    @property
    def octets(self) -> int:
        """Bytes of all together."""
        totals = self._columns.octets
        return sum(totals[run[-1]] - total_before(totals, run.start) for run in self._runs)

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

    def _growable(self) -> tuple[Columns, tuple[range, ...]]:
        """Columns and rows, with nothing behind the rows: another view may have gone on."""
        last = self._runs[-1].stop if self._runs else 0
        return (self._columns, self._runs) if last == len(self._columns.number) else self._copied()

    def _copied(self) -> tuple[Columns, tuple[range, ...]]:
        columns = Columns()
        for run in self._runs:
            columns.take(self._columns, run)
        count = len(columns.number)
        return columns, (range(count),) if count else ()

    def joined(self, packed: Packed, period: int) -> "Segments":
        """This view and those of `packed`, of one period, after it.

        Raises:
            ValueError, OverflowError: they do not fit together.
        """
        more = Columns.unpacked(packed, period)
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
                if row > begin and chunks[row] - total_before(chunks, begin) > most:
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

    def newest_before(self, number: int) -> int:
        """The number of the newest with one below `number`; -1 where there is none."""
        column = self._columns.number
        for run in reversed(self._runs):
            row = bisect_left(column, number, run.start, run.stop)
            if row > run.start:
                return column[row - 1]
        return -1

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
