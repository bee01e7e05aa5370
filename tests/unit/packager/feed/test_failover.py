"""Which source is on air."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from packager.config.sources import LossConfig
from packager.feed.failover import loss, preferred
from packager.timing.ticks import MICROS

since = st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=4)


def test_the_first_that_is_healthy() -> None:
    assert preferred([None, 5, 1], None, 10, 3) == 1
    assert preferred([None, None], None, 10, 3) is None
    assert preferred([None, None], 1, 10, 3) is None


def test_a_lost_one_gives_way_at_once() -> None:
    assert preferred([None, 9], 0, 10, 3) == 1


def test_a_better_one_has_to_be_healthy_for_a_while() -> None:
    assert preferred([8, 0], 1, 10, 3) == 1
    assert preferred([7, 0], 1, 10, 3) == 0


@given(since, st.integers(100, 200), st.integers(0, 50), st.data())
def test_it_is_healthy_and_stays(
    healthy: list[int | None], now: int, back: int, data: st.DataObject
) -> None:
    active = data.draw(st.none() | st.integers(0, len(healthy) - 1))
    best = preferred(healthy, active, now, back)
    assert (best is None) == all(at is None for at in healthy)
    if best is None:
        return
    assert healthy[best] is not None
    # A second call at the same instant has the same result.
    assert preferred(healthy, best, now, back) in range(best + 1)
    if active is not None and healthy[active] is not None:
        assert best <= active


def test_the_reasons_for_which_a_source_counts_as_lost() -> None:
    config = LossConfig(no_data=Fraction(1, 2), no_video=Fraction(2), silent=Fraction(3))
    assert loss(499_999, None, None, config) == ""
    assert loss(500_000, None, None, config) == "no data for 0.5 s"
    assert loss(0, 2 * MICROS, 0, config) == "no video for 2.0 s"
    assert loss(0, 0, 3 * MICROS, config) == "no audio for 3.0 s"
    assert loss(0, 2 * MICROS, 9 * MICROS, LossConfig()) == ""
