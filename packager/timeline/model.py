"""The timeline of a channel: all media that exists, as its journal records it.

A `Timeline` never changes; `packager.timeline.apply` returns the next one.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

import msgspec

from packager.timeline.records import (
    Anchor,
    Continuation,
    EventSet,
)
from packager.timeline.segment_table import Chunk
from packager.timeline.segments import Segments
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS
from packager.track import Track, TrackKind


class Period(msgspec.Struct, frozen=True):
    """An unbroken stretch of the timeline, and its tracks."""

    index: int
    number: int
    """Number of its first segment."""
    anchor: Anchor
    tracks: Mapping[str, Track]
    continuations: tuple[Continuation, ...] = ()
    """The points where its numbers continue after a gap, in order. At most one lies before the
    oldest segment."""
    filler: bool = False
    """Whether its media is the filler that replaces a missing feed."""
    part: int = 0
    """Maximum duration of a chunk in microseconds; 0 if chunks are not served as parts."""


class TrackTimeline(msgspec.Struct, frozen=True):
    """The segments of one track."""

    id: str
    segments: Segments
    open_number: int = -1
    """Number of the segment that the chunks in `open` belong to."""
    open: tuple[Chunk, ...] = ()
    open_period: int = -1
    """Index of that segment's period: a new period may start before the segment is ended."""
    longest: int = 0
    """Duration of the longest segment ever, in microseconds: periods may differ in timescale."""
    peak: int = 0
    """Highest bit/s of all segments ever that lasted at least half a segment."""
    last_lost: int = -1
    """Number of the newest segment that the store has lost; -1 if it has lost none."""

    @property
    def last_number(self) -> int:
        """Number of the newest segment that is complete or lost; -1 before the first."""
        return max(self.segments.last_number, self.last_lost)


class Timeline(msgspec.Struct, frozen=True):
    """All media of one channel."""

    channel: str = ""
    grid: Grid = Grid(Fraction(2))
    periods: tuple[Period, ...] = ()
    """The periods that still have a segment, and the current period."""
    tracks: Mapping[str, TrackTimeline] = msgspec.field(default_factory=dict[str, TrackTimeline])
    edge: int = -1
    """Number of the newest segment that manifests list; -1 before the first."""
    trimmed: int = 0
    """Segments before this number have left the retention, except for those of pinned events."""
    events: Mapping[str, EventSet] = msgspec.field(default_factory=dict[str, EventSet])
    """Events by name."""
    scheduled: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    """By event name: the digest of the schedule's entry when it was last applied."""
    ended: bool = False
    ended_source: str = ""
    """Identity of the source that has ended; empty while a source goes on."""
    version: int = 0
    """Grows with every change that a manifest can show."""
    past_revision: int = 0
    """Grows when the past changes, by a loss or by an event: cached lists of it are stale."""

    @property
    def period(self) -> Period | None:
        """The current period."""
        return self.periods[-1] if self.periods else None

    @property
    def audio_tracks(self) -> list[Track]:
        """The audio tracks of the current period."""
        tracks = self.period.tracks.values() if self.period else ()
        return [track for track in tracks if track.kind is TrackKind.AUDIO]

    def track(self, track_id: str, period: int) -> Track:
        """The description of a track in the period with this index."""
        for candidate in reversed(self.periods):
            if candidate.index == period:
                return candidate.tracks[track_id]
        raise KeyError(period)

    def with_track(self, track: TrackTimeline) -> Mapping[str, TrackTimeline]:
        """The tracks, with `track` in the place of the one with the same id, or after all."""
        return {**self.tracks, track.id: track}

    def latest(self, track_id: str) -> Track | None:
        """The newest description of a track."""
        for period in reversed(self.periods):
            if (track := period.tracks.get(track_id)) is not None:
                return track
        return None

    @property
    def part_target(self) -> Fraction:
        """Maximum duration of a part in seconds; 0 if open segments are not served."""
        current = self.period
        return Fraction(0 if current is None or self.ended else current.part, MICROS)

    @property
    def last_complete(self) -> int:
        """Number of the newest segment of any track that is complete or lost; -1 if none is."""
        return max((track.last_number for track in self.tracks.values()), default=-1)

    @property
    def last_number(self) -> int:
        """Number of the newest segment of any track, complete or not; -1 before the first."""
        numbers = (max(t.last_number, t.open_number) for t in self.tracks.values())
        return max(numbers, default=-1)

    @property
    def last_occupied(self) -> int:
        """Number of the newest cell of the grid that contains media; -1 before the first.

        It is above `last_number` if keyframes are far apart, or one track is ahead.
        """
        numbers = (self._last_occupied_by(track) for track in self.tracks.values())
        begun = self.period.number - 1 if self.period else -1
        return max(self.last_number, begun, *numbers)

    def _last_occupied_by(self, track: TrackTimeline) -> int:
        if not (track.open or track.segments):
            return -1
        end = (
            track.open[-1].start + track.open[-1].duration if track.open else track.segments[-1].end
        )
        period = track.open_period if track.open else track.segments[-1].period
        timescale = self.track(track.id, period).timescale
        # Audio may miss a boundary by half a frame.
        return self.grid.number_at(end - timescale // 40, timescale)


FOREVER = 1 << 62
"""A segment number above all others."""


def kept(timeline: Timeline, before: int) -> list[tuple[int, int]]:
    """First and last numbers of the ranges that remain when all before `before` is trimmed.

    The ranges are those of pinned events, and everything from `before` on. They are in order, and
    do not touch each other.
    """
    grid = timeline.grid
    ranges = [
        (
            grid.number_at_micros(event.start),
            FOREVER if event.end is None else grid.ending_before(event.end),
        )
        for event in timeline.events.values()
        if event.pinned
    ]
    merged: list[tuple[int, int]] = []
    for first, last in sorted([*ranges, (before, FOREVER)]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def leaving(timeline: Timeline, before: int) -> list[tuple[str, int]]:
    """Tracks and numbers of the segments that are removed when all before `before` is trimmed."""
    bounds = pairwise([-1, *(number for pair in kept(timeline, before) for number in pair)])
    return [
        (track.id, segment.number)
        for after, until in list(bounds)[::2]
        for track in timeline.tracks.values()
        for segment in track.segments.between(after + 1, until - 1)
    ]
