"""A stretch of the timeline asked for: what one manifest describes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from packager.columns import Chunk, Segment
from packager.device import EVERYTHING, Device
from packager.segments import Segments
from packager.ticks import Grid, UtcMicros, micros_of, round_half_up
from packager.timeline import Period, Timeline, TrackTimeline
from packager.track import Track, TrackKind


@dataclass(frozen=True, slots=True)
class WindowTrack:
    """The part of one track that lies in a window."""

    latest: Track
    """The newest description in the window; that of a segment's own period is
    `Window.track_of`."""
    segments: Segments
    seconds: Fraction
    """Of media: periods may differ in timescale."""
    longest: int
    """Microseconds of the longest segment ever."""
    peak: int
    """Highest bit/s of any segment ever."""

    @property
    def average(self) -> int:
        """Measured bit/s over the window, rounded up to two significant digits and a half.

        Coarse so that a multivariant playlist stays the same bytes for a while.
        """
        octets = self.segments.octets
        return _ceil_rate(round_half_up(octets * 8 / self.seconds)) if self.seconds else 0

    @property
    def bandwidth(self) -> int:
        """The highest measured bit/s of a segment, rounded up; never below the average."""
        return max(_ceil_rate(self.peak), self.average)


def _ceil_rate(rate: int) -> int:
    step = 5 * int("1".ljust(len(str(rate)) - 2, "0"))
    return -(-rate // step) * step


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a track has come: its newest chunk."""

    track: str
    number: int
    """Of the segment that it belongs to."""
    chunk: int


@dataclass(frozen=True, slots=True)
class Tip:
    """What has come of one track after the last segment of a window."""

    target: int
    """Microseconds that no chunk is longer than."""
    number: int
    """The segment that the chunks belong to, or the next one."""
    period: int
    """The period that it lies in; -1 where it has not begun."""
    chunks: tuple[Chunk, ...]
    others: tuple[Reached, ...]
    """How far the other tracks of the newest period have come."""


@dataclass(frozen=True, slots=True)
class Window:
    """Segments `first` to `last` of a channel."""

    channel: str
    grid: Grid
    first: int
    last: int
    depth: int | None
    """Segments that the window may hold; None where it holds all from a certain one on."""
    stays: bool
    """Its first segment stays: the window only grows."""
    ended: bool
    """Nothing will be added."""
    tracks: tuple[WindowTrack, ...]
    """Video, the highest bit rate first; then audio, in the order of the source."""
    periods: Mapping[int, Period]
    """By index, oldest first: those with a segment in the window."""
    current: int
    """The index of the channel's newest period, which may have no segment yet."""
    since: int = 0
    """The segment that it is to begin with, be it there or gone; 0 where that is no matter."""
    tip: Tip | None = None
    """Of the one track that the window is for, where its chunks are listed as they come."""
    device: Device = EVERYTHING
    """Whom it is for."""

    def track_of(self, track_id: str, segment: Segment) -> Track:
        """The description of a track in the period that `segment` lies in."""
        return self.periods[segment.period].tracks[track_id]

    @property
    def is_low(self) -> bool:
        """Whoever it is for is told of what has begun, where latency is low."""
        return self.device.latency == "low"

    def of_period(self, index: int) -> tuple[WindowTrack, ...]:
        """The tracks of the period with this index: another ladder may have had others."""
        known = self.periods[index].tracks
        found = [track for track in self.tracks if track.latest.id in known]
        shown = self.device.chosen(known[track.latest.id] for track in found)
        return tuple(track for track in found if track.latest.id in shown)

    @property
    def newest(self) -> int:
        """The index of the newest period."""
        return max(self.periods)

    @property
    def published(self) -> UtcMicros:
        """When the newest segment became whole."""
        return max(track.segments[-1].published for track in self.tracks)

    @property
    def begin(self) -> UtcMicros:
        """The instant that the oldest segment starts at."""
        return min(
            micros_of(first.start, self.track_of(track.latest.id, first).timescale)
            for track in self.tracks
            for first in track.segments[:1]
        )

    @property
    def end(self) -> UtcMicros:
        """The instant that the newest segment ends at: the live edge."""
        return max(
            micros_of(track.segments[-1].end, self.track_of(track.latest.id, last).timescale)
            for track in self.tracks
            for last in track.segments[-1:]
        )


def rolling(timeline: Timeline, depth: int, oldest: int = 0) -> Window | None:
    """The newest `depth` segments, from `oldest` on; None while nothing is published."""
    first = max(oldest, timeline.edge - depth + 1)
    return _window(timeline, first, timeline.edge, depth, ended=timeline.ended, stays=False)


def begun(timeline: Timeline, track: TrackTimeline) -> tuple[int, tuple[Chunk, ...]]:
    """The number and the chunks of the segment that a track's own playlist goes on with.

    There is none of the chunks yet where it is between two segments.
    """
    last = _whole(timeline, track)
    return (track.open_number, track.open) if track.open_number > last else (last + 1, ())


def _whole(timeline: Timeline, track: TrackTimeline) -> int:
    """The newest segment that a track's own playlist lists: it may be ahead of the others."""
    return max(timeline.edge, track.segments.last_number)


def leading(timeline: Timeline, depth: int, track_id: str, oldest: int = 0) -> Window | None:
    """The newest `depth` segments and what has come after them, for one track.

    It does not wait for the others, as `rolling` does. None while nothing is published.
    """
    track, current = timeline.tracks[track_id], timeline.period
    if current is None or timeline.edge < 0:
        return None
    number, chunks = begun(timeline, track)
    tip = Tip(
        target=current.part,
        number=number,
        period=track.open_period if chunks else -1,
        chunks=chunks,
        others=tuple(
            _reached(other)
            for other in timeline.tracks.values()
            if other.id in current.tracks
            and other.id != track_id
            and (other.segments or other.open)
        ),
    )
    last = _whole(timeline, track)
    first = max(oldest, last - depth + 1)
    window = _window(timeline, first, last, depth, ended=False, stays=False)
    if window is None:
        return None
    used = {*window.periods, tip.period}
    periods = {period.index: period for period in timeline.periods if period.index in used}
    return replace(window, periods=periods, tip=tip)


def limited(window: Window, device: Device) -> Window:
    """What `device` is shown of a window: in each period what it can play of that."""
    window = replace(window, device=device)
    shown = {t.latest.id for index in window.periods for t in window.of_period(index)}
    tip = window.tip
    if tip is not None:
        tip = replace(tip, others=tuple(other for other in tip.others if other.track in shown))
    return replace(
        window,
        tracks=tuple(track for track in window.tracks if track.latest.id in shown),
        tip=tip,
    )


def _reached(track: TrackTimeline) -> Reached:
    if track.open_number > track.segments.last_number:
        return Reached(track.id, track.open_number, len(track.open) - 1)
    newest = len(track.segments) - 1
    return Reached(track.id, track.segments.last_number, len(track.segments.chunks(newest)) - 1)


def stretch(
    timeline: Timeline, first: int, last: int, *, ended: bool, stays: bool, since: int = 0
) -> Window | None:
    """Segments `first` to `last`, as far as they are listed yet; None where none is.

    `ended`: nothing will be added. `stays`: nothing of it is about to leave the retention. `since`:
    the segment that whoever asked wants to begin with, be it there or gone.
    """
    window = _window(timeline, first, min(last, timeline.edge), None, ended=ended, stays=stays)
    return window and replace(window, since=since)


def _window(
    timeline: Timeline, first: int, last: int, depth: int | None, *, ended: bool, stays: bool
) -> Window | None:
    if timeline.edge < 0:
        return None
    tracks = tuple(sorted(_tracks(timeline, first, last), key=_order))
    if not tracks:
        return None
    used = {index for track in tracks for index in track.segments.periods}
    return Window(
        channel=timeline.channel,
        grid=timeline.grid,
        first=min(track.segments[0].number for track in tracks),
        # Of what is over, nobody needs to know for how long nothing has come.
        last=max(track.segments[-1].number for track in tracks) if ended else last,
        depth=depth,
        stays=stays,
        ended=ended,
        tracks=tracks,
        periods={period.index: period for period in timeline.periods if period.index in used},
        current=timeline.periods[-1].index,
    )


def _tracks(timeline: Timeline, first: int, last: int) -> Iterator[WindowTrack]:
    for track in timeline.tracks.values():
        listed = window_track(timeline, track.id, track.segments.between(first, last))
        if listed is not None and listed.segments:
            yield listed


def window_track(timeline: Timeline, track_id: str, segments: Segments) -> WindowTrack | None:
    """These segments of a track; None where no period describes it any more."""
    track, latest = timeline.tracks[track_id], timeline.latest(track_id)
    if segments:
        latest = timeline.track(track_id, segments[-1].period)
    if latest is None:
        return None
    seconds = _seconds(timeline, track_id, segments)
    return WindowTrack(latest, segments, seconds, track.longest, track.peak)


def _seconds(timeline: Timeline, track_id: str, segments: Segments) -> Fraction:
    return sum(
        (
            Fraction(segments.of_period(period.index).ticks, period.tracks[track_id].timescale)
            for period in timeline.periods
            if track_id in period.tracks
        ),
        Fraction(0),
    )


def _order(track: WindowTrack) -> tuple[bool, int, int, str]:
    latest = track.latest
    if latest.kind is TrackKind.AUDIO:
        return True, 0, len(latest.id), latest.id
    return False, -latest.bitrate, 0, latest.id
