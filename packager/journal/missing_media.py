"""Losses by a power failure: media files that are shorter than the journal records.

A kernel writes bytes to disk some time after the program does, and those of different files in any
order. So a journal may name media that the store does not have.
"""

from collections.abc import Iterator, Mapping
from itertools import takewhile

from packager.timeline.model import Timeline, TrackTimeline
from packager.timeline.records import SegmentLost
from packager.timing.ticks import MICROS

_ON_DISK = 300 * MICROS
"""Microseconds after which a segment is on disk: kernels write bytes older than half a minute."""


def at_risk(timeline: Timeline) -> Iterator[tuple[str, int]]:
    """Tracks and numbers of the newest segments, which a power failure may have damaged."""
    tracks = timeline.tracks.values()
    newest = max((t.segments[-1].published for t in tracks if t.segments), default=0)
    for track in tracks:
        for segment in takewhile(
            lambda segment: segment.published >= newest - _ON_DISK, reversed(track.segments)
        ):
            yield track.id, segment.number
        if track.open:
            yield track.id, track.open_number


def losses(timeline: Timeline, sizes: Mapping[tuple[str, int], int]) -> Iterator[SegmentLost]:
    """The losses, given the bytes in the file of each segment at risk.

    A complete segment is lost as a whole: caches may have all of it under its URL. An open segment
    keeps the chunks that are stored.
    """
    for (track_id, number), size in sizes.items():
        track = timeline.tracks[track_id]
        if track.open and number == track.open_number:
            yield from _of_open(track, size)
        elif (segment := track.segments.numbered(number)) is not None and size < segment.size:
            yield SegmentLost(track_id, number)


def _of_open(track: TrackTimeline, size: int) -> Iterator[SegmentLost]:
    left = sum(chunk.offset + chunk.size <= size for chunk in track.open)
    if left < len(track.open):
        yield SegmentLost(track.id, track.open_number, left)


def summary(lost: list[SegmentLost]) -> str:
    """One line on the losses `lost` (at least one)."""
    numbers = [loss.number for loss in lost]
    tracks = ", ".join(dict.fromkeys(loss.track for loss in lost))
    noun = "segment" if len(lost) == 1 else "segments"
    return (
        f"incomplete in the store, as after a power failure: {len(lost)} {noun} of {tracks}, "
        f"numbers {min(numbers)} to {max(numbers)}"
    )
