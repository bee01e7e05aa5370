"""The shortest journal of a timeline."""

from collections.abc import Iterator

from msgspec.structs import replace

from packager.timeline.model import Period, Timeline
from packager.timeline.records import (
    ChunkAdded,
    Continuation,
    ContinuationsAdded,
    EdgeSet,
    EventRemoved,
    HighWaterMarks,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentBundle,
    SegmentLost,
    SourceEnded,
    TrackAdded,
    Trimmed,
)
from packager.timeline.segment_table import Chunk
from packager.timing.ticks import Ticks, UtcMicros

_MAX_CHUNKS = 1000
_MAX_CONTINUATIONS = 500
"""Maxima of one record, since the length of a line is limited."""


def records_of(timeline: Timeline, version: int, of: str = "") -> Iterator[Record]:
    """The shortest journal of format `version` that folds to the content of `timeline`.

    `of`: the place in the journal before compaction that the timeline is the fold up to.
    """
    yield JournalHeader(version, timeline.channel, timeline.grid.duration)
    yield from _records_of_events(timeline)
    if timeline.trimmed:
        yield Trimmed(timeline.trimmed)
    for track in timeline.tracks.values():
        yield HighWaterMarks(track.id, track.longest, track.peak)
    for period in timeline.periods:
        first, *others = _batches(period.continuations)
        yield PeriodStarted(
            period.index, period.number, period.anchor, first, period.filler, period.part
        )
        yield from map(ContinuationsAdded, others)
        for description in period.tracks.values():
            yield TrackAdded(description)
        yield from _records_of_period(timeline, period)
    for track in timeline.tracks.values():
        if track.last_lost >= 0:
            yield SegmentLost(track.id, track.last_lost)
    if timeline.ended:
        yield SourceEnded(_last_published(timeline), timeline.ended_source)
    yield EdgeSet(timeline.edge, of)


def _batches(
    continuations: tuple[Continuation, ...],
) -> Iterator[tuple[Continuation, ...]]:
    """Slices of `continuations`: at least one, which may be empty."""
    for begin in range(0, max(1, len(continuations)), _MAX_CONTINUATIONS):
        yield continuations[begin : begin + _MAX_CONTINUATIONS]


def _records_of_events(timeline: Timeline) -> Iterator[Record]:
    for name, schedule in timeline.scheduled.items():
        if name not in timeline.events:
            yield EventRemoved(name, schedule)
    for name, event in timeline.events.items():
        yield replace(event, schedule=timeline.scheduled.get(name, ""))


def _records_of_period(timeline: Timeline, period: Period) -> Iterator[Record]:
    for track in timeline.tracks.values():
        for packed in track.segments.of_period(period.index).packed(_MAX_CHUNKS):
            yield SegmentBundle(track.id, period.index, packed)
    for track in timeline.tracks.values():
        if track.open and track.open_period == period.index:
            yield from _records_of_chunks(track.id, track.open_number, track.open)


def _records_of_chunks(track: str, number: int, chunks: tuple[Chunk, ...]) -> Iterator[Record]:
    for chunk in chunks:
        yield ChunkAdded(track, number, Ticks(chunk.start), Ticks(chunk.duration), chunk.size)


def _last_published(timeline: Timeline) -> UtcMicros:
    newest = (t.segments[-1].published for t in timeline.tracks.values() if t.segments)
    return max(newest, default=UtcMicros(0))
