"""How whole a channel's timeline is: what an operator looks at, cheap for twelve hours of it."""

from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from packager.columns import Segment
from packager.live_edge import newest_of
from packager.records import Stretch
from packager.retention import first_named
from packager.ticks import MICROS, micros_of, round_half_up
from packager.timeline import FOREVER, Timeline, kept


def holes(timeline: Timeline) -> int:
    """Runs of segment numbers that are missing in the middle of what manifests name.

    It is one also where a single track lacks them.
    """
    between = list(_between_periods(timeline))
    count = 0
    for first, last in kept(timeline, first_named(timeline)):
        newest = min(last, timeline.edge)
        oldest = _oldest(timeline, first)
        count += sum(oldest < number <= newest for number in between)
        for period in timeline.periods:
            inside = period.stretches
            count += max(0, _until(inside, newest) - _until(inside, oldest))
    return count


def _between_periods(timeline: Timeline) -> Iterator[int]:
    """First numbers of the periods that begin after a hole, or with one."""
    tracks = timeline.tracks
    hole = False
    for period, following in pairwise(timeline.periods):
        first = following.number
        empty, lacks = True, not period.tracks
        for track in period.tracks:
            newest = tracks[track].segments.newest_before(first)
            empty = empty and newest < period.number
            lacks = lacks or newest < first - 1
            if lacks and not empty:
                break
        # In a period without a segment goes on what was a hole before it.
        goes_on = hole and empty
        hole = lacks or not any(
            tracks[track].segments.newest_before(first + 1) == first for track in following.tracks
        )
        if hole and not goes_on:
            yield first


def _oldest(timeline: Timeline, first: int) -> int:
    """The oldest segment from number `first` on."""
    return min(
        (
            track.segments[at].number
            for track in timeline.tracks.values()
            if (at := track.segments.index_of(first)) < len(track.segments)
        ),
        default=FOREVER,
    )


def _until(stretches: tuple[Stretch, ...], number: int) -> int:
    """How many begin at a number up to this one."""
    return bisect_right(stretches, number, key=lambda stretch: stretch.number)


def skew(timeline: Timeline) -> int:
    """Microseconds between the ends of the newest segments of the current period's tracks.

    Tracks take turns: up to a segment is as it should be.
    """
    period = timeline.period
    ends = [newest_of(timeline, track).end for track in period.tracks] if period else []
    return max(ends) - min(ends) if ends else 0


def is_late(timeline: Timeline, track: str, segment: Segment) -> bool:
    """Whether a segment became whole later than its period's media usually does.

    Media trails the clock from a period's first keyframe on, by what the way to here takes; players
    are used to that. Half a segment more is what they notice.
    """
    period = next(p for p in timeline.periods if p.index == segment.period)
    usual = period.anchor.seen - period.anchor.utc
    end = micros_of(segment.end, period.tracks[track].timescale)
    return segment.published - end > usual + round_half_up(timeline.grid.duration * MICROS / 2)
