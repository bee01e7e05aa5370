from hypothesis import given
from hypothesis import strategies as st

from packager.manifest.window import Window, rolling
from packager.timeline.model import Timeline
from packager.timeline.records import Record
from packager.timing.ticks import micros_of
from packager.track import TrackKind
from tests.support.strategies import journals
from tests.support.windows import any_window, each, timelines


@given(journals(), st.integers(1, 12))
def test_a_window_is_the_newest_of_the_timeline(records: list[Record], depth: int) -> None:
    for timeline in timelines(records):
        window = rolling(timeline, depth)
        if window is None:
            inside = [
                segment
                for track in timeline.tracks.values()
                for segment in track.segments.between(timeline.edge - depth + 1, timeline.edge)
            ]
            assert timeline.edge < 0 or not inside
            continue
        assert window.last == timeline.edge
        assert window.first > timeline.edge - depth
        assert window.ended == timeline.ended
        for track in window.tracks:
            whole = timeline.tracks[track.latest.id].segments
            assert list(track.segments) == [
                segment
                for segment in whole
                if timeline.edge - depth < segment.number <= timeline.edge
            ]
        used = sorted({segment.period for _, _, segment in each(window)})
        assert list(window.periods) == used


@given(any_window())
def test_the_first_and_the_end(window: Window) -> None:
    assert window.first == min(segment.number for _, _, segment in each(window))
    ends = [micros_of(segment.end, track.timescale) for _, track, segment in each(window)]
    assert window.end == max(ends)
    assert window.published == max(track.segments[-1].published for track in window.tracks)


@given(any_window())
def test_video_precedes_audio(window: Window) -> None:
    kinds = [track.latest.kind for track in window.tracks]
    assert kinds == sorted(kinds, key=[TrackKind.VIDEO, TrackKind.AUDIO].index)


@given(any_window())
def test_the_newest_period(window: Window) -> None:
    assert window.newest == max(segment.period for _, _, segment in each(window))
    for index, period in window.periods.items():
        ids = [track.latest.id for track in window.of_period(index)]
        assert ids == [t.latest.id for t in window.tracks if t.latest.id in period.tracks]


@given(any_window())
def test_rates(window: Window) -> None:
    for track in window.tracks:
        size = sum(segment.size for segment in track.segments)
        ticks = sum(segment.duration for segment in track.segments)
        measured = size * 8 * track.latest.timescale / ticks
        assert measured - 1 <= track.average <= measured * 1.06 + 5
        assert track.bandwidth >= max(track.average, track.peak)


def test_nothing_yet() -> None:
    assert rolling(Timeline(), 5) is None
