"""Copies of segments, as encoders push them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from packager.cmaf.ingest_header import IngestHeader
from packager.cmaf.samples import SampleRun, joined
from packager.timing.ticks import UtcMicros
from packager.track import TrackKind


@dataclass(slots=True, eq=False)
class RedundantFeed:
    """The media that one encoder sends of a track: one long body, or one after another."""

    sender: str
    """Distinguishes encoders, as far as requests allow."""
    is_open: bool = True
    """Whether a request body is in progress."""
    body: int = 0
    """Ticks of media in the newest request body."""
    composition: int | None = None
    """Composition offset of its first keyframe. It is subtracted, so that decode times are
    presentation times there."""
    expected: int | None = None
    """Expected start of its next run, in ticks since the epoch; None at first or after a jump."""
    number: int = -1
    """Number of its newest segment."""
    copy: "SegmentCopy | None" = None
    """Its copy of that segment, while it grows."""


@dataclass(slots=True, eq=False)
class SegmentCopy:
    """One encoder's copy of one segment."""

    number: int
    feed: RedundantFeed
    header: IngestHeader
    begins_whole: bool
    """Whether it starts on the boundary, or right after the same encoder's segment before."""
    begun: UtcMicros
    """Arrival of its first run."""
    grown: UtcMicros
    """Arrival of its newest run."""
    is_needed: bool = True
    whole: UtcMicros | None = None
    """Instant of its completion."""
    runs: list[SampleRun] = field(default_factory=list[SampleRun])
    size: int = 0
    """Bytes."""

    @property
    def start(self) -> int:
        """Ticks since the epoch."""
        return self.runs[0].start

    @property
    def end(self) -> int:
        """Ticks since the epoch."""
        return self.runs[-1].start + self.runs[-1].duration

    @property
    def half(self) -> int:
        """Ticks of half a sample."""
        return self.runs[0].durations[0] // 2


class HeldCopies:
    """The copies of a track that are not published yet, by segment number."""

    def __init__(self) -> None:
        self._copies: dict[int, list[SegmentCopy]] = {}

    @property
    def size(self) -> int:
        """Bytes of all copies."""
        return sum(copy.size for copies in self._copies.values() for copy in copies)

    @property
    def oldest(self) -> int | None:
        """The lowest segment number; None if there is no copy."""
        return min(self._copies, default=None)

    def of(self, number: int) -> list[SegmentCopy]:
        """The copies of a segment."""
        return self._copies.get(number, [])

    def add(self, copy: SegmentCopy) -> None:
        """Hold a copy."""
        self._copies.setdefault(copy.number, []).append(copy)

    def forget(self, number: int) -> None:
        """Drop the copies of a segment; their encoders' further media of it is not needed."""
        for copy in self._copies.pop(number, []):
            copy.is_needed = False
            copy.size = 0

    def forget_up_to(self, last: int) -> None:
        """Drop the copies of all segments up to `last`."""
        for number in [number for number in self._copies if number <= last]:
            self.forget(number)

    def clear(self) -> None:
        """Drop all copies."""
        for number in list(self._copies):
            self.forget(number)


def is_video(header: IngestHeader) -> bool:
    """Whether a header describes a video track."""
    return header.facts.kind is TrackKind.VIDEO


def split_at_keyframes(run: SampleRun) -> Iterator[SampleRun]:
    """`run`, split before each keyframe in it."""
    rest = run
    index = 1
    while index < len(rest.sizes):
        if rest.is_keyframe(index):
            head, rest = rest.split(index)
            yield head
            index = 0
        index += 1
    yield rest


def from_time(runs: list[SampleRun], start: int) -> Iterator[SampleRun]:
    """The samples of `runs` from `start` on, to the nearest sample."""
    for run in runs:
        index = run.samples_before(start)
        if index == 0:
            yield run
        elif index < len(run.sizes):
            yield run.split(index)[1]


def in_chunks(runs: list[SampleRun], length: int) -> Iterator[SampleRun]:
    """`runs`, joined to chunks of at least `length` ticks, except for the last one."""
    together: list[SampleRun] = []
    for run in runs:
        together.append(run)
        if sum(each.duration for each in together) >= length:
            yield joined(together)
            together = []
    if together:
        yield joined(together)
