"""The segments and events that may leave the retention."""

from packager.timeline.model import Timeline, kept

SPARE = 4
"""Segments that are kept after manifests have stopped naming them: caches hold older manifests
for a while. It is also the minimum of a window."""
STAY = 10
"""Segments behind the live edge that are always kept, since viewers are playing them."""


def first_named(timeline: Timeline) -> int:
    """The oldest segment that manifests name, apart from those of pinned events."""
    if not timeline.trimmed:
        return 0
    return max(timeline.trimmed, min(timeline.trimmed + SPARE, timeline.edge - SPARE))


def first_within(timeline: Timeline, limit: int) -> int:
    """The segment number to trim before, so that at most `limit` bytes remain.

    Segments of pinned events count, but are not trimmed.
    """
    first, last = timeline.trimmed, timeline.edge
    while first < last:
        middle = (first + last) // 2
        if _size(timeline, middle) <= limit:
            last = middle
        else:
            first = middle + 1
    return first


def _size(timeline: Timeline, before: int) -> int:
    """Bytes that remain when all before `before` is trimmed."""
    ranges = kept(timeline, before)
    return sum(
        track.segments.between(first, last).size
        for track in timeline.tracks.values()
        for first, last in ranges
    )


def expired_events(timeline: Timeline) -> list[str]:
    """Names of the events that have no segment left, and will have none."""
    return [
        event.name
        for event in timeline.events.values()
        if event.end is not None
        and not event.pinned
        and timeline.grid.ending_before(event.end) < timeline.trimmed
    ]
