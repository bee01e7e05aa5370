"""The live edge: the newest segment that the manifests list."""

from typing import NamedTuple

from packager.timeline.model import Timeline
from packager.timing.ticks import micros_of


def live_edge(timeline: Timeline) -> int:
    """Number of the newest segment that every live track of the current period has; -1 if none.

    A track is live while it trails the foremost track by less than two segments. A track that dies
    alone delays the others no longer than that. Segments are as long as the distance of keyframes,
    so that their times count, not their numbers.
    """
    period = timeline.periods[-1]
    newest = [newest_of(timeline, track_id) for track_id in period.tracks]
    foremost = max(newest, default=NewestSegment(-1, 0, 0))
    leeway = timeline.grid.micros(1) // 2
    live = (each.number for each in newest if each.end > foremost.begin - leeway)
    edge = min(live, default=-1)
    return edge if edge >= period.number else -1


class NewestSegment(NamedTuple):
    """The newest segment of a track in the current period, or the start of its first."""

    number: int
    begin: int
    """Microseconds since the Unix epoch."""
    end: int


def newest_of(timeline: Timeline, track_id: str) -> NewestSegment:
    """The newest segment of a track of the current period."""
    period, segments = timeline.periods[-1], timeline.tracks[track_id].segments
    if not segments or segments[-1].number < period.number:
        begin = timeline.grid.micros(period.number)
        return NewestSegment(period.number - 1, begin, begin)
    last = segments[-1]
    timescale = timeline.track(track_id, last.period).timescale
    return NewestSegment(
        last.number, micros_of(last.start, timescale), micros_of(last.end, timescale)
    )
