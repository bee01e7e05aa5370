"""What may leave the retention."""

from packager.timeline import Timeline, kept

SPARE = 4
"""Segments that are kept after manifests have ceased to name them, and that a window holds at
least: caches have such a manifest for a while, and players are at work there."""
STAY = 10
"""Segments behind the live edge that stay whatever happens: viewers are at work there."""


def first_named(timeline: Timeline) -> int:
    """The oldest segment that manifests name, but for those of pinned events."""
    if not timeline.trimmed:
        return 0
    return max(timeline.trimmed, min(timeline.trimmed + SPARE, timeline.edge - SPARE))


def first_within(timeline: Timeline, octets: int) -> int:
    """The oldest segment that stays where all before it go until at most so many bytes are left.

    What pinned events hold counts, but does not go.
    """
    first, last = timeline.trimmed, timeline.edge
    while first < last:
        middle = (first + last) // 2
        if _octets(timeline, middle) <= octets:
            last = middle
        else:
            first = middle + 1
    return first


def _octets(timeline: Timeline, before: int) -> int:
    stays = kept(timeline, before)
    return sum(
        track.segments.between(first, last).octets
        for track in timeline.tracks.values()
        for first, last in stays
    )


def over(timeline: Timeline) -> list[str]:
    """Events of which nothing is left, and nothing will be."""
    return [
        event.name
        for event in timeline.events.values()
        if event.end is not None
        and not event.pinned
        and timeline.grid.ending_before(event.end) < timeline.trimmed
    ]
