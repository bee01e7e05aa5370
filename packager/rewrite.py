"""A timeline written down anew, as short as can be."""

from collections.abc import Iterator

from msgspec.structs import replace

from packager.columns import Chunk
from packager.records import (
    Bundle,
    Carried,
    ChunkAdded,
    Ended,
    EventRemoved,
    Header,
    Listed,
    Lost,
    Parted,
    PeriodStarted,
    Record,
    Stretch,
    TrackAdded,
    Trimmed,
)
from packager.ticks import Ticks, UtcMicros
from packager.timeline import Period, Timeline

_MOST_CHUNKS = 1000
_MOST_STRETCHES = 500
"""In one record, whose line has a limit."""


def records_of(timeline: Timeline, version: int, of: str = "") -> Iterator[Record]:
    """The shortest journal (of format `version`) that folds to `timeline`'s content.

    `of` is the place in the journal before up to which that is what it says.
    """
    yield Header(version, timeline.channel, timeline.grid.duration)
    yield from _records_of_events(timeline)
    if timeline.trimmed:
        yield Trimmed(timeline.trimmed)
    for track in timeline.tracks.values():
        yield Carried(track.id, track.longest, track.peak)
    for period in timeline.periods:
        first, *others = _batches(period.stretches)
        yield PeriodStarted(
            period.index, period.number, period.anchor, first, period.filler, period.part
        )
        yield from map(Parted, others)
        for description in period.tracks.values():
            yield TrackAdded(description)
        yield from _records_of_period(timeline, period)
    for track in timeline.tracks.values():
        if track.lost >= 0:
            yield Lost(track.id, track.lost)
    if timeline.ended:
        yield Ended(_last_published(timeline), timeline.ended_source)
    yield Listed(timeline.edge, of)


def _batches(stretches: tuple[Stretch, ...]) -> Iterator[tuple[Stretch, ...]]:
    """One at least."""
    for begin in range(0, max(1, len(stretches)), _MOST_STRETCHES):
        yield stretches[begin : begin + _MOST_STRETCHES]


def _records_of_events(timeline: Timeline) -> Iterator[Record]:
    for name, schedule in timeline.scheduled.items():
        if name not in timeline.events:
            yield EventRemoved(name, schedule)
    for name, event in timeline.events.items():
        yield replace(event, schedule=timeline.scheduled.get(name, ""))


def _records_of_period(timeline: Timeline, period: Period) -> Iterator[Record]:
    for track in timeline.tracks.values():
        for packed in track.segments.of_period(period.index).packed(_MOST_CHUNKS):
            yield Bundle(track.id, period.index, packed)
    for track in timeline.tracks.values():
        if track.open and track.open_period == period.index:
            yield from _records_of_chunks(track.id, track.open_number, track.open)


def _records_of_chunks(track: str, number: int, chunks: tuple[Chunk, ...]) -> Iterator[Record]:
    for chunk in chunks:
        yield ChunkAdded(track, number, Ticks(chunk.start), Ticks(chunk.duration), chunk.size)


def _last_published(timeline: Timeline) -> UtcMicros:
    newest = (t.segments[-1].published for t in timeline.tracks.values() if t.segments)
    return max(newest, default=UtcMicros(0))
