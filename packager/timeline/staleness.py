"""The age at which a live edge is not live any more."""

from packager.timeline.model import Timeline
from packager.timing.ticks import MICROS, UtcMicros, micros_of, round_half_up

STALE_SEGMENTS = 8
"""Live manifests are refused if the live edge trails the clock by more segments than this."""


def is_stale(timeline: Timeline, now: UtcMicros) -> bool:
    """Whether the live edge trails `now` too far to be served as live."""
    at = stale_at(timeline)
    return at is not None and now >= at


def stale_at(timeline: Timeline) -> UtcMicros | None:
    """The instant from which the live edge is stale unless it grows; None if it never is stale."""
    if timeline.ended:
        return None
    longest = max((track.longest for track in timeline.tracks.values()), default=0)
    segment = round_half_up(timeline.grid.duration * MICROS)
    return UtcMicros(_live_edge(timeline) + (STALE_SEGMENTS - 1) * segment + max(segment, longest))


def _live_edge(timeline: Timeline) -> UtcMicros:
    """End of the newest listed segment: with rare keyframes it lies far behind its number."""
    ends = [
        micros_of(segment.end, timeline.track(track.id, segment.period).timescale)
        for track in timeline.tracks.values()
        if (segment := track.segments.numbered(timeline.edge)) is not None
    ]
    return max(ends, default=timeline.grid.micros(timeline.edge + 1))
