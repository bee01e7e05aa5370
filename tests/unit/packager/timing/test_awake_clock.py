from hypothesis import given
from hypothesis import strategies as st

from packager.timing.awake_clock import AwakeClock
from packager.timing.ticks import MICROS


def test_a_stretch_without_readings_does_not_count() -> None:
    clock = AwakeClock(0)
    times = [clock.read(at * MICROS // 20) for at in (1, 2, 3, 203, 204)]
    assert [time * 20 // MICROS for time in times] == [1, 2, 3, 7, 8]


@given(st.lists(st.integers(0, MICROS // 5)))
def test_it_runs_as_the_clock_does_while_it_is_read(steps: list[int]) -> None:
    clock, now = AwakeClock(0), 0
    for step in steps:
        now += step
        assert clock.read(now) == now
