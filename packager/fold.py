"""A channel's records, one after the other, make its timeline.

Every prefix of a journal folds to a legal one.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import assert_never

from msgspec.structs import replace

from packager.columns import Chunk, Segment
from packager.errors import JournalError
from packager.live_edge import live_edge
from packager.records import (
    Bundle,
    Carried,
    ChunkAdded,
    Ended,
    EventRemoved,
    EventSet,
    Header,
    Listed,
    Lost,
    Parted,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
    Trimmed,
)
from packager.segments import Segments
from packager.stretches import left_of, parted, parted_by_loss
from packager.ticks import Grid, micros_of, round_half_up
from packager.timeline import FOREVER, Period, Timeline, TrackTimeline, kept
from packager.track import Track


def fold(records: Iterable[Record], onto: Timeline | None = None) -> Timeline:
    """The timeline after all of `records`; `onto` is the one before them, else there is none.

    Raises:
        JournalError: one of them cannot follow.
    """
    return reduce(apply, records, onto or Timeline())


def apply(timeline: Timeline, record: Record) -> Timeline:  # noqa: C901, PLR0911, PLR0912 - one a record
    """The timeline after `record`.

    Raises:
        JournalError: the record cannot follow this timeline.
    """
    match record:
        case ChunkAdded():
            return _chunk_added(timeline, record)
        case SegmentEnded():
            return _segment_ended(timeline, record)
        case Header():
            return _begun(timeline, record)
        case PeriodStarted():
            return _period_started(timeline, record)
        case TrackAdded():
            return _track_added(timeline, record.track)
        case Parted():
            return _stretched(timeline, record)
        case Bundle():
            return _bundled(timeline, record)
        case EventSet():
            return _with_event(timeline, record, {**timeline.events, record.name: record})
        case EventRemoved():
            events = {name: e for name, e in timeline.events.items() if name != record.name}
            return _with_event(timeline, record, events)
        case Trimmed():
            return _trimmed(timeline, record.number)
        case Ended():
            edge = _newest(timeline)
            ended = replace(timeline, ended=True, ended_source=record.source, edge=edge)
            return replace(ended, version=timeline.version + 1)
        case Carried():
            return _carried(timeline, record)
        case Listed():
            return replace(timeline, edge=record.number, version=timeline.version + 1)
        case Lost():
            return _lost(timeline, record)
        case _:
            assert_never(record)


def _begun(timeline: Timeline, record: Header) -> Timeline:
    if timeline.channel:
        msg = f"a second header, of {record.channel}"
        raise JournalError(msg)
    grid = Grid(record.segment_duration)
    return replace(timeline, channel=record.channel, grid=grid)


def _with_event(
    timeline: Timeline, record: EventSet | EventRemoved, events: Mapping[str, EventSet]
) -> Timeline:
    scheduled = timeline.scheduled
    if record.schedule:
        scheduled = {**scheduled, record.name: record.schedule}
    after = replace(timeline, events=events, scheduled=scheduled, version=timeline.version + 1)
    if kept(after, after.trimmed) == kept(timeline, timeline.trimmed):
        return after
    # A window may now reach over what was trimmed.
    return replace(after, retold=timeline.retold + 1)


def _newest(timeline: Timeline) -> int:
    return max((t.last_number for t in timeline.tracks.values()), default=-1)


def _period_started(timeline: Timeline, record: PeriodStarted) -> Timeline:
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
        stretches=record.stretches,
        filler=record.filler,
        part=record.part,
    )
    return replace(
        timeline,
        periods=(*timeline.periods, period),
        edge=_newest(timeline),
        ended=False,
        ended_source="",
        version=timeline.version + 1,
    )


def _track_added(timeline: Timeline, track: Track) -> Timeline:
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


def _chunk_added(timeline: Timeline, record: ChunkAdded) -> Timeline:
    track = timeline.tracks.get(record.track)
    period = timeline.period
    if track is None or period is None or record.track not in period.tracks:
        msg = f"chunk of unknown track {record.track}"
        raise JournalError(msg)
    if track.open and record.number == track.open_number:
        offset = track.open[-1].offset + track.open[-1].size
        chunk = Chunk(record.start, record.duration, offset, record.size)
        after = replace(track, open=(*track.open, chunk))
    else:
        if track.open or record.number <= track.last_number or record.number < period.number:
            msg = f"chunk of segment {record.number} of track {record.track} out of order"
            raise JournalError(msg)
        chunk = Chunk(record.start, record.duration, 0, record.size)
        after = replace(track, open=(chunk,), open_number=record.number, open_period=period.index)
    return replace(timeline, tracks=timeline.with_track(after))


def _segment_ended(timeline: Timeline, record: SegmentEnded) -> Timeline:
    track = timeline.tracks.get(record.track)
    if track is None or not track.open or track.open_number != record.number:
        msg = f"end of segment {record.number} of track {record.track}, which is not open"
        raise JournalError(msg)
    first, last = track.open[0], track.open[-1]
    segment = Segment(
        number=record.number,
        period=track.open_period,
        start=first.start,
        duration=last.start + last.duration - first.start,
        size=last.offset + last.size,
        published=record.at,
    )
    timescale = timeline.track(track.id, track.open_period).timescale
    after = replace(
        track,
        segments=track.segments.plus(segment, track.open),
        open=(),
        open_number=-1,
        longest=max(track.longest, micros_of(segment.duration, timescale)),
        peak=max(track.peak, _peak(segment, timescale, timeline.grid)),
    )
    grown = replace(timeline, tracks=timeline.with_track(after))
    if -1 < track.segments.last_number < segment.number - 1:
        grown = replace(grown, periods=parted(timeline, track.segments[-1], segment, timescale))
    edge = max(timeline.edge, live_edge(grown))
    measured = (after.longest, after.peak) != (track.longest, track.peak)
    if (
        edge == timeline.edge < segment.number
        and not measured
        and grown.periods == timeline.periods
    ):
        return grown
    return replace(grown, edge=edge, version=timeline.version + 1)


def _stretched(timeline: Timeline, record: Parted) -> Timeline:
    period = timeline.period
    if period is None:
        raise JournalError("stretches of no period")
    stretches = (*period.stretches, *record.stretches)
    if any(one.number >= two.number for one, two in pairwise(stretches)):
        raise JournalError(f"stretches of period {period.index} out of order")
    periods = (*timeline.periods[:-1], replace(period, stretches=stretches))
    return replace(timeline, periods=periods, version=timeline.version + 1)


def _bundled(timeline: Timeline, record: Bundle) -> Timeline:
    track = timeline.tracks.get(record.track)
    if track is None or track.open or timeline.period is None:
        msg = f"segments of track {record.track}, which is not there or has one open"
        raise JournalError(msg)
    if record.track not in timeline.period.tracks or record.period != timeline.period.index:
        msg = f"segments of period {record.period}, which is not the current one"
        raise JournalError(msg)
    try:
        segments = track.segments.joined(record.segments, record.period)
    except (ValueError, OverflowError) as error:
        msg = f"segments of track {record.track}: {error}"
        raise JournalError(msg) from error
    after = replace(track, segments=segments)
    return replace(timeline, tracks=timeline.with_track(after), version=timeline.version + 1)


def _lost(timeline: Timeline, record: Lost) -> Timeline:
    track = timeline.tracks.get(record.track)
    if track is None or min(record.number, record.chunks) < 0:
        msg = f"loss of segment {record.number} of track {record.track}, which is not there"
        raise JournalError(msg)
    if record.chunks and track.open_number == record.number:
        after = replace(track, open=track.open[: record.chunks])
    else:
        after = _without(track, record.number)
    return replace(
        timeline,
        tracks=timeline.with_track(after),
        periods=parted_by_loss(timeline, after, record.number),
        version=timeline.version + 1,
        retold=timeline.retold + 1,
    )


def _without(track: TrackTimeline, number: int) -> TrackTimeline:
    lost = max(track.lost, number)
    if track.open_number == number:
        return replace(track, open=(), open_number=-1, lost=lost)
    others = track.segments.only([(0, number - 1), (number + 1, FOREVER)])
    return replace(track, segments=others, lost=lost)


def _peak(segment: Segment, timescale: int, grid: Grid) -> int:
    """Bit/s of a segment; 0 for a stump, whose rate says nothing."""
    seconds = Fraction(segment.duration, timescale)
    return 0 if 2 * seconds < grid.duration else round_half_up(segment.size * 8 / seconds)


def _trimmed(timeline: Timeline, number: int) -> Timeline:
    stays = kept(timeline, number)
    tracks = {
        track.id: replace(track, segments=track.segments.only(stays))
        for track in timeline.tracks.values()
    }
    used = {index for track in tracks.values() for index in track.segments.periods}
    periods = tuple(
        replace(period, stretches=left_of(period, tracks, number))
        for period in timeline.periods
        if period is timeline.periods[-1] or period.index in used
    )
    left = replace(
        timeline,
        tracks=tracks,
        periods=periods,
        trimmed=max(timeline.trimmed, number),
        version=timeline.version + 1,
    )
    return replace(left, periods=_cut_out(left, [first for first, _ in stays[1:]]))


def _cut_out(timeline: Timeline, firsts: list[int]) -> tuple[Period, ...]:
    """The periods, where all right before these numbers may have gone."""
    for first in firsts:
        for track in timeline.tracks.values():
            at = track.segments.index_of(first)
            if not 0 < at < len(track.segments):
                continue
            before, after = track.segments[at - 1], track.segments[at]
            if before.number < after.number - 1:
                timescale = timeline.track(track.id, after.period).timescale
                timeline = replace(timeline, periods=parted(timeline, before, after, timescale))
    return timeline.periods


def _carried(timeline: Timeline, record: Carried) -> Timeline:
    track = timeline.tracks.get(record.track) or TrackTimeline(record.track, Segments())
    after = replace(
        track, longest=max(track.longest, record.longest), peak=max(track.peak, record.peak)
    )
    return replace(timeline, tracks=timeline.with_track(after))
