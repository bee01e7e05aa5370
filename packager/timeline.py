"""What exists: the fold of a channel's records.

A `Timeline` never changes; `apply` gives the next one. Every prefix of a journal folds to a legal
timeline.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import NamedTuple, assert_never

import msgspec
from msgspec.structs import replace

from packager.errors import JournalError
from packager.records import (
    Anchor,
    Bundle,
    Carried,
    ChunkAdded,
    Ended,
    EventRemoved,
    EventSet,
    Header,
    Listed,
    Lost,
    PeriodStarted,
    Record,
    SegmentEnded,
    Stretch,
    TrackAdded,
    Trimmed,
)
from packager.segments import Chunk, Segment, Segments
from packager.ticks import Grid, micros_of, round_half_up
from packager.track import Track


class Period(msgspec.Struct, frozen=True):
    """An unbroken stretch of the timeline and the tracks that it has."""

    index: int
    number: int
    """Its first segment."""
    anchor: Anchor
    tracks: Mapping[str, Track]
    stretches: tuple[Stretch, ...] = ()
    """Where its numbers go on after a hole, in order: one of before the oldest segment at most."""


class TrackTimeline(msgspec.Struct, frozen=True):
    """The segments of one track."""

    id: str
    segments: Segments
    open_number: int = -1
    """The segment that the chunks in `open` belong to."""
    open: tuple[Chunk, ...] = ()
    open_period: int = -1
    """The period that segment belongs to: a new one may start before it is ended."""
    longest: int = 0
    """Microseconds of the longest segment ever: periods may differ in timescale."""
    peak: int = 0
    """Highest bit/s of any segment ever that was at least half a segment long."""
    lost: int = -1
    """The newest segment that the store lost; -1 where it lost none."""

    @property
    def last_number(self) -> int:
        """The newest segment that was whole or lost; -1 where there is none."""
        return max(self.segments.last_number, self.lost)


class Timeline(msgspec.Struct, frozen=True):
    """Everything that exists of one channel."""

    channel: str = ""
    grid: Grid = Grid(Fraction(2))
    periods: tuple[Period, ...] = ()
    """Those with a segment left, and the current one."""
    tracks: Mapping[str, TrackTimeline] = msgspec.field(default_factory=dict[str, TrackTimeline])
    edge: int = -1
    """The newest segment that the manifests list; -1 where there is none."""
    trimmed: int = 0
    """Segments before this number have left the retention, but for those of pinned events."""
    events: Mapping[str, EventSet] = msgspec.field(default_factory=dict[str, EventSet])
    """By name."""
    scheduled: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    """By an event's name: what the schedule had last said of it when it was heeded."""
    ended: bool = False
    ended_source: str = ""
    """What has ended, as its record names it; empty while something goes on."""
    version: int = 0
    """Grows with whatever may change a manifest."""
    retold: int = 0
    """How often something was lost: what was said of the past before is no longer right."""

    @property
    def period(self) -> Period | None:
        """The current period."""
        return self.periods[-1] if self.periods else None

    def track(self, track_id: str, period: int) -> Track:
        """The description of a track in the period with this index."""
        for candidate in reversed(self.periods):
            if candidate.index == period:
                return candidate.tracks[track_id]
        raise KeyError(period)

    def latest(self, track_id: str) -> Track | None:
        """The newest description of a track."""
        for period in reversed(self.periods):
            if (track := period.tracks.get(track_id)) is not None:
                return track
        return None

    @property
    def last_number(self) -> int:
        """The newest segment of any track, whole or not; -1 where there is none."""
        numbers = (max(t.last_number, t.open_number) for t in self.tracks.values())
        return max(numbers, default=-1)

    @property
    def reached(self) -> int:
        """The newest cell of the grid that any media lies in; -1 where there is none.

        Where keyframes are far apart, or one track is ahead, that is after `last_number`.
        """
        numbers = (self._reached(track) for track in self.tracks.values())
        begun = self.period.number - 1 if self.period else -1
        return max(self.last_number, begun, *numbers)

    def _reached(self, track: TrackTimeline) -> int:
        if not (track.open or track.segments):
            return -1
        end = (
            track.open[-1].start + track.open[-1].duration if track.open else track.segments[-1].end
        )
        period = track.open_period if track.open else track.segments[-1].period
        timescale = self.track(track.id, period).timescale
        # Sound may miss a boundary by half a frame.
        return self.grid.number_at(end - timescale // 40, timescale)


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
    return replace(timeline, events=events, scheduled=scheduled, version=timeline.version + 1)


def _newest(timeline: Timeline) -> int:
    return max((t.last_number for t in timeline.tracks.values()), default=-1)


def _with_track(timeline: Timeline, track: TrackTimeline) -> Mapping[str, TrackTimeline]:
    return {**timeline.tracks, track.id: track}


def _period_started(timeline: Timeline, record: PeriodStarted) -> Timeline:
    last = timeline.periods[-1] if timeline.periods else None
    if last is not None and record.index <= last.index:
        msg = f"period {record.index} after period {last.index}"
        raise JournalError(msg)
    if record.number <= timeline.last_number:
        msg = f"period {record.index} starts at segment {record.number}, which is taken"
        raise JournalError(msg)
    period = Period(record.index, record.number, record.anchor, {}, record.stretches)
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
        tracks = _with_track(timeline, TrackTimeline(track.id, Segments()))
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
    return replace(timeline, tracks=_with_track(timeline, after))


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
    grown = replace(timeline, tracks=_with_track(timeline, after))
    if -1 < track.segments.last_number < segment.number - 1:
        grown = replace(grown, periods=_parted(timeline, track.segments[-1], segment, timescale))
    edge = max(timeline.edge, _edge(grown))
    measured = (after.longest, after.peak) != (track.longest, track.peak)
    if (
        edge == timeline.edge < segment.number
        and not measured
        and grown.periods == timeline.periods
    ):
        return grown
    return replace(grown, edge=edge, version=timeline.version + 1)


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
    return replace(timeline, tracks=_with_track(timeline, after), version=timeline.version + 1)


def _begin_of(timeline: Timeline, segment: Segment, begin: Fraction) -> Fraction:
    """Where its number begins, in seconds: a track that was not away may have more of it."""
    begins = [begin]
    for track in timeline.tracks.values():
        there = track.open if track.open_number == segment.number else ()
        known = there[0] if there else track.segments.numbered(segment.number)
        period = track.open_period if there else segment.period
        if known is not None and period == segment.period:
            begins.append(Fraction(known.start, timeline.track(track.id, period).timescale))
    return min(begins)


def _parted(
    timeline: Timeline, before: Segment, after: Segment, timescale: int
) -> tuple[Period, ...]:
    """The periods, if there is a hole within one, with where its numbers go on.

    The first track to pass a hole says where; if the others pass it elsewhere, each says so.
    """
    begin = _begin_of(timeline, after, Fraction(after.start, timescale))
    return tuple(
        replace(period, stretches=_with_stretch(period.stretches, before, after, begin))
        if before.period == after.period == period.index
        else period
        for period in timeline.periods
    )


def _with_stretch(
    stretches: tuple[Stretch, ...], before: Segment, after: Segment, begin: Fraction
) -> tuple[Stretch, ...]:
    at = bisect_right(stretches, after.number, key=_first_number)
    if at and stretches[at - 1].number > before.number:
        return stretches
    stretch = Stretch(after.number, begin)
    return (*stretches[:at], stretch, *stretches[at:])


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
        tracks=_with_track(timeline, after),
        periods=_parted_by_loss(timeline, after, record.number),
        version=timeline.version + 1,
        retold=timeline.retold + 1,
    )


def _without(track: TrackTimeline, number: int) -> TrackTimeline:
    lost = max(track.lost, number)
    if track.open_number == number:
        return replace(track, open=(), open_number=-1, lost=lost)
    others = track.segments.only([(0, number - 1), (number + 1, FOREVER)])
    return replace(track, segments=others, lost=lost)


def _parted_by_loss(timeline: Timeline, track: TrackTimeline, number: int) -> tuple[Period, ...]:
    """The periods, once `track` has no segment of this number any more."""
    before = timeline.tracks[track.id].segments
    gone = before.numbered(number)
    if gone is None or len(track.segments) == len(before):
        return timeline.periods
    left = replace(timeline, tracks=_with_track(timeline, track))
    moved = tuple(
        replace(period, stretches=_begun_by_others(left, period, number))
        if period.index == gone.period
        else period
        for period in timeline.periods
    )
    at = track.segments.index_of(number)
    if not 0 < at < len(track.segments):
        return moved
    timescale = timeline.track(track.id, gone.period).timescale
    left = replace(left, periods=moved)
    return _parted(left, track.segments[at - 1], track.segments[at], timescale)


def _begun_by_others(timeline: Timeline, period: Period, number: int) -> tuple[Stretch, ...]:
    """The stretches of a period: one that began with a segment that no track has begins later."""
    known = period.stretches
    at = bisect_right(known, number, key=_first_number) - 1
    if at < 0 or known[at].number != number:
        return known
    is_last = at + 1 == len(known)
    last = FOREVER if is_last else known[at + 1].number - 1
    firsts = [
        Stretch(first.number, Fraction(first.start, period.tracks[track.id].timescale))
        for track in timeline.tracks.values()
        for first in track.segments.of_period(period.index).between(number, last)[:1]
    ]
    if any(first.number == number for first in firsts) or (is_last and not firsts):
        return known
    begins = sorted(firsts, key=_first_number)[:1]
    return (*known[:at], *begins, *known[at + 1 :])


def _first_number(stretch: Stretch) -> int:
    return stretch.number


def _peak(segment: Segment, timescale: int, grid: Grid) -> int:
    """Bit/s of a segment; 0 for a stump, whose rate says nothing."""
    seconds = Fraction(segment.duration, timescale)
    return 0 if 2 * seconds < grid.duration else round_half_up(segment.size * 8 / seconds)


def _edge(timeline: Timeline) -> int:
    """The newest segment that every live track of the current period has.

    A track is live while it trails the foremost by less than two segments: one that dies alone
    holds the others back no longer than that. Segments are as long as keyframes are far apart, so
    that it is where they lie that tells, not their numbers.
    """
    period = timeline.periods[-1]
    newest = [_newest_of(timeline, track_id) for track_id in period.tracks]
    foremost = max(newest, default=_Newest(-1, 0, 0))
    leeway = timeline.grid.micros(1) // 2
    live = (each.number for each in newest if each.end > foremost.begin - leeway)
    edge = min(live, default=-1)
    return edge if edge >= period.number else -1


class _Newest(NamedTuple):
    """The newest segment of a track in the current period, or where its first will begin."""

    number: int
    begin: int
    """Microseconds since the Unix epoch."""
    end: int


def _newest_of(timeline: Timeline, track_id: str) -> _Newest:
    period, segments = timeline.periods[-1], timeline.tracks[track_id].segments
    if not segments or segments[-1].number < period.number:
        begin = timeline.grid.micros(period.number)
        return _Newest(period.number - 1, begin, begin)
    last = segments[-1]
    timescale = timeline.track(track_id, last.period).timescale
    return _Newest(last.number, micros_of(last.start, timescale), micros_of(last.end, timescale))


FOREVER = 1 << 62
"""A segment number that is never reached."""


def kept(timeline: Timeline, before: int) -> list[tuple[int, int]]:
    """First and last numbers of what stays when all before `before` leaves the retention.

    In order and apart from each other: what pinned events have, and everything from `before` on.
    """
    grid = timeline.grid
    ranges = [
        (
            grid.number_at_micros(event.start),
            FOREVER if event.end is None else grid.ending_before(event.end),
        )
        for event in timeline.events.values()
        if event.pinned
    ]
    merged: list[tuple[int, int]] = []
    for first, last in sorted([*ranges, (before, FOREVER)]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def leaving(timeline: Timeline, before: int) -> list[tuple[str, int]]:
    """Tracks and numbers of the segments that go when all before `before` leaves the retention."""
    stays = kept(timeline, before)
    goes = pairwise([-1, *(number for pair in stays for number in pair)])
    return [
        (track.id, segment.number)
        for after, until in list(goes)[::2]
        for track in timeline.tracks.values()
        for segment in track.segments.between(after + 1, until - 1)
    ]


def _trimmed(timeline: Timeline, number: int) -> Timeline:
    stays = kept(timeline, number)
    tracks = {
        track.id: replace(track, segments=track.segments.only(stays))
        for track in timeline.tracks.values()
    }
    used = {index for track in tracks.values() for index in track.segments.periods}
    periods = tuple(
        replace(period, stretches=_stretches_left(period, tracks, number))
        for period in timeline.periods
        if period is timeline.periods[-1] or period.index in used
    )
    return replace(
        timeline,
        tracks=tracks,
        periods=periods,
        trimmed=max(timeline.trimmed, number),
        version=timeline.version + 1,
    )


def _stretches_left(
    period: Period, tracks: Mapping[str, TrackTimeline], number: int
) -> tuple[Stretch, ...]:
    """Those of a period that reach segment `number`, or the oldest that is left, or beyond."""
    inside = (track.segments.of_period(period.index) for track in tracks.values())
    oldest = min([number, *(segments[0].number for segments in inside if segments)])
    return period.stretches[max(0, bisect_right(period.stretches, oldest, key=_first_number) - 1) :]


def _carried(timeline: Timeline, record: Carried) -> Timeline:
    track = timeline.tracks.get(record.track) or TrackTimeline(record.track, Segments())
    after = replace(
        track, longest=max(track.longest, record.longest), peak=max(track.peak, record.peak)
    )
    return replace(timeline, tracks=_with_track(timeline, after))
