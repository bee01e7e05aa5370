"""Frame rates, clock rates and skew."""

from random import Random

import pytest

from packager.feed.frame_times import FrameTimes
from packager.feed.statistics import FeedStatistics
from packager.timing.ticks import MICROS
from packager.timing.timestamp_counter import FLV_TIMESTAMPS, TS_TIMESTAMPS

RATE = 90_000
FRAME = 3600


def health() -> FeedStatistics:
    return FeedStatistics(TS_TIMESTAMPS)


@pytest.mark.parametrize("ppm", [-400, -120, -30, 0, 50, 120])
def test_the_rate_of_a_clock_is_found_under_jitter(ppm: int) -> None:
    random, looking = Random(ppm), health()
    for number in range(25 * 300):
        now = number * 40_000
        ticks = round(now * (1 + ppm / MICROS) * RATE / MICROS)
        looking.clock.observe(ticks % 2**33, now + round(random.expovariate(1 / 20_000)))
    found = looking.report(0, "", ()).clock_ppm
    assert found is not None
    assert abs(found - ppm) <= 15


def test_an_uncertain_clock_rate_is_not_reported() -> None:
    random, looking = Random(1), health()
    for number in range(25 * 50):
        looking.clock.observe(number * FRAME, number * 40_000)
    assert looking.clock.ppm is None
    # Bursts with random delays do not show the rate of a clock.
    looking = health()
    for burst in range(40):
        now = (burst + 1) * 10 * MICROS + random.randrange(2 * MICROS)
        for number in range(250):
            looking.clock.observe((burst * 250 + number) * FRAME, now)
    assert looking.clock.ppm is None


@pytest.mark.parametrize(
    ("after", "known"),
    [(1.0, True), (200.0, True), (-100.0, False), (3000.0, False)],
    ids=["on", "after a pause", "back", "ahead"],
)
def test_a_clock_jump_restarts_the_measurement(after: float, known: bool) -> None:  # noqa: FBT001
    looking = health()
    for number in range(25 * 120):
        looking.clock.observe(number * FRAME, number * 40_000)
    assert looking.clock.ppm == 0
    last = 25 * 120 * FRAME
    pause = after if 0 < after < 1000 else 0
    looking.clock.observe(round(last + after * RATE) % 2**33, 120 * MICROS + round(pause * MICROS))
    assert (looking.clock.ppm is not None) == known


def test_the_time_that_went_on_leaves_jumps_out() -> None:
    looking = health()
    for ticks in (2**33 - RATE, 0, RATE, 100 * RATE, 101 * RATE, 50 * RATE, 51 * RATE):
        looking.clock.observe(ticks, 0)
    assert looking.clock.elapsed == 4 * MICROS


def test_the_bit_rate_is_that_of_the_last_seconds() -> None:
    looking = health()
    assert looking.report(0, "", ()).bitrate is None
    for number in range(100):
        looking.received(12_500, number * 100_000)
    assert looking.report(10 * MICROS, "", ()).bitrate == 1_000_000
    assert looking.report(12_500_000, "", ()).bitrate == 500_000
    assert looking.report(60 * MICROS, "", ()).bitrate == 0
    looking.received(625_000, 60 * MICROS)
    assert looking.report(61 * MICROS, "", ()).bitrate == 1_000_000


def test_frame_rates_of_milliseconds_are_evened_out() -> None:
    looking = FeedStatistics(FLV_TIMESTAMPS)
    for number in range(200):
        looking.frame(number * 1001 * 1000 // 30_000, 0)
    assert looking.report(0, "", ()).frame_rate == pytest.approx(29.97, rel=0.0003)
    assert not looking.report(0, "", ()).unsteady


def test_a_varying_rate_has_no_missing_frames() -> None:
    random, looking = Random(3), health()
    ticks = 0
    for _ in range(400):
        ticks += random.choice((1500, 3000, 4500, 9000))
        looking.frame(ticks, 0)
    before = looking.report(0, "", ())
    assert before.unsteady
    for _ in range(400):
        ticks += random.choice((1500, 3000, 4500, 9000))
        looking.frame(ticks, 0)
    assert looking.report(0, "", ()).dropped_frames == before.dropped_frames


def test_film_in_sixty_fields_has_no_missing_frames() -> None:
    looking = health()
    ticks = 0
    for number in range(200):
        ticks += (3003, 4504)[number % 2]
        looking.frame(ticks, 0)
    assert looking.report(0, "", ()).dropped_frames == 0


def test_frames_out_of_order_or_at_one_time_are_no_jump() -> None:
    times = FrameTimes(TS_TIMESTAMPS)
    assert all(times.add(ticks, 0) for ticks in (0, 3600, 3600, 10_800, 7200, 14_400))
    assert not times.add(90_000_000, 0)


def test_skew_is_the_median_distance_of_audio_and_video() -> None:
    looking = health()
    for number in range(100):
        ticks = number * FRAME
        looking.audio(ticks + 90 * 240 if number % 10 else ticks, number * 40_000)
        looking.frame(ticks, number * 40_000)
    assert looking.report(0, "", ()).skew_ms is not None
    assert looking.report(0, "", ()).skew_ms == 240
