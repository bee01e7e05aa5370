"""When a live edge is no longer live."""

from packager.ticks import MICROS, UtcMicros, micros_of, round_half_up
from packager.timeline import Timeline

STALE_SEGMENTS = 8
"""A live edge that trails the clock by more is no longer handed out as live."""


def is_stale(timeline: Timeline, now: UtcMicros) -> bool:
    """Whether the live edge trails `now` by more than a viewer may be told is live."""
    at = stale_at(timeline)
    return at is not None and now >= at


def stale_at(timeline: Timeline) -> UtcMicros | None:
    """The instant from which the live edge is stale unless it grows; None if it never is."""
    if timeline.ended:
        return None
    longest = max((track.longest for track in timeline.tracks.values()), default=0)
    segment = round_half_up(timeline.grid.duration * MICROS)
    return UtcMicros(_live_edge(timeline) + (STALE_SEGMENTS - 1) * segment + max(segment, longest))


def _live_edge(timeline: Timeline) -> UtcMicros:
    """Where the newest listed segment ends: with rare keyframes that is far behind its number."""
    ends = [
        micros_of(segment.end, timeline.track(track.id, segment.period).timescale)
        for track in timeline.tracks.values()
        if (segment := track.segments.numbered(timeline.edge)) is not None
    ]
    return max(ends, default=timeline.grid.micros(timeline.edge + 1))
