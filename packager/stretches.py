"""Holes within a period: where its numbers go on after some were left out."""

from bisect import bisect_right
from collections.abc import Mapping
from fractions import Fraction

from msgspec.structs import replace

from packager.columns import Segment
from packager.records import (
    Stretch,
)
from packager.timeline import FOREVER, Period, Timeline, TrackTimeline


def parted(
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


def _with_stretch(
    stretches: tuple[Stretch, ...], before: Segment, after: Segment, begin: Fraction
) -> tuple[Stretch, ...]:
    at = bisect_right(stretches, after.number, key=_first_number)
    if at and stretches[at - 1].number > before.number:
        return stretches
    stretch = Stretch(after.number, begin)
    return (*stretches[:at], stretch, *stretches[at:])


def parted_by_loss(timeline: Timeline, track: TrackTimeline, number: int) -> tuple[Period, ...]:
    """The periods, once `track` has no segment of this number any more."""
    before = timeline.tracks[track.id].segments
    gone = before.numbered(number)
    if gone is None or len(track.segments) == len(before):
        return timeline.periods
    left = replace(timeline, tracks=timeline.with_track(track))
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
    return parted(left, track.segments[at - 1], track.segments[at], timescale)


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


def left_of(
    period: Period, tracks: Mapping[str, TrackTimeline], number: int
) -> tuple[Stretch, ...]:
    """Those of a period that reach segment `number`, or the oldest that is left, or beyond."""
    inside = (track.segments.of_period(period.index) for track in tracks.values())
    oldest = min([number, *(segments[0].number for segments in inside if segments)])
    return period.stretches[max(0, bisect_right(period.stretches, oldest, key=_first_number) - 1) :]


def _first_number(stretch: Stretch) -> int:
    return stretch.number
