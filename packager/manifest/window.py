"""A window of the timeline: the segments that one manifest describes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from packager.config.devices import EVERYTHING, Device
from packager.timeline.model import Period, Timeline, TrackTimeline
from packager.timeline.segment_table import Chunk, Segment
from packager.timeline.segments import Segments
from packager.timing.grid import Grid
from packager.timing.ticks import UtcMicros, micros_of, round_half_up
from packager.track import Track, TrackKind


@dataclass(frozen=True, slots=True)
class WindowTrack:
    """The segments of one track in a window."""

    latest: Track
    """The newest description in the window; see `Window.track_of` for that of a segment."""
    segments: Segments
    seconds: Fraction
    """Duration of the media: periods may differ in timescale."""
    longest: int
    """Duration of the longest segment ever, in microseconds."""
    peak: int
    """Highest bit/s of all segments ever."""

    @property
    def average(self) -> int:
        """Measured bit/s over the window, rounded up in steps of five at the second digit.

        It is coarse, so that the bytes of a multivariant playlist change seldom.
        """
        size = self.segments.size
        return _ceil_rate(round_half_up(size * 8 / self.seconds)) if self.seconds else 0

    @property
    def bandwidth(self) -> int:
        """The highest measured bit/s of a segment, rounded up; never below the average."""
        return max(_ceil_rate(self.peak), self.average)


def _ceil_rate(rate: int) -> int:
    step = 5 * int("1".ljust(len(str(rate)) - 2, "0"))
    return -(-rate // step) * step


@dataclass(frozen=True, slots=True)
class RenditionReport:
    """The newest chunk of a track."""

    track: str
    number: int
    """Number of its segment."""
    chunk: int


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """The chunks of one track after the last segment of a window."""

    target: int
    """Maximum duration of a chunk, in microseconds."""
    number: int
    """Number of the segment that the chunks belong to, or of the next one."""
    period: int
    """Index of its period; -1 if the segment has no chunk yet."""
    chunks: tuple[Chunk, ...]
    others: tuple[RenditionReport, ...]
    """The newest chunks of the other tracks of the newest period."""


@dataclass(frozen=True, slots=True)
class Window:
    """Segments `first` to `last` of a channel."""

    channel: str
    grid: Grid
    first: int
    last: int
    depth: int | None
    """Maximum count of segments; None if the window starts at a fixed segment."""
    stays: bool
    """Whether its first segment stays in the window: the window only grows."""
    ended: bool
    """Whether no segment will be added."""
    tracks: tuple[WindowTrack, ...]
    """Video with the highest bit rate first, then audio in the order of the source."""
    periods: Mapping[int, Period]
    """The periods with a segment in the window, by index, oldest first."""
    current: int
    """Index of the channel's newest period, which may have no segment yet."""
    since: int = 0
    """Number of its nominal first segment, which may have been trimmed; 0 if not set."""
    open_segment: OpenSegment | None = None
    """For a window of one track: the segment in progress, if its chunks are listed."""
    device: Device = EVERYTHING
    """The device profile of the viewer."""

    def track_of(self, track_id: str, segment: Segment) -> Track:
        """The description of a track in the period that `segment` lies in."""
        return self.periods[segment.period].tracks[track_id]

    @property
    def is_low_latency(self) -> bool:
        """Whether the viewer receives chunks of segments in progress, if the channel has them."""
        return self.device.latency == "low"

    def of_period(self, index: int) -> tuple[WindowTrack, ...]:
        """The tracks of the period with this index: each period may have another ladder."""
        known = self.periods[index].tracks
        found = [track for track in self.tracks if track.latest.id in known]
        shown = self.device.chosen(known[track.latest.id] for track in found)
        return tuple(track for track in found if track.latest.id in shown)

    @property
    def newest(self) -> int:
        """Index of the newest period in the window."""
        return max(self.periods)

    @property
    def published(self) -> UtcMicros:
        """Completion of the newest segment."""
        return max(track.segments[-1].published for track in self.tracks)

    @property
    def begin(self) -> UtcMicros:
        """Start of the oldest segment."""
        return min(
            micros_of(first.start, self.track_of(track.latest.id, first).timescale)
            for track in self.tracks
            for first in track.segments[:1]
        )

    @property
    def end(self) -> UtcMicros:
        """End of the newest segment: the live edge."""
        return max(
            micros_of(track.segments[-1].end, self.track_of(track.latest.id, last).timescale)
            for track in self.tracks
            for last in track.segments[-1:]
        )


def rolling(timeline: Timeline, depth: int, oldest: int = 0) -> Window | None:
    """The newest `depth` segments, from `oldest` on; None if no segment is published."""
    first = max(oldest, timeline.edge - depth + 1)
    return _window(timeline, first, timeline.edge, depth, ended=timeline.ended, stays=False)


def begun(timeline: Timeline, track: TrackTimeline) -> tuple[int, tuple[Chunk, ...]]:
    """Number and chunks of the segment in progress that a track's own playlist lists.

    There are no chunks if the track is between two segments.
    """
    last = _last_listed(timeline, track)
    return (track.open_number, track.open) if track.open_number > last else (last + 1, ())


def _last_listed(timeline: Timeline, track: TrackTimeline) -> int:
    """The newest segment of a track's own playlist: the track may be ahead of the others."""
    return max(timeline.edge, track.segments.last_number)


def leading(timeline: Timeline, depth: int, track_id: str, oldest: int = 0) -> Window | None:
    """The newest `depth` segments of one track, and its segment in progress.

    Unlike `rolling` it does not wait for the other tracks. None if no segment is published.
    """
    track, current = timeline.tracks[track_id], timeline.period
    if current is None or timeline.edge < 0:
        return None
    number, chunks = begun(timeline, track)
    open_segment = OpenSegment(
        target=current.part,
        number=number,
        period=track.open_period if chunks else -1,
        chunks=chunks,
        others=tuple(
            _newest_chunk(other)
            for other in timeline.tracks.values()
            if other.id in current.tracks
            and other.id != track_id
            and (other.segments or other.open)
        ),
    )
    last = _last_listed(timeline, track)
    first = max(oldest, last - depth + 1)
    window = _window(timeline, first, last, depth, ended=False, stays=False)
    if window is None:
        return None
    used = {*window.periods, open_segment.period}
    periods = {period.index: period for period in timeline.periods if period.index in used}
    return replace(window, periods=periods, open_segment=open_segment)


def limited(window: Window, device: Device) -> Window:
    """The part of a window that `device` can play, chosen in each period."""
    window = replace(window, device=device)
    shown = {t.latest.id for index in window.periods for t in window.of_period(index)}
    open_segment = window.open_segment
    if open_segment is not None:
        others = tuple(other for other in open_segment.others if other.track in shown)
        open_segment = replace(open_segment, others=others)
    return replace(
        window,
        tracks=tuple(track for track in window.tracks if track.latest.id in shown),
        open_segment=open_segment,
    )


def _newest_chunk(track: TrackTimeline) -> RenditionReport:
    if track.open_number > track.segments.last_number:
        return RenditionReport(track.id, track.open_number, len(track.open) - 1)
    newest = len(track.segments) - 1
    return RenditionReport(
        track.id, track.segments.last_number, len(track.segments.chunks(newest)) - 1
    )


def stretch(
    timeline: Timeline, first: int, last: int, *, ended: bool, stays: bool, since: int = 0
) -> Window | None:
    """Segments `first` to `last`, as far as they are published; None if none is.

    `ended`: no segment will be added. `stays`: no segment is about to leave the retention. `since`:
    number of the first segment of the viewer's request, which may have been trimmed.
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
        # An ended presentation does not show the gap after its last segment.
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
    """These segments of a track; None if no period describes it any more."""
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
