"""Windows of made-up timelines, and what the manifests of one say of each segment."""

from collections.abc import Callable, Iterator
from fractions import Fraction

from hypothesis import strategies as st

from packager.records import Record
from packager.ticks import micros_of
from packager.timeline import Segment, Timeline, apply
from packager.track import Track
from packager.window import Window, WindowTrack, rolling
from tests.strategies import journals


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
