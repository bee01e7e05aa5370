"""The timeline of a channel as the fold of its journal records.

Every prefix of a journal folds to a legal timeline.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from itertools import pairwise
from typing import assert_never

from msgspec.structs import replace

from packager.errors import JournalError
from packager.timeline.apply_segments import apply_segment_record
from packager.timeline.continuations import reaching, with_gap
from packager.timeline.model import Period, Timeline, TrackTimeline, kept
from packager.timeline.records import (
    ChunkAdded,
    ContinuationsAdded,
    EdgeSet,
    EventRemoved,
    EventSet,
    HighWaterMarks,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentBundle,
    SegmentEnded,
    SegmentLost,
    SourceEnded,
    TrackAdded,
    Trimmed,
)
from packager.timeline.segments import Segments
from packager.timing.grid import Grid
from packager.track import Track


def fold(records: Iterable[Record], onto: Timeline | None = None) -> Timeline:
    """The timeline after all of `records`, which follow `onto` or start a journal.

    Raises:
        JournalError: a record cannot follow the one before it.
    """
    return reduce(apply, records, onto or Timeline())


def apply(timeline: Timeline, record: Record) -> Timeline:
    """The timeline after `record`.

    Raises:
        JournalError: the record cannot follow this timeline.
    """
    match record:
        case ChunkAdded() | SegmentEnded() | SegmentBundle() | SegmentLost():
            return apply_segment_record(timeline, record)
        case PeriodStarted() | TrackAdded() | ContinuationsAdded():
            return _apply_period_record(timeline, record)
        case EventSet() | EventRemoved():
            return _apply_event_record(timeline, record)
        case _:
            return _apply_channel_record(timeline, record)


_ChannelRecord = JournalHeader | Trimmed | SourceEnded | HighWaterMarks | EdgeSet


def _apply_channel_record(timeline: Timeline, record: _ChannelRecord) -> Timeline:
    match record:
        case JournalHeader():
            return _begin(timeline, record)
        case Trimmed():
            return _trim(timeline, record.number)
        case SourceEnded():
            return _end_source(timeline, record)
        case HighWaterMarks():
            return _raise_marks(timeline, record)
        case EdgeSet():
            return replace(timeline, edge=record.number, version=timeline.version + 1)
        case _:
            assert_never(record)


def _begin(timeline: Timeline, record: JournalHeader) -> Timeline:
    if timeline.channel:
        msg = f"a second header, of {record.channel}"
        raise JournalError(msg)
    return replace(timeline, channel=record.channel, grid=Grid(record.segment_duration))


def _end_source(timeline: Timeline, record: SourceEnded) -> Timeline:
    return replace(
        timeline,
        ended=True,
        ended_source=record.source,
        edge=timeline.last_complete,
        version=timeline.version + 1,
    )


def _raise_marks(timeline: Timeline, record: HighWaterMarks) -> Timeline:
    track = timeline.tracks.get(record.track) or TrackTimeline(record.track, Segments())
    after = replace(
        track, longest=max(track.longest, record.longest), peak=max(track.peak, record.peak)
    )
    return replace(timeline, tracks=timeline.with_track(after))


def _apply_event_record(timeline: Timeline, record: EventSet | EventRemoved) -> Timeline:
    scheduled = timeline.scheduled
    if record.schedule:
        scheduled = {**scheduled, record.name: record.schedule}
    after = replace(
        timeline,
        events=_events_after(timeline.events, record),
        scheduled=scheduled,
        version=timeline.version + 1,
    )
    if kept(after, after.trimmed) == kept(timeline, timeline.trimmed):
        return after
    # A window may now reach across segments that were trimmed.
    return replace(after, past_revision=timeline.past_revision + 1)


def _events_after(
    events: Mapping[str, EventSet], record: EventSet | EventRemoved
) -> Mapping[str, EventSet]:
    if isinstance(record, EventSet):
        return {**events, record.name: record}
    return {name: event for name, event in events.items() if name != record.name}


_PeriodRecord = PeriodStarted | TrackAdded | ContinuationsAdded


def _apply_period_record(timeline: Timeline, record: _PeriodRecord) -> Timeline:
    match record:
        case PeriodStarted():
            return _start(timeline, record)
        case TrackAdded():
            return _add_track(timeline, record.track)
        case ContinuationsAdded():
            return _add_continuations(timeline, record)
        case _:
            assert_never(record)


def _start(timeline: Timeline, record: PeriodStarted) -> Timeline:
    last = timeline.periods[-1] if timeline.periods else None
    if last is not None and record.index <= last.index:
        msg = f"period {record.index} after period {last.index}"
        raise JournalError(msg)
    if record.number <= timeline.last_number:
        msg = f"period {record.index} starts at segment {record.number}, which is taken"
        raise JournalError(msg)
    period = Period(
        index=record.index,
        number=record.number,
        anchor=record.anchor,
        tracks={},
        continuations=record.continuations,
        filler=record.filler,
        part=record.part,
    )
    return replace(
        timeline,
        periods=(*timeline.periods, period),
        edge=timeline.last_complete,
        ended=False,
        ended_source="",
        version=timeline.version + 1,
    )


def _add_track(timeline: Timeline, track: Track) -> Timeline:
    current = timeline.period
    if current is None:
        msg = f"track {track.id} before any period"
        raise JournalError(msg)
    period = replace(current, tracks={**current.tracks, track.id: track})
    tracks = timeline.tracks
    if track.id not in tracks:
        tracks = timeline.with_track(TrackTimeline(track.id, Segments()))
    return replace(
        timeline,
        periods=(*timeline.periods[:-1], period),
        tracks=tracks,
        version=timeline.version + 1,
    )


def _add_continuations(timeline: Timeline, record: ContinuationsAdded) -> Timeline:
    period = timeline.period
    if period is None:
        raise JournalError("continuations before any period")
    continuations = (*period.continuations, *record.continuations)
    if any(one.number >= two.number for one, two in pairwise(continuations)):
        raise JournalError(f"continuations of period {period.index} out of order")
    periods = (*timeline.periods[:-1], replace(period, continuations=continuations))
    return replace(timeline, periods=periods, version=timeline.version + 1)


def _trim(timeline: Timeline, number: int) -> Timeline:
    """The timeline without the segments before `number`, except for those of pinned events."""
    ranges = kept(timeline, number)
    tracks = {
        track.id: replace(track, segments=track.segments.only(ranges))
        for track in timeline.tracks.values()
    }
    used = {index for track in tracks.values() for index in track.segments.periods}
    periods = tuple(
        replace(period, continuations=reaching(period, tracks, number))
        for period in timeline.periods
        if period is timeline.periods[-1] or period.index in used
    )
    trimmed = replace(
        timeline,
        tracks=tracks,
        periods=periods,
        trimmed=max(timeline.trimmed, number),
        version=timeline.version + 1,
    )
    return replace(trimmed, periods=_with_gaps(trimmed, [first for first, _ in ranges[1:]]))


def _with_gaps(timeline: Timeline, firsts: list[int]) -> tuple[Period, ...]:
    """The periods, where the segments right before the numbers `firsts` may have been trimmed."""
    for first in firsts:
        for track in timeline.tracks.values():
            at = track.segments.index_of(first)
            if not 0 < at < len(track.segments):
                continue
            before, after = track.segments[at - 1], track.segments[at]
            if before.number < after.number - 1:
                timescale = timeline.track(track.id, after.period).timescale
                timeline = replace(timeline, periods=with_gap(timeline, before, after, timescale))
    return timeline.periods
