"""Gaps within a period, and the points where its segment numbers continue after them."""

from bisect import bisect_right
from collections.abc import Mapping
from fractions import Fraction

from msgspec.structs import replace

from packager.timeline.model import FOREVER, Period, Timeline, TrackTimeline
from packager.timeline.records import Continuation
from packager.timeline.segment_table import Segment


def with_gap(
    timeline: Timeline, before: Segment, after: Segment, timescale: int
) -> tuple[Period, ...]:
    """The periods, with a continuation at `after` if both segments lie in one period.

    The first track to pass a gap defines the continuation. A track that passes it elsewhere adds
    another one.
    """
    begin = _begin_of(timeline, after, Fraction(after.start, timescale))
    return tuple(
        replace(
            period, continuations=_with_continuation(period.continuations, before, after, begin)
        )
        if before.period == after.period == period.index
        else period
        for period in timeline.periods
    )


def _begin_of(timeline: Timeline, segment: Segment, begin: Fraction) -> Fraction:
    """Start of the segment's number in seconds: a track without the gap may have more of it."""
    begins = [begin]
    for track in timeline.tracks.values():
        chunks = track.open if track.open_number == segment.number else ()
        known = chunks[0] if chunks else track.segments.numbered(segment.number)
        period = track.open_period if chunks else segment.period
        if known is not None and period == segment.period:
            begins.append(Fraction(known.start, timeline.track(track.id, period).timescale))
    return min(begins)


def _with_continuation(
    continuations: tuple[Continuation, ...], before: Segment, after: Segment, begin: Fraction
) -> tuple[Continuation, ...]:
    at = bisect_right(continuations, after.number, key=_first_number)
    if at and continuations[at - 1].number > before.number:
        return continuations
    added = Continuation(after.number, begin)
    return (*continuations[:at], added, *continuations[at:])


def with_loss(timeline: Timeline, track: TrackTimeline, number: int) -> tuple[Period, ...]:
    """The periods after segment `number` of a track was lost; `track` is the state after that."""
    before = timeline.tracks[track.id].segments
    lost = before.numbered(number)
    if lost is None or len(track.segments) == len(before):
        return timeline.periods
    after = replace(timeline, tracks=timeline.with_track(track))
    moved = tuple(
        replace(period, continuations=_moved_by_loss(after, period, number))
        if period.index == lost.period
        else period
        for period in timeline.periods
    )
    at = track.segments.index_of(number)
    if not 0 < at < len(track.segments):
        return moved
    timescale = timeline.track(track.id, lost.period).timescale
    after = replace(after, periods=moved)
    return with_gap(after, track.segments[at - 1], track.segments[at], timescale)


def _moved_by_loss(timeline: Timeline, period: Period, number: int) -> tuple[Continuation, ...]:
    """The continuations of a period: one whose segment no track has any more moves on."""
    known = period.continuations
    at = bisect_right(known, number, key=_first_number) - 1
    if at < 0 or known[at].number != number:
        return known
    is_last = at + 1 == len(known)
    last = FOREVER if is_last else known[at + 1].number - 1
    firsts = [
        Continuation(first.number, Fraction(first.start, period.tracks[track.id].timescale))
        for track in timeline.tracks.values()
        for first in track.segments.of_period(period.index).between(number, last)[:1]
    ]
    if any(first.number == number for first in firsts) or (is_last and not firsts):
        return known
    begins = sorted(firsts, key=_first_number)[:1]
    return (*known[:at], *begins, *known[at + 1 :])


def reaching(
    period: Period, tracks: Mapping[str, TrackTimeline], number: int
) -> tuple[Continuation, ...]:
    """The continuations of a period whose segments reach `number` or the oldest segment left."""
    inside = (track.segments.of_period(period.index) for track in tracks.values())
    oldest = min([number, *(segments[0].number for segments in inside if segments)])
    at = bisect_right(period.continuations, oldest, key=_first_number)
    return period.continuations[max(0, at - 1) :]


def _first_number(continuation: Continuation) -> int:
    return continuation.number
