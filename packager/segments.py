"""The segments of a track.

They are a view (first and last index) over one append-only list that all later timelines share, so
that one more segment costs the same in a window of two minutes and of twelve hours.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import overload

import msgspec

from packager.ticks import UtcMicros


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """A run of samples: `size` bytes from `offset` of its segment. Times in ticks."""

    start: int
    duration: int
    offset: int
    size: int


class Segment(msgspec.Struct, frozen=True):
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
    chunks: tuple[Chunk, ...]

    @property
    def end(self) -> int:
        """Where the next sample starts."""
        return self.start + self.duration


class Segments(Sequence[Segment]):
    """A view of a shared append-only list, ordered by segment number."""

    __slots__ = ("_first", "_last", "_shared")

    def __init__(
        self, shared: list[Segment] | None = None, first: int = 0, last: int | None = None
    ) -> None:
        self._shared = [] if shared is None else shared
        self._first = first
        self._last = len(self._shared) if last is None else last

    def __len__(self) -> int:
        return self._last - self._first

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> "Segments": ...
    def __getitem__(self, index: int | slice) -> "Segment | Segments":
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                msg = "a view of segments has no stride"
                raise ValueError(msg)
            return Segments(self._shared, self._first + start, self._first + max(start, stop))
        if not -len(self) <= index < len(self):
            msg = "segment index out of range"
            raise IndexError(msg)
        return self._shared[(self._first if index >= 0 else self._last) + index]

    def __iter__(self) -> Iterator[Segment]:
        for index in range(self._first, self._last):
            yield self._shared[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segments) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def plus(self, segment: Segment) -> "Segments":
        """This view and `segment` after it."""
        shared, first = self._shared, self._first
        if self._last != len(shared):
            shared, first = list(self), 0
        shared.append(segment)
        return Segments(shared, first, len(shared))

    def index_of(self, number: int) -> int:
        """Position of the first segment whose number is `number` or above."""
        found = bisect_left(self._shared, number, self._first, self._last, key=_number)
        return found - self._first

    def numbered(self, number: int) -> Segment | None:
        """The segment with exactly this number."""
        index = self.index_of(number)
        if index < len(self) and (found := self[index]).number == number:
            return found
        return None

    def between(self, first: int, last: int) -> "Segments":
        """Those with numbers in [first, last]."""
        return self[self.index_of(first) : self.index_of(last + 1)]

    def without_before(self, number: int) -> "Segments":
        """Those from `number` on; lets go of the trimmed ones once they are the larger part."""
        skipped = self._first + self.index_of(number)
        if skipped > self._last - skipped:
            return Segments(self._shared[skipped : self._last], 0, self._last - skipped)
        return Segments(self._shared, skipped, self._last)


def _number(segment: Segment) -> int:
    return segment.number
