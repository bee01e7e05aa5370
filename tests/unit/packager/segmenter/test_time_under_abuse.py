"""Time under abuse: the cases of docs/timeline.md, asserted on the three manifests."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.ffmpeg.outputs import timescale_for
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.made_feeds import (
    START,
    FeedTrack,
    Played,
    audio_track,
    begin,
    periods,
    used_numbers,
    video_track,
)
from tests.support.true_time import (
    SKEW,
    ReadManifests,
    Source,
    deliver,
    manifests,
    without,
    worst_skew,
)

D = Fraction(48, 25)
GRID = Grid(D)
AAC = Fraction(1024, 48_000)
RATE = Fraction(25)
LATE = 700_000
"""Microseconds after a boundary at which the feeds begin."""
BASE = UtcMicros(GRID.micros(GRID.number_at_micros(START) + 1) + LATE)
FIRST = GRID.number_at_micros(BASE)
WRAP = Fraction(2**33, 90_000)
HOUR = 3600

few = settings(max_examples=10)
"""A case is minutes of media."""
hows = pytest.mark.parametrize("how", ["encoded", "passed"])
"""Keyframes forced on the grid, or a keyframe in 24 frames, as a feed has them."""


def picture(
    index: int, seconds: int, how: str, *, start: Fraction = Fraction(0), rate: Fraction = RATE
) -> FeedTrack:
    keys = 48 if how == "encoded" else 24
    bitrate = 1_000_000 - index if how == "encoded" else 0
    count = int(seconds * rate)
    return video_track(
        index, rate, range(0, count, keys), count, [keys // 4], start=start, bitrate=bitrate
    )


def sound(seconds: int, how: str, *, start: Fraction = Fraction(0)) -> FeedTrack:
    bitrate = 128_000 if how == "encoded" else 0
    return audio_track(9, int(seconds / AAC), [11], start=start, bitrate=bitrate)


def feed(seconds: int, how: str) -> tuple[FeedTrack, ...]:
    renditions = 2 if how == "encoded" else 1
    return (*(picture(index, seconds, how) for index in range(renditions)), sound(seconds, how))


def checked(played: Played, source: Source) -> ReadManifests:
    """The manifests, after a check of the invariants of every case."""
    used = used_numbers(played)
    assert len(used) == len(set(used)), "a number was used twice"
    for track in played.timeline.tracks.values():
        numbers = [segment.number for segment in track.segments]
        assert numbers == sorted(set(numbers))
    assert worst_skew(played, source) < SKEW
    return manifests(played)


def deliver_all(source: Source, how: str, **options: object) -> Played:
    played = begin(GRID)
    deliver(played, source, BASE, on_grid=how == "encoded", **options)  # type: ignore[arg-type]
    return played


def is_unbroken(found: ReadManifests, last: int, *, missing: tuple[int, ...] = ()) -> None:
    """One period without a gap, except for missing audio."""
    assert found.breaks == []
    assert found.periods == ["p0"]
    for name, playlist in found.hls.items():
        assert playlist.missing == (list(missing) if name == "a9" else [])
        assert playlist.pieces[-1].number == last


# 1. The PTS wraps.


@hows
@few
@given(st.integers(0, 12_000))
def test_a_wrap_that_the_demuxer_has_undone_leaves_no_trace(how: str, before: int) -> None:
    begun = WRAP - Fraction(before, 1000)
    source = Source.stamped(*feed(12, how), off=lambda _: begun)
    played = deliver_all(source, how)
    found = checked(played, source)
    is_unbroken(found, FIRST + 6)
    plain = deliver_all(Source.stamped(*feed(12, how)), how)
    assert found.hls == manifests(plain).hls


@hows
@few
@given(st.integers(3, 8))
def test_a_wrap_that_is_not_undone_is_a_jump(how: str, at: int) -> None:
    source = Source.stamped(
        *feed(16, how), off=lambda true: WRAP - at if true < at else Fraction(-at)
    )
    played = deliver_all(source, how)
    found = checked(played, source)
    assert len(found.breaks) == 1
    is_short_break(found)


def is_short_break(found: ReadManifests) -> None:
    """Of two periods the second begins after a hole of at most two segments, alike in all."""
    (number,) = found.breaks
    assert found.periods == ["p0", "p1"]
    assert found.dash[1].start == number * D
    for playlist in found.hls.values():
        assert number in playlist.numbers
        gaps = [gap for gap in playlist.missing if gap < number]
        assert gaps == list(range(number - len(gaps), number))
        assert len(gaps) <= 2
    for fragments in found.smooth.values():
        starts = [fragment.start for fragment in fragments]
        assert min(abs(start - number * D) for start in starts) < AAC


# 2. The PTS jumps.

jumps = st.one_of(
    st.fractions(Fraction(3, 2), 60, max_denominator=1000),
    st.fractions(-60, Fraction(-3, 2), max_denominator=1000),
    st.fractions(HOUR, 40 * HOUR, max_denominator=10),
    st.fractions(-40 * HOUR, -HOUR, max_denominator=10),
)


@hows
@few
@given(jumps, st.integers(3_000, 9_000))
def test_a_jump_of_seconds_or_hours_begins_a_period(how: str, by: Fraction, at: int) -> None:
    source = Source.stamped(
        *feed(18, how), off=lambda true: by if true >= Fraction(at, 1000) else Fraction(0)
    )
    played = deliver_all(source, how)
    found = checked(played, source)
    assert played.breaks
    is_short_break(found)


@few
@given(st.integers(1, 999), st.integers(3_000, 9_000))
def test_a_slip_forward_of_milliseconds_stays_in_its_period(by: int, at: int) -> None:
    """For a feed that is passed through: encoded feeds have no slips."""
    source = Source.stamped(
        *feed(12, "passed"),
        off=lambda true: Fraction(by if true >= Fraction(at, 1000) else 0, 1000),
    )
    played = deliver_all(source, "passed")
    found = checked(played, source)
    assert found.breaks == []
    assert found.periods == ["p0"]
    assert all(not playlist.missing for playlist in found.hls.values())


@few
@given(st.integers(1, 40), st.integers(3_000, 9_000))
def test_a_slip_back_of_milliseconds_stays_in_its_period(by: int, at: int) -> None:
    """For a feed that is passed through: encoded feeds have no slips."""
    source = Source.stamped(
        *feed(12, "passed"),
        off=lambda true: Fraction(-by if true >= Fraction(at, 1000) else 0, 1000),
    )
    played = deliver_all(source, "passed")
    found = checked(played, source)
    assert found.breaks == []
    assert found.periods == ["p0"]
    assert all(not playlist.missing for playlist in found.hls.values())


# 3. Sound and picture begin two seconds apart.


@hows
def test_audio_that_begins_first_is_left_out_until_video_begins(how: str) -> None:
    video, audio = picture(0, 12, how, start=Fraction(2)), sound(14, how)
    source = Source.stamped(video, audio)
    played = deliver_all(source, how)
    found = checked(played, source)
    (period,) = periods(played)
    assert period.number == GRID.number_at_micros(BASE + 2 * MICROS)
    is_unbroken(found, period.number + 6)
    begun = {name: playlist.media[0] for name, playlist in found.hls.items()}
    assert begun["v0"].start == period.number * D
    assert abs(begun["a9"].start - period.number * D) <= AAC / 2 + Fraction(1, 1000)


@hows
def test_audio_that_begins_later_has_a_gap_before_it(how: str) -> None:
    video, audio = picture(0, 14, how), sound(12, how, start=Fraction(2))
    source = Source.stamped(video, audio)
    played = deliver_all(source, how)
    found = checked(played, source)
    assert found.hls["v0"].missing == []
    assert found.hls["a9"].missing == [FIRST]
    assert abs(found.hls["a9"].media[0].start - (FIRST * D + 2)) <= Fraction(1, 1000)
    assert found.breaks == []
    assert found.periods == ["p0"]
    assert found.dash[0].tracks["a9"][0].number == FIRST + 1
    assert abs(found.smooth["a9"][0].start - (FIRST * D + 2)) <= Fraction(1, 10**7)


# 4. The sound is missing for a while.


@hows
@few
@given(st.integers(2_500, 5_000), st.integers(1_500, 9_000))
def test_missing_audio_is_a_gap_in_audio_alone(how: str, at: int, lasts: int) -> None:
    start, stop = Fraction(at, 1000), Fraction(at + lasts, 1000)
    *video, audio = feed(22, how)
    kept = without(audio, start, stop)
    source = Source.stamped(*video, kept)
    played = deliver_all(source, how)
    found = checked(played, source)
    assert not played.breaks
    assert found.breaks == []
    for name, playlist in found.hls.items():
        if name != "a9":
            assert playlist.missing == []
    gaps = found.hls["a9"].missing
    silent = [
        number
        for number in range(FIRST, FIRST + 11)
        if not any(
            (number * D <= FIRST * D + time < (number + 1) * D)
            for run in kept.runs
            for time in [Fraction(run.start + place * 1024 + 512, 48_000) for place in range(11)]
        )
    ]
    if how == "encoded":
        assert gaps == silent
    else:
        assert set(gaps) <= set(silent)
    # A gap of whole numbers is a period of its own to DASH, whose numbers only count on.
    assert found.periods == (["p0", f"p0-{gaps[-1] + 1}"] if gaps else ["p0"])
    if gaps:
        assert found.dash[1].tracks["v0"][0].number == gaps[-1] + 1
        assert found.dash[1].tracks["a9"][0].number == gaps[-1] + 1


# 5. The source restarts, or goes round.


@hows
@few
@given(st.lists(st.integers(-40 * HOUR, 40 * HOUR), min_size=1, max_size=3), st.integers(0, 4))
def test_a_source_that_restarts_begins_a_period(how: str, origins: list[int], pause: int) -> None:
    played = begin(GRID)
    base = BASE
    for origin in [0, *origins]:
        source = Source.stamped(*feed(8, how), off=lambda _, by=origin: Fraction(by))  # type: ignore[misc]
        deliver(played, source, base, on_grid=how == "encoded")
        base = UtcMicros(max(played.clock.values()) + pause * MICROS)
    found = manifests(played)
    starts = [period.number for period in periods(played)]
    assert found.breaks == starts[1:]
    assert len(starts) == 1 + len(origins)
    assert [f"p{index}" for index in range(len(starts))] == found.periods
    for period, number in zip(found.dash, starts, strict=True):
        assert period.start == number * D
    for playlist in found.hls.values():
        # The missing segments lie before a period, and last as long as the pause and a segment.
        for gap in playlist.missing:
            assert any(number - 2 - pause <= gap < number for number in starts)


# 6. The wall clock is set by an hour.


@hows
@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_wall_clock_that_is_set_leaves_the_period_alone(how: str, step: int) -> None:
    source = Source.stamped(*feed(12, how))
    played = begin(GRID)
    deliver(
        played, source, BASE, on_grid=how == "encoded",
        wall=lambda true: step * MICROS if true > 5 else 0,
    )  # fmt: skip
    found = checked(played, source)
    is_unbroken(found, FIRST + 6)
    plain = deliver_all(source, how)
    assert found.hls == manifests(plain).hls


@hows
def test_a_restart_after_the_clock_was_set_back_does_not_wait_an_hour(how: str) -> None:
    source = Source.stamped(*feed(8, how))
    played = begin(GRID)
    deliver(played, source, BASE, on_grid=how == "encoded")
    reached = played.timeline.last_occupied
    back = UtcMicros(BASE + (10 - HOUR) * MICROS)
    deliver(played, source, back, on_grid=how == "encoded")
    found = manifests(played)
    assert [period.number for period in periods(played)] == [FIRST, reached + 1]
    assert found.breaks == [reached + 1]
    assert all(reached + 4 in playlist.numbers for playlist in found.hls.values())


@hows
def test_a_restart_after_the_clock_was_set_forward_goes_on_where_the_clock_is(how: str) -> None:
    source = Source.stamped(*feed(8, how))
    played = begin(GRID)
    deliver(played, source, BASE, on_grid=how == "encoded")
    ahead = UtcMicros(BASE + (10 + HOUR) * MICROS)
    deliver(played, source, ahead, on_grid=how == "encoded")
    found = manifests(played)
    number = GRID.number_at_micros(ahead)
    assert found.breaks == [number]
    assert found.dash[1].start == number * D
    for playlist in found.hls.values():
        assert playlist.missing[-1] == number - 1
        assert len(playlist.missing) in range(1869, 1880)


# 7. A leap second.


@hows
@few
@given(st.integers(0, 1_919_999), st.sampled_from([-1, 1]), st.integers(1, 9_000))
def test_a_leap_second_leaves_the_period_alone(how: str, late: int, step: int, at: int) -> None:
    base = UtcMicros(BASE - LATE + late)
    source = Source.stamped(*feed(14, how))
    played = begin(GRID)
    deliver(
        played, source, base, on_grid=how == "encoded",
        wall=lambda true: step * MICROS if true > Fraction(at, 1000) else 0,
    )  # fmt: skip
    found = checked(played, source)
    assert not played.breaks
    assert found.breaks == []
    assert all(not playlist.missing for playlist in found.hls.values())


@hows
@few
@given(st.sampled_from([-1, 1]))
def test_a_smeared_second_leaves_the_period_alone(how: str, step: int) -> None:
    source = Source.stamped(*feed(20, how))
    played = begin(GRID)
    deliver(
        played, source, BASE, on_grid=how == "encoded",
        wall=lambda true: int(step * MICROS * min(true, Fraction(20)) / 20),
    )  # fmt: skip
    found = checked(played, source)
    is_unbroken(found, FIRST + 10)


# 8. Frame rates.

RATES = {
    Fraction(24_000, 1001): Fraction(1001, 375),
    Fraction(24): Fraction(8, 3),
    Fraction(25): D,
    Fraction(30_000, 1001): Fraction(1001, 500),
    Fraction(30): Fraction(32, 15),
    Fraction(50): D,
    Fraction(60_000, 1001): Fraction(1001, 500),
    Fraction(60): Fraction(32, 15),
}


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.3f}")
def test_hours_of_every_frame_rate_lie_on_the_grid(rate: Fraction) -> None:
    grid = Grid(RATES[rate])
    frames = int(grid.duration * rate)
    assert frames == grid.duration * rate
    count = frames * int(HOUR / grid.duration)
    video = video_track(0, rate, range(0, count, frames), count, [frames])
    audio = audio_track(9, int(count / rate / AAC), [90], start=-AAC)
    source = Source.stamped(video, audio)
    played = begin(grid)
    base = UtcMicros(grid.micros(grid.number_at_micros(START) + 1) + LATE)
    deliver(played, source, base, on_grid=True)
    found = manifests(played)
    assert found.breaks == []
    assert found.periods == ["p0"]
    begun = {name: playlist.media[0] for name, playlist in found.hls.items()}
    assert begun["v0"].number == begun["a9"].number
    assert all(not playlist.missing for playlist in found.hls.values())
    for piece in found.dash[0].tracks["v0"]:
        assert piece.start == piece.number * grid.duration
        assert piece.duration == grid.duration
    for piece in found.dash[0].tracks["a9"]:
        assert abs(piece.start - piece.number * grid.duration) <= AAC / 2
    assert worst_of_ends(played, source) < SKEW
    assert found.dash[0].tracks["v0"][0].duration * timescale_for(rate) % 1 == 0


def worst_of_ends(played: Played, source: Source) -> Fraction:
    """The skew of the last samples of both, accumulated until then."""
    last = [played.numbers(track.spec.id)[-1] for track in source.true]
    shown = [
        Fraction(track.segments[-1].end, played.timeline.track(name, 0).timescale)
        for name, track in played.timeline.tracks.items()
    ]
    video, audio = source.true
    frame, rate = last[0] + 1, video.spec.frame_rate
    assert rate is not None
    true = [frame / rate, (last[1] + 1) * AAC + Fraction(audio.runs[0].start, 48_000)]
    return abs((shown[1] - true[1]) - (shown[0] - true[0]))


# 9. A rendition that starts late, or dies alone.


def test_a_rendition_that_starts_late_has_gaps_before_it() -> None:
    how = "encoded"
    lead, audio = picture(0, 16, how), sound(16, how)
    late = without(picture(1, 16, how), Fraction(0), Fraction(5))
    source = Source.stamped(lead, late, audio)
    played = deliver_all(source, how)
    found = checked(played, source)
    assert found.breaks == []
    assert found.periods == ["p0"]
    assert found.hls["v0"].missing == found.hls["a9"].missing == []
    assert found.hls["v1"].missing == [FIRST, FIRST + 1, FIRST + 2]
    assert found.dash[0].tracks["v1"][0].number == FIRST + 3
    assert len(found.smooth["video"]) == len(found.hls["v0"].media) - 1


@pytest.mark.parametrize("dies", [0, 1, 2], ids=["lead", "other", "sound"])
def test_a_rendition_that_dies_alone_takes_nothing_with_it(dies: int) -> None:
    how = "encoded"
    tracks = list(feed(20, how))
    tracks[dies] = without(tracks[dies], Fraction(6), Fraction(60))
    source = Source.stamped(*tracks)
    played = deliver_all(source, how)
    found = checked(played, source)
    assert found.breaks == []
    assert found.periods == ["p0"]
    last = FIRST + 10
    for index, track in enumerate(tracks):
        playlist = found.hls[track.spec.id]
        begins = FIRST + 4 if index == dies else last + 1
        assert playlist.missing == list(range(begins, last + 1)), track.spec.id
    if dies == 1:
        assert len(found.smooth["video"]) == 10


def test_a_rendition_that_returns_continues_its_period() -> None:
    how = "encoded"
    for index in (0, 1):
        tracks = list(feed(20, how))
        tracks[index] = without(tracks[index], Fraction(48, 25) * 2, Fraction(48, 25) * 5)
        source = Source.stamped(*tracks)
        played = deliver_all(source, how)
        found = checked(played, source)
        assert found.breaks == []
        for name, playlist in found.hls.items():
            gone = [FIRST + 2, FIRST + 3, FIRST + 4] if name == f"v{index}" else []
            assert playlist.missing == gone, name


def test_video_that_returns_to_a_feed_that_is_passed_through_begins_a_period() -> None:
    """It defines the cuts of audio: one audio segment would last as long as the hole."""
    video, audio = feed(20, "passed")
    source = Source.stamped(without(video, Fraction(5), Fraction(11)), audio)
    played = deliver_all(source, "passed")
    found = checked(played, source)
    assert len(found.breaks) == 1
    assert found.periods == ["p0", "p1"]
    for playlist in found.hls.values():
        assert all(piece.duration < 2 * D for piece in playlist.media)
