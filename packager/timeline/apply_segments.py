"""The effect of records on the segments of a timeline."""

from fractions import Fraction
from typing import assert_never

from msgspec.structs import replace

from packager.errors import JournalError
from packager.timeline.continuations import with_gap, with_loss
from packager.timeline.live_edge import live_edge
from packager.timeline.model import FOREVER, Timeline, TrackTimeline
from packager.timeline.records import ChunkAdded, SegmentBundle, SegmentEnded, SegmentLost
from packager.timeline.segment_table import Chunk, Segment
from packager.timing.grid import Grid
from packager.timing.ticks import micros_of, round_half_up

SegmentRecord = ChunkAdded | SegmentEnded | SegmentBundle | SegmentLost


def apply_segment_record(timeline: Timeline, record: SegmentRecord) -> Timeline:
    """The timeline after a record on a segment.

    Raises:
        JournalError: the record cannot follow this timeline.
    """
    match record:
        case ChunkAdded():
            return _add_chunk(timeline, record)
        case SegmentEnded():
            return _end_segment(timeline, record)
        case SegmentBundle():
            return _add_bundle(timeline, record)
        case SegmentLost():
            return _lose_segment(timeline, record)
        case _:
            assert_never(record)


def _add_chunk(timeline: Timeline, record: ChunkAdded) -> Timeline:
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


def _end_segment(timeline: Timeline, record: SegmentEnded) -> Timeline:
    track = timeline.tracks.get(record.track)
    if track is None or not track.open or track.open_number != record.number:
        msg = f"end of segment {record.number} of track {record.track}, which is not open"
        raise JournalError(msg)
    segment = _ended(track, record)
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
        grown = replace(grown, periods=with_gap(timeline, track.segments[-1], segment, timescale))
    edge = max(timeline.edge, live_edge(grown))
    marks_rise = (after.longest, after.peak) != (track.longest, track.peak)
    is_listed = edge != timeline.edge or segment.number <= timeline.edge
    if is_listed or marks_rise or grown.periods != timeline.periods:
        return replace(grown, edge=edge, version=timeline.version + 1)
    return grown


def _ended(track: TrackTimeline, record: SegmentEnded) -> Segment:
    """The segment that the open chunks of a track make."""
    first, last = track.open[0], track.open[-1]
    return Segment(
        number=record.number,
        period=track.open_period,
        start=first.start,
        duration=last.start + last.duration - first.start,
        size=last.offset + last.size,
        published=record.at,
    )


def _peak(segment: Segment, timescale: int, grid: Grid) -> int:
    """Bit/s of a segment; 0 if it is shorter than half a segment, whose rate means nothing."""
    seconds = Fraction(segment.duration, timescale)
    return 0 if 2 * seconds < grid.duration else round_half_up(segment.size * 8 / seconds)


def _add_bundle(timeline: Timeline, record: SegmentBundle) -> Timeline:
    track = timeline.tracks.get(record.track)
    if track is None or track.open or timeline.period is None:
        msg = f"segments of track {record.track}, which is unknown or has an open segment"
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


def _lose_segment(timeline: Timeline, record: SegmentLost) -> Timeline:
    track = timeline.tracks.get(record.track)
    if track is None or min(record.number, record.chunks) < 0:
        msg = f"loss of segment {record.number} of unknown track {record.track}"
        raise JournalError(msg)
    if record.chunks and track.open_number == record.number:
        after = replace(track, open=track.open[: record.chunks])
    else:
        after = _without(track, record.number)
    return replace(
        timeline,
        tracks=timeline.with_track(after),
        periods=with_loss(timeline, after, record.number),
        version=timeline.version + 1,
        past_revision=timeline.past_revision + 1,
    )


def _without(track: TrackTimeline, number: int) -> TrackTimeline:
    last_lost = max(track.last_lost, number)
    if track.open_number == number:
        return replace(track, open=(), open_number=-1, last_lost=last_lost)
    others = track.segments.only([(0, number - 1), (number + 1, FOREVER)])
    return replace(track, segments=others, last_lost=last_lost)
