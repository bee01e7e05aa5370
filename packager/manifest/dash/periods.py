"""The periods of an MPD: consecutive segments, which `$Number$` can count without a break.

A gap in a period of the timeline starts another period of the MPD.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from packager.manifest.dash.latency_target import LatencyTarget, latency_offset
from packager.manifest.window import Window
from packager.timeline.model import Period
from packager.timeline.records import Continuation
from packager.timeline.segments import Segments
from packager.track import Track, TrackKind

_NEAR = Fraction(1, 40)
"""Seconds that a segment may differ from the grid's in duration: above half a frame of audio."""
_VIDEO_SET, FIRST_AUDIO_SET = 1, 2
"""Ids of adaptation sets; further audio tracks count on."""


@dataclass(frozen=True, slots=True)
class PeriodTrack:
    """The segments of one track in one period."""

    track: Track
    """Its description in this period."""
    segments: Segments
    bandwidth: int
    """Bit/s: the nominal rate, or the measured rate if that is higher."""

    @property
    def numbers(self) -> tuple[int, int]:
        """The first and the last number."""
        return self.segments[0].number, self.segments[-1].number

    @property
    def is_whole(self) -> bool:
        """Whether no number is missing."""
        first, last = self.numbers
        return len(self.segments) == last - first + 1

    @property
    def first_start(self) -> Fraction:
        """Start of the first segment, in seconds since the Unix epoch."""
        return Fraction(self.segments[0].start, self.track.timescale)

    @property
    def last_start(self) -> Fraction:
        """Start of the last segment, in seconds since the Unix epoch."""
        return Fraction(self.segments[-1].start, self.track.timescale)

    @property
    def last_end(self) -> Fraction:
        """End of the last segment, in seconds since the Unix epoch."""
        return Fraction(self.segments[-1].end, self.track.timescale)

    @property
    def last_duration(self) -> Fraction:
        """Seconds of the last segment."""
        return Fraction(self.segments[-1].duration, self.track.timescale)


Tracks = Sequence[PeriodTrack]


@dataclass(frozen=True, slots=True)
class DashPeriod:
    """A period of an MPD."""

    period: Period
    name: str
    number: int
    """Number of its first segment, also once that has left the window."""
    begin: Fraction
    """Start of that segment: media time in seconds since the Unix epoch."""
    offset: Fraction
    """Latency offset: seconds from media time to presentation time."""
    tracks: Tracks
    cell: Fraction | None = None
    """Seconds of a segment if segments are counted; None if each segment is listed."""
    latency: LatencyTarget | None = None
    """Set if its newest segment is available while it grows."""

    @property
    def start(self) -> Fraction:
        """Start in the presentation, in seconds since the Unix epoch."""
        return self.begin + self.offset

    @property
    def end(self) -> Fraction:
        """End of its last segment in the presentation."""
        return max(track.last_end for track in self.tracks) + self.offset

    def can_count(self, cell: Fraction, first: int) -> bool:
        """Whether `$Number$` and the duration of a segment define the place of each segment.

        Segments of a source with a corrected clock are slightly longer or shorter. The standard
        lets them be off by half a segment (ISO/IEC 23009-1 section 7.2.1).

        Args:
            cell: seconds of a segment.
            first: the oldest number that is listed.
        """
        newest = max(track.numbers[1] for track in self.tracks)
        return all(
            track.is_whole
            and track.numbers == (max(self.number, first), newest)
            and abs(track.last_start - self.begin - (newest - self.number) * cell) <= cell / 2
            for track in self.tracks
        )

    def is_even(self, cell: Fraction) -> bool:
        """Whether its last segments are as long as a cell of the grid."""
        return all(abs(track.last_duration - cell) <= _NEAR for track in self.tracks)

    def scale(self, track: Track) -> int:
        """Ticks a second: the track's, or its multiple that has whole ticks per cell."""
        return track.timescale * ((self.cell or 1) * Fraction(track.timescale)).denominator


def periods_of(window: Window, *, from_zero: bool) -> Iterator[DashPeriod]:
    """The periods of a window.

    `from_zero`: the presentation does not use the wall clock, and begins where the window does.
    """
    for period in window.periods.values():
        is_low = window.is_low_latency and period.part > 0 and window.depth is not None
        offset = Fraction(0)
        if is_low and not from_zero:
            offset = latency_offset(period, window.grid)
        tracks = _tracks(window, period)
        for name, opening, stop in _openings(period, window):
            inside = _between(tracks, opening.number, stop - 1)
            if not inside:
                continue
            begin = _begin(window, opening, inside, from_zero=from_zero)
            made = DashPeriod(period, name, opening.number, begin, offset, inside)
            # Counted only while live: Shaka takes the last listed segment for the live edge, also
            # if a counted period follows.
            cell = window.grid.duration
            if is_low and not window.ended and made.can_count(cell, window.first):
                made = replace(made, cell=cell)
            yield made


def _tracks(window: Window, period: Period) -> Tracks:
    """The tracks of a period of the timeline."""
    return [
        PeriodTrack(
            (described := period.tracks[track.latest.id]),
            track.segments.of_period(period.index),
            max(described.bitrate, track.bandwidth),
        )
        for track in window.of_period(period.index)
    ]


def _between(tracks: Tracks, first: int, last: int) -> Tracks:
    """The tracks that have segments in a range, with these segments."""
    inside = [replace(t, segments=t.segments.between(first, last)) for t in tracks]
    return tuple(track for track in inside if track.segments)


def _begin(window: Window, opening: Continuation, tracks: Tracks, *, from_zero: bool) -> Fraction:
    """Media time at the start of a period."""
    if from_zero and opening.number < window.first:
        return min(track.first_start for track in tracks)
    if opening.number < window.since:
        # dash.js takes a period's start for the first instant of the presentation, and stops if
        # that changes. So it stays also when its segments have left the retention.
        return window.since * window.grid.duration
    return opening.begin


def _openings(period: Period, window: Window) -> Iterator[tuple[str, Continuation, int]]:
    """The MPD periods of `period` that the window reaches: id, first segment, number after it."""
    first = Continuation(period.number, period.number * window.grid.duration)
    openings = (first, *period.continuations)
    stops = (*(one.number for one in period.continuations), window.last + 1)
    for opening, stop in zip(openings, stops, strict=True):
        if stop > window.first:
            suffix = "" if opening is first else f"-{opening.number}"
            yield f"p{period.index}{suffix}", opening, stop


def adaptation_sets(period: DashPeriod) -> Iterator[tuple[int, Tracks]]:
    """Adaptation sets with their ids: the renditions are one set, each audio track is another.

    A player chooses among renditions, the viewer among audio tracks.
    """
    if renditions := [item for item in period.tracks if item.track.kind is TrackKind.VIDEO]:
        yield _VIDEO_SET, renditions
    audio = [t.id for t in period.period.tracks.values() if t.kind is TrackKind.AUDIO]
    for item in period.tracks:
        if item.track.kind is TrackKind.AUDIO:
            yield FIRST_AUDIO_SET + audio.index(item.track.id), [item]


def are_aligned(tracks: Tracks) -> bool:
    """Whether segments of one number start together: on the grid, or because all are alike.

    Keyframes of renditions that are passed through may differ.
    """
    return all(t.is_whole for t in tracks) or all(
        (t.numbers, len(t.segments)) == (tracks[0].numbers, len(tracks[0].segments)) for t in tracks
    )
