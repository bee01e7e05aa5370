"""What exists of a channel, as its records tell it.

A `Timeline` never changes; `packager.fold` gives the next one.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise

import msgspec

from packager.columns import Chunk
from packager.records import (
    Anchor,
    EventSet,
    Stretch,
)
from packager.segments import Segments
from packager.ticks import MICROS, Grid
from packager.track import Track, TrackKind


class Period(msgspec.Struct, frozen=True):
    """An unbroken stretch of the timeline and the tracks that it has."""

    index: int
    number: int
    """Its first segment."""
    anchor: Anchor
    tracks: Mapping[str, Track]
    stretches: tuple[Stretch, ...] = ()
    """Where its numbers go on after a hole, in order: one of before the oldest segment at most."""
    filler: bool = False
    """It has nobody's feed."""
    part: int = 0
    """Microseconds that no chunk is longer than; 0 where they are not served one by one."""


class TrackTimeline(msgspec.Struct, frozen=True):
    """The segments of one track."""

    id: str
    segments: Segments
    open_number: int = -1
    """The segment that the chunks in `open` belong to."""
    open: tuple[Chunk, ...] = ()
    open_period: int = -1
    """The period that segment belongs to: a new one may start before it is ended."""
    longest: int = 0
    """Microseconds of the longest segment ever: periods may differ in timescale."""
    peak: int = 0
    """Highest bit/s of any segment ever that was at least half a segment long."""
    lost: int = -1
    """The newest segment that the store lost; -1 where it lost none."""

    @property
    def last_number(self) -> int:
        """The newest segment that was whole or lost; -1 where there is none."""
        return max(self.segments.last_number, self.lost)


class Timeline(msgspec.Struct, frozen=True):
    """Everything that exists of one channel."""

    channel: str = ""
    grid: Grid = Grid(Fraction(2))
    periods: tuple[Period, ...] = ()
    """Those with a segment left, and the current one."""
    tracks: Mapping[str, TrackTimeline] = msgspec.field(default_factory=dict[str, TrackTimeline])
    edge: int = -1
    """The newest segment that the manifests list; -1 where there is none."""
    trimmed: int = 0
    """Segments before this number have left the retention, but for those of pinned events."""
    events: Mapping[str, EventSet] = msgspec.field(default_factory=dict[str, EventSet])
    """By name."""
    scheduled: Mapping[str, str] = msgspec.field(default_factory=dict[str, str])
    """By an event's name: what the schedule had last said of it when it was heeded."""
    ended: bool = False
    ended_source: str = ""
    """What has ended, as its record names it; empty while something goes on."""
    version: int = 0
    """Grows with whatever may change a manifest."""
    retold: int = 0
    """How often something was lost: what was said of the past before is no longer right."""

    @property
    def period(self) -> Period | None:
        """The current period."""
        return self.periods[-1] if self.periods else None

    @property
    def sounds(self) -> list[Track]:
        """The tracks with sound that the current period has."""
        tracks = self.period.tracks.values() if self.period else ()
        return [track for track in tracks if track.kind is TrackKind.AUDIO]

    def track(self, track_id: str, period: int) -> Track:
        """The description of a track in the period with this index."""
        for candidate in reversed(self.periods):
            if candidate.index == period:
                return candidate.tracks[track_id]
        raise KeyError(period)

    def with_track(self, track: TrackTimeline) -> Mapping[str, TrackTimeline]:
        """Its tracks, `track` in the place of that with the same id or after them all."""
        return {**self.tracks, track.id: track}

    def latest(self, track_id: str) -> Track | None:
        """The newest description of a track."""
        for period in reversed(self.periods):
            if (track := period.tracks.get(track_id)) is not None:
                return track
        return None

    @property
    def part_target(self) -> Fraction:
        """Seconds that no part is longer than; 0 where what has begun is not served as it comes."""
        current = self.period
        return Fraction(0 if current is None or self.ended else current.part, MICROS)

    @property
    def last_number(self) -> int:
        """The newest segment of any track, whole or not; -1 where there is none."""
        numbers = (max(t.last_number, t.open_number) for t in self.tracks.values())
        return max(numbers, default=-1)

    @property
    def reached(self) -> int:
        """The newest cell of the grid that any media lies in; -1 where there is none.

        Where keyframes are far apart, or one track is ahead, that is after `last_number`.
        """
        numbers = (self._reached(track) for track in self.tracks.values())
        begun = self.period.number - 1 if self.period else -1
        return max(self.last_number, begun, *numbers)

    def _reached(self, track: TrackTimeline) -> int:
        if not (track.open or track.segments):
            return -1
        end = (
            track.open[-1].start + track.open[-1].duration if track.open else track.segments[-1].end
        )
        period = track.open_period if track.open else track.segments[-1].period
        timescale = self.track(track.id, period).timescale
        # Sound may miss a boundary by half a frame.
        return self.grid.number_at(end - timescale // 40, timescale)


FOREVER = 1 << 62
"""A segment number that is never reached."""


def kept(timeline: Timeline, before: int) -> list[tuple[int, int]]:
    """First and last numbers of what stays when all before `before` leaves the retention.

    In order and apart from each other: what pinned events have, and everything from `before` on.
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
    """Tracks and numbers of the segments that go when all before `before` leaves the retention."""
    stays = kept(timeline, before)
    goes = pairwise([-1, *(number for pair in stays for number in pair)])
    return [
        (track.id, segment.number)
        for after, until in list(goes)[::2]
        for track in timeline.tracks.values()
        for segment in track.segments.between(after + 1, until - 1)
    ]
