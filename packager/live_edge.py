"""The live edge: the newest segment that the manifests list."""

from typing import NamedTuple

from packager.ticks import micros_of
from packager.timeline import Timeline


def live_edge(timeline: Timeline) -> int:
    """The newest segment that every live track of the current period has.

    A track is live while it trails the foremost by less than two segments: one that dies alone
    holds the others back no longer than that. Segments are as long as keyframes are far apart, so
    that it is where they lie that tells, not their numbers.
    """
    period = timeline.periods[-1]
    newest = [newest_of(timeline, track_id) for track_id in period.tracks]
    foremost = max(newest, default=Newest(-1, 0, 0))
    leeway = timeline.grid.micros(1) // 2
    live = (each.number for each in newest if each.end > foremost.begin - leeway)
    edge = min(live, default=-1)
    return edge if edge >= period.number else -1


class Newest(NamedTuple):
    """The newest segment of a track in the current period, or where its first will begin."""

    number: int
    begin: int
    """Microseconds since the Unix epoch."""
    end: int


def newest_of(timeline: Timeline, track_id: str) -> Newest:
    """The newest segment of a track of the current period."""
    period, segments = timeline.periods[-1], timeline.tracks[track_id].segments
    if not segments or segments[-1].number < period.number:
        begin = timeline.grid.micros(period.number)
        return Newest(period.number - 1, begin, begin)
    last = segments[-1]
    timescale = timeline.track(track_id, last.period).timescale
    return Newest(last.number, micros_of(last.start, timescale), micros_of(last.end, timescale))
