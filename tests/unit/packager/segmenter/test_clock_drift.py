"""Source clocks that are fast or slow, for simulated days."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.samples import DELTA_FLAGS, SYNC_FLAGS, SampleRun
from packager.segmenter.actions import Action, EndPeriod, StoreChunk, WriteRecord
from packager.segmenter.clock_drift import ClockDrift
from packager.segmenter.config import SegmenterConfig
from packager.segmenter.segmenter import Segmenter
from packager.segmenter.time_correction import TimeCorrection
from packager.timeline.records import PeriodStarted, SegmentEnded
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros, round_half_up
from packager.track import TrackKind, TrackSpec
from tests.support.made_feeds import START, audio_facts, video_facts

GRID = Grid(Fraction(48, 25))
TIMESCALE, SOUND = 12_800, 48_000
HOUR = 3600
MINUTE = 60 * MICROS


@dataclass
class Heard:
    """The output of a segmenter for a source whose samples are one byte each."""

    chunks: dict[str, list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    """By track: samples before it, where it starts, where it ends."""
    samples: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    periods: int = 0
    broken: list[str] = field(default_factory=list)

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case StoreChunk(record, parts):
                    before = self.samples[record.track]
                    chunk = (before, record.start, record.start + record.duration)
                    self.chunks[record.track].append(chunk)
                    self.samples[record.track] += len(parts[-1])
                case WriteRecord(PeriodStarted()):
                    self.periods += 1
                case WriteRecord(SegmentEnded(track, number)):
                    self.numbers[track].append(number)
                case EndPeriod(reason):
                    self.broken.append(reason)
                case _:
                    pass


def group(start: int, count: int, duration: int) -> SampleRun:
    flags = [SYNC_FLAGS] + [DELTA_FLAGS] * (count - 1)
    return SampleRun(start, [duration] * count, [1] * count, flags, [0] * count, bytes(count))


def heard(seconds: int, slow: int, *, on_grid: bool, late: int = 30_000) -> Heard:
    """The output for a source whose second lasts `slow` parts per million longer.

    It is up to `late` microseconds late.
    """
    specs = [
        TrackSpec("v0", TrackKind.VIDEO, 1_000_000, Fraction(25), copied=not on_grid),
        TrackSpec("a0", TrackKind.AUDIO, 128_000, copied=not on_grid),
    ]
    segmenter = Segmenter(
        SegmenterConfig(
            grid=GRID, specs=specs, keyframes_on_grid=on_grid, last_number=-1, next_period=0
        )
    )
    published, random = Heard(), Random(slow)
    published.take(list(segmenter.init("v0", video_facts(TIMESCALE), "0" * 8)))
    published.take(list(segmenter.init("a0", audio_facts(), "0" * 8)))
    for index in range(int(seconds / GRID.duration)):
        true = (index + 1) * GRID.duration * (MICROS + slow)
        for track, run in (
            ("v0", group(index * 24_576, 48, 512)),
            ("a0", group(index * 92_160, 90, 1024)),
        ):
            now = UtcMicros(START + round_half_up(true) + random.randrange(late))
            published.take(list(segmenter.push(track, run, now)))
            published.take(list(segmenter.keep_pace(now)))
    published.take(list(segmenter.flush(now)))
    return published


def offsets(published: Heard, track: str) -> list[tuple[Fraction, Fraction]]:
    """Seconds of source time, and how much later than that it is published as."""
    length, scale = (
        (Fraction(1, 25), TIMESCALE) if track == "v0" else (Fraction(1024, SOUND), SOUND)
    )
    return [
        (samples * length, Fraction(start, scale) - samples * length)
        for samples, start, _ in published.chunks[track]
    ]


@pytest.mark.parametrize(
    ("slow", "on_grid", "hours"),
    [
        (200, False, 3),
        pytest.param(-200, False, 8, marks=pytest.mark.extended),
        pytest.param(200, True, 8, marks=pytest.mark.extended),
        (-200, True, 3),
        (20, False, 3),
    ],
)
def test_a_clock_that_is_off_is_followed_for_hours(slow: int, hours: int, *, on_grid: bool) -> None:
    published = heard(hours * HOUR, slow, on_grid=on_grid)
    assert published.broken == []
    assert published.periods == 1
    picture, sound = offsets(published, "v0"), offsets(published, "a0")
    begin = picture[0][1]
    for time, offset in picture:
        drifted = offset - begin - time * slow / MICROS
        most = Fraction(1, 4) if time < HOUR else Fraction(1, 20)
        assert abs(drifted) < most, f"{float(drifted)} s at {float(time)} s"
    times = [time for time, _ in picture]
    for time, offset in sound:
        beside = picture[bisect_right(times, time) - 1]
        assert abs(offset - beside[1]) < Fraction(2, 1000), float(time)
    # Every sample is published, and nothing overlaps or is torn apart.
    for track in ("v0", "a0"):
        assert all(before[2] == after[1] for before, after in pairwise(published.chunks[track]))
        assert published.numbers[track] == sorted(set(published.numbers[track]))
    assert published.samples["v0"] == 48 * int(hours * HOUR / GRID.duration)


def test_a_clock_that_is_right_is_left_alone() -> None:
    published = heard(6 * HOUR, 0, on_grid=True, late=200_000)
    assert {end - start for _, start, end in published.chunks["v0"]} == {24_576}
    assert {offset for _, offset in offsets(published, "v0")} == {offsets(published, "v0")[0][1]}


def test_a_machine_that_is_short_of_time_is_no_drift() -> None:
    """Lags that go up and down by tenths of a second, minute after minute."""
    drift, random = ClockDrift(), Random(1)
    for minute in range(600):
        for second in range(60):
            lag = 100_000 * random.randrange(30) * (minute % 3) + second
            drift.add(lag, minute * MINUTE + second * MICROS)
    assert drift.rate == 0


@pytest.mark.parametrize("by", [3600, -3600])
def test_a_clock_that_is_set_is_no_drift(by: int) -> None:
    drift = ClockDrift()
    for second in range(7200):
        drift.add(by * MICROS * (second > 3600), second * MICROS)
    assert drift.rate == 0


def followed(lag: Callable[[int], int], hours: int) -> tuple[int, int]:
    """The correction after some hours, in microseconds, and the rate."""
    drift, offset = ClockDrift(), 0
    for second in range(hours * HOUR):
        drift.add(lag(second) - offset, second * MICROS)
        offset += drift.rate
    return offset, drift.rate


@pytest.mark.parametrize("by", [MICROS, -MICROS])
def test_a_leap_second_is_no_drift(by: int) -> None:
    assert followed(lambda second: by * (second > HOUR), 3) == (0, 0)


@pytest.mark.parametrize("late", [60_000, 150_000, 600_000])
@pytest.mark.parametrize("minutes", [1, 3, 8])
def test_a_temporary_load_is_no_drift(late: int, minutes: int) -> None:
    assert followed(lambda second: late * (second // 60 // minutes % 2), 6) == (0, 0)


def test_a_distance_does_not_grow_while_it_cannot_be_measured() -> None:
    def lag(second: int) -> int:
        step = 600_000 * (second > 20 * 60)
        return step + 60_000 * (second > 28 * 60 and second // 150 % 2)

    assert followed(lag, 6) == (0, 0)


@pytest.mark.parametrize("slow", [100, 300, 500, -500])
def test_a_clock_that_is_off_is_followed_within_three_quarters_of_an_hour(slow: int) -> None:
    drift, offset = ClockDrift(), 0
    for second in range(3 * HOUR):
        error = second * slow - offset
        drift.add(error, second * MICROS)
        offset += drift.rate
        assert abs(error) < 200_000
        assert second < 45 * 60 or abs(error) < 50_000, second
    assert abs(drift.rate - slow) < 10


# Time that is slewed.


@given(
    st.lists(st.tuples(st.integers(-500, 500), st.integers(1, 20)), max_size=12),
    st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_slewed_time_is_one_function_for_all_tracks(
    turns: list[tuple[int, int]], lengths: list[int]
) -> None:
    slew, at, ends = TimeCorrection(), {SOUND: 0, TIMESCALE: 0}, dict[int, int]()
    turning = list(turns)
    for turn, length in enumerate(lengths):
        for scale, duration in ((TIMESCALE, 512), (SOUND, 1920)):
            run = group(at[scale], length, duration)
            slewed = slew.applied(run, scale)
            assert slewed.start == ends.get(scale, 0)
            assert all(abs(one - duration) <= 2 for one in slewed.durations)
            at[scale] += run.duration
            ends[scale] = slewed.start + slewed.duration
        # The same instant of the source is the same instant of all its tracks.
        one, two = Fraction(ends[SOUND], SOUND), Fraction(ends[TIMESCALE], TIMESCALE)
        assert abs(one - two) <= Fraction(1, TIMESCALE)
        if turning and turn % turning[0][1] == 0:
            slew.turn(turning.pop(0)[0])


def test_time_that_never_turned_is_left_as_it_is() -> None:
    run = group(77, 48, 512)
    slew = TimeCorrection()
    assert slew.applied(run, TIMESCALE) is run
    assert slew.is_identity
    slew.turn(500)
    assert not slew.is_identity
    slew.reset()
    assert slew.applied(run, TIMESCALE) is run
