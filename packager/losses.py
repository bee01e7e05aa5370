"""What a power loss took: files that are shorter than the journal says.

Bytes lie in the machine's memory for a while before they are on its disk, and those of different
files get there in any order: a journal may name what its store no longer has.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile

from packager.records import Lost
from packager.ticks import MICROS
from packager.timeline import Timeline, TrackTimeline

_ON_DISK = 300 * MICROS
"""Microseconds after which a segment is safe: kernels write what is older than half a minute."""


def at_risk(timeline: Timeline) -> Iterator[tuple[str, int]]:
    """Tracks and numbers of the segments that a power loss can have hurt: the newest."""
    tracks = timeline.tracks.values()
    newest = max((t.segments[-1].published for t in tracks if t.segments), default=0)
    for track in tracks:
        for segment in takewhile(
            lambda segment: segment.published >= newest - _ON_DISK, reversed(track.segments)
        ):
            yield track.id, segment.number
        if track.open:
            yield track.id, track.open_number


def losses(timeline: Timeline, sizes: Mapping[tuple[str, int], int]) -> Iterator[Lost]:
    """What is to be written down where the files of segments have these sizes, in bytes.

    A whole segment goes as a whole: caches may have all of it under its URL. An open one keeps
    the chunks that are there.
    """
    for (track_id, number), size in sizes.items():
        track = timeline.tracks[track_id]
        if track.open and number == track.open_number:
            yield from _of_open(track, size)
        elif (segment := track.segments.numbered(number)) is not None and size < segment.size:
            yield Lost(track_id, number)


def _of_open(track: TrackTimeline, size: int) -> Iterator[Lost]:
    left = sum(chunk.offset + chunk.size <= size for chunk in track.open)
    if left < len(track.open):
        yield Lost(track.id, track.open_number, left)


def told(lost: list[Lost]) -> str:
    """One line on what was lost, which is not nothing."""
    numbers = [loss.number for loss in lost]
    tracks = ", ".join(dict.fromkeys(loss.track for loss in lost))
    what = "segment" if len(lost) == 1 else "segments"
    return (
        f"not whole in the store, as after a power loss: {len(lost)} {what} of {tracks}, "
        f"numbers {min(numbers)} to {max(numbers)}"
    )
