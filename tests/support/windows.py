"""Windows of synthetic timelines, and the entries of each segment in their manifests."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import product

from hypothesis import strategies as st
from msgspec.structs import replace

from packager.journal.format import VERSION
from packager.manifest.window import Window, WindowTrack, rolling
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
)
from packager.timeline.segment_table import Segment
from packager.timing.grid import Grid
from packager.timing.ticks import Ticks, UtcMicros, micros_of
from packager.track import Track, TrackKind
from tests.support.strategies import described, journals, journals_with_losses


def timelines(records: list[Record]) -> Iterator[Timeline]:
    """The timeline after each record that may change a manifest."""
    timeline = Timeline()
    for record in records:
        after = apply(timeline, record)
        if after.version != timeline.version:
            yield after
        timeline = after


def windows(records: list[Record], depth: int) -> Iterator[Window]:
    for timeline in timelines(records):
        window = rolling(timeline, depth)
        if window is not None:
            yield window


@st.composite
def any_window(draw: st.DrawFn, *, calm: bool = False) -> Window:
    """The last window of a synthetic journal."""
    depth = draw(st.integers(1, 12))
    found = draw(
        (journals(calm=True) if calm else journals_with_losses())
        .map(lambda records: list(windows(records, depth)))
        .filter(bool)
    )
    return found[-1]


@st.composite
def low_window(draw: st.DrawFn, *, calm: bool = False) -> Window:
    """The last window of a synthetic low-latency journal."""
    depth = draw(st.integers(1, 12))
    drawn = journals(calm=calm, low=True)
    found = draw(drawn.map(lambda records: list(windows(records, depth))).filter(bool))
    return found[-1]


rolled = st.tuples(journals(), st.integers(1, 8))
rolled_calmly = st.tuples(journals(calm=True), st.integers(1, 8))


def each(window: Window) -> Iterator[tuple[WindowTrack, Track, Segment]]:
    """Every segment of a window, with its track in its own period."""
    for track in window.tracks:
        for segment in track.segments:
            yield track, window.track_of(track.latest.id, segment), segment


def current(window: Window, kind: TrackKind, *, held_back: int = 0) -> list[WindowTrack]:
    """Tracks of the newest period with segments; the last `held_back` segments do not count."""
    shown = {t.latest.id: list(t.segments)[: len(t.segments) - held_back] for t in window.tracks}
    newest = max((s.period for segments in shown.values() for s in segments), default=-1)
    return [
        track
        for track in window.tracks
        if track.latest.kind is kind
        and shown[track.latest.id]
        and track.latest.id in window.periods[newest].tracks
    ]


def begin_of(window: Window, track: WindowTrack, segment: Segment) -> int:
    """Microseconds since the epoch."""
    return micros_of(segment.start, window.track_of(track.latest.id, segment).timescale)


def length_of(window: Window, track: WindowTrack, segment: Segment) -> Fraction:
    return Fraction(segment.duration, window.track_of(track.latest.id, segment).timescale)


Check = Callable[[Window], None]


SOUNDS = (
    ("a0", "eng", "mp4a.40.2", 2),
    ("a1", "ger", "mp4a.40.2", 2),
    ("a2", "eng", "ac-3", 6),
    ("a3", "und", "mp4a.40.2", 1),
    ("a10", "und", "mp4a.40.2", 1),
)
"""Audio renditions: id, language, codec, channels."""


def low_latency(*, part: int = 320_000) -> Window:
    """Two periods with a gap between; the newest goes on. Latency offsets: 0.5 s and 1.25 s."""
    tracks = [[described(name, period) for name in ("v0", "v1", "a0")] for period in range(2)]
    return _of_periods(
        [(tracks[0], range(10, 13)), (tracks[1], range(15, 18))],
        grid=Grid(Fraction(48, 25)),
        part=part,
        trails=(500_000, 1_250_000),
    )


def another_ladder(segments: int) -> Window:
    """A period of three segments with v0, v1 and a0; then one of `segments` with v2 and a1."""
    tracks = [[described("v0"), described("v1"), described("a0")]]
    tracks.append([described("v2", 1), described("a1", 1)])
    return _of_periods([(tracks[0], range(10, 13)), (tracks[1], range(13, 13 + segments))])


def several_sounds() -> Window:
    """A period of three segments with one rendition and all of `SOUNDS`."""
    tracks = [described("v0")]
    for name, language, codecs, channels in SOUNDS:
        known = described("a0", bitrate=1000 * len(tracks))
        sound = {"id": name, "language": language, "codecs": codecs, "channels": channels}
        tracks.append(replace(known, **sound))
    return _of_periods([(tracks, range(10, 13))])


def _of_periods(
    periods: list[tuple[list[Track], range]],
    grid: Grid = Grid(Fraction(2)),  # noqa: B008 - it is frozen
    part: int = 0,
    trails: tuple[int, ...] = (0, 0),
) -> Window:
    records: list[Record] = [JournalHeader(VERSION, "tv", grid.duration)]
    for index, (tracks, numbers) in enumerate(periods):
        begin = grid.micros(numbers.start)
        anchor = Anchor(Fraction(0), begin, UtcMicros(begin + trails[index]))
        records.append(PeriodStarted(index, numbers.start, anchor, part=part))
        records += map(TrackAdded, tracks)
        for number, track in product(numbers, tracks):
            start, stop = (grid.boundary(n, track.timescale) for n in (number, number + 1))
            records.append(ChunkAdded(track.id, number, start, Ticks(stop - start), 5000))
            records.append(SegmentEnded(track.id, number, grid.micros(number + 1)))
    window = rolling(fold(records), 10)
    assert window is not None
    return window
