"""Video that is encoded beside copied video is cut where the copied video is."""

from dataclasses import replace
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from packager.timing.grid import Grid
from packager.timing.ticks import UtcMicros
from tests.support.made_feeds import (
    START,
    FeedTrack,
    Played,
    audio_track,
    begin,
    in_media_order,
    in_turns,
    play,
    segmenter_for,
    video_track,
)
from tests.support.strategies import bursts

RATE = Fraction(25)
CHUNKS = st.lists(st.integers(1, 40), min_size=1, max_size=4)


@st.composite
def mixed_feeds(draw: st.DrawFn) -> tuple[FeedTrack, ...]:
    """Copied video with keyframes anywhere, two encoded tracks with the same ones, and audio."""
    count = draw(st.integers(30, 300))
    keyframes = [0, *draw(st.lists(st.integers(1, count - 1), max_size=8))]
    start = Fraction(draw(st.integers(0, 1000)), 1000)
    videos = [
        video_track(index, RATE, keyframes, count, draw(CHUNKS), start=start, reorder=reorder)
        for index, reorder in enumerate(draw(st.tuples(*[st.integers(0, 2)] * 3)))
    ]
    copied, *encoded = videos
    followers = (replace(v, spec=replace(v.spec, cuts_as_copied=True)) for v in encoded)
    audio = audio_track(3, int(count / RATE * 48_000 / 1024), draw(CHUNKS), start=start)
    return (copied, *followers, audio)


def starts(played: Played, track: FeedTrack) -> list[tuple[int, int]]:
    """Number and start of each segment of a track."""
    segments = played.timeline.tracks[track.spec.id].segments
    return [(segment.number, segment.start) for segment in segments]


@given(mixed_feeds(), bursts)
def test_all_video_is_cut_at_the_same_keyframes(
    tracks: tuple[FeedTrack, ...], turns: list[tuple[int, int]]
) -> None:
    played = begin(Grid(Fraction(2)))
    play(played, tracks, in_turns(tracks, turns), on_grid=False)
    copied, *encoded, audio = tracks
    assert starts(played, copied)
    for track in encoded:
        assert starts(played, track) == starts(played, copied)
        assert played.numbers(track.spec.id) == played.numbers(copied.spec.id)
    assert {n for n, _ in starts(played, audio)} <= {n for n, _ in starts(played, copied)}


def test_an_encoded_keyframe_of_its_own_is_no_cut() -> None:
    copied = video_track(0, RATE, [0, 70], 140, [10])
    encoded = video_track(1, RATE, [0, 50, 70, 120], 140, [10])
    tracks = (copied, replace(encoded, spec=replace(encoded.spec, cuts_as_copied=True)))
    played = begin(Grid(Fraction(2)))
    play(played, tracks, in_media_order(tracks), on_grid=False)
    assert starts(played, tracks[1]) == starts(played, copied)
    assert len(starts(played, copied)) == 2


def test_a_source_that_leaves_waits_for_the_encoded_video() -> None:
    copied = video_track(0, RATE, [0, 50, 100], 150, [25])
    encoded = video_track(1, RATE, [0, 50, 100], 150, [25])
    tracks = (copied, replace(encoded, spec=replace(encoded.spec, cuts_as_copied=True)))
    played = begin(Grid(Fraction(2)))
    segmenter = segmenter_for(played, tracks, on_grid=False)
    left: list[bool] = []
    for track in tracks:
        for run in track.runs:
            played.take(segmenter.push(track.spec.id, run, UtcMicros(START)))
            number = played.timeline.period.number if played.timeline.period else 0
            segmenter.stop_after(number + 1)
        left.append(segmenter.has_left)
    assert left == [False, True]
    assert starts(played, tracks[1]) == starts(played, copied)
    assert len(starts(played, copied)) == 2
