"""Metrics of a channel's timeline, which are cheap to compute for twelve hours of it."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from packager.timeline.live_edge import newest_of
from packager.timeline.model import FOREVER, Timeline, kept
from packager.timeline.records import Continuation
from packager.timeline.retention import first_named
from packager.timeline.segment_table import Segment
from packager.timing.ticks import MICROS, micros_of, round_half_up


def holes(timeline: Timeline) -> int:
    """Count of the gaps in the segment numbers that manifests name.

    A gap in a single track counts too.
    """
    between = list(_between_periods(timeline))
    count = 0
    for first, last in kept(timeline, first_named(timeline)):
        newest = min(last, timeline.edge)
        oldest = _oldest(timeline, first)
        count += sum(oldest < number <= newest for number in between)
        for period in timeline.periods:
            inside = period.continuations
            count += max(0, _until(inside, newest) - _until(inside, oldest))
    return count


def _between_periods(timeline: Timeline) -> Iterator[int]:
    """First numbers of the periods that start after a gap, or with one."""
    tracks = timeline.tracks
    gap = False
    for period, following in pairwise(timeline.periods):
        first = following.number
        empty, lacks = True, not period.tracks
        for track in period.tracks:
            newest = tracks[track].segments.newest_before(first)
            empty = empty and newest < period.number
            lacks = lacks or newest < first - 1
            if lacks and not empty:
                break
        # A period without a segment continues the gap before it.
        continues = gap and empty
        gap = lacks or not any(
            tracks[track].segments.newest_before(first + 1) == first for track in following.tracks
        )
        if gap and not continues:
            yield first


def _oldest(timeline: Timeline, first: int) -> int:
    """Number of the oldest segment from number `first` on."""
    return min(
        (
            track.segments[at].number
            for track in timeline.tracks.values()
            if (at := track.segments.index_of(first)) < len(track.segments)
        ),
        default=FOREVER,
    )


def _until(continuations: tuple[Continuation, ...], number: int) -> int:
    """Count of the continuations up to segment `number`."""
    return bisect_right(continuations, number, key=lambda one: one.number)


def skew(timeline: Timeline) -> int:
    """Microseconds between the ends of the newest segments of the current period's tracks.

    Tracks end their segments in turn: up to one segment is normal.
    """
    period = timeline.period
    ends = [newest_of(timeline, track).end for track in period.tracks] if period else []
    return max(ends) - min(ends) if ends else 0


def is_late(timeline: Timeline, track: str, segment: Segment) -> bool:
    """Whether a segment was completed later than its period's segments usually are.

    From a period's first keyframe on, media trails the clock by the transmission delay, which
    players expect. They notice half a segment more.
    """
    period = next(p for p in timeline.periods if p.index == segment.period)
    usual = period.anchor.seen - period.anchor.utc
    end = micros_of(segment.end, period.tracks[track].timescale)
    return segment.published - end > usual + round_half_up(timeline.grid.duration * MICROS / 2)
