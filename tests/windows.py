"""Windows of made-up timelines, and what the manifests of one say of each segment."""

from collections.abc import Callable, Iterator
from fractions import Fraction

from hypothesis import strategies as st
from msgspec.structs import replace

from packager.journal import VERSION
from packager.records import (
    Anchor,
    ChunkAdded,
    Header,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
)
from packager.segments import Segment
from packager.ticks import Grid, Ticks, micros_of
from packager.timeline import Timeline, apply, fold
from packager.track import Track
from packager.window import Window, WindowTrack, rolling
from tests.strategies import described, journals


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
    """The last window of a made-up journal that has one."""
    depth = draw(st.integers(1, 12))
    found = draw(
        journals(calm=calm).map(lambda records: list(windows(records, depth))).filter(bool)
    )
    return found[-1]


rolled = st.tuples(journals(), st.integers(1, 8))
rolled_calmly = st.tuples(journals(calm=True), st.integers(1, 8))


def each(window: Window) -> Iterator[tuple[WindowTrack, Track, Segment]]:
    """Every segment of a window, with its track in its own period."""
    for track in window.tracks:
        for segment in track.segments:
            yield track, window.track_of(track.latest.id, segment), segment


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
"""Of a feed with several: id, language, codec, channels."""


def several_sounds() -> Window:
    """A period of three segments with one rendition and all of `SOUNDS`."""
    grid = Grid(Fraction(2))
    tracks = [described("v0")]
    for name, language, codecs, channels in SOUNDS:
        known = described("a0", bitrate=1000 * len(tracks))
        sound = {"id": name, "language": language, "codecs": codecs, "channels": channels}
        tracks.append(replace(known, **sound))
    anchor = Anchor(Fraction(0), grid.micros(10), grid.micros(10))
    records: list[Record] = [Header(VERSION, "tv", grid.duration), PeriodStarted(0, 10, anchor)]
    records += map(TrackAdded, tracks)
    for number in range(10, 13):
        for track in tracks:
            start, stop = (grid.boundary(n, track.timescale) for n in (number, number + 1))
            records.append(ChunkAdded(track.id, number, start, Ticks(stop - start), 5000))
            records.append(SegmentEnded(track.id, number, grid.micros(number + 1)))
    window = rolling(fold(records), 10)
    assert window is not None
    return window
