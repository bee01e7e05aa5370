"""The waits between attempts."""

from packager.timing.backoff import Backoff


def test_each_wait_is_twice_the_one_before_up_to_the_limit() -> None:
    backoff = Backoff(0.25, 1.5)
    assert [backoff.step() for _ in range(5)] == [0.25, 0.5, 1.0, 1.5, 1.5]


def test_a_success_begins_with_the_shortest_wait_again() -> None:
    backoff = Backoff(1, 8)
    assert [backoff.step(), backoff.step()] == [1, 2]
    backoff.reset()
    assert [backoff.step(), backoff.step()] == [1, 2]


def test_an_attempt_that_lasted_long_enough_counts_as_a_success() -> None:
    backoff = Backoff(1.0, 60.0, healthy=20.0)
    assert [backoff.after(0.1), backoff.after(20.0), backoff.after(20.1)] == [1.0, 2.0, 1.0]
    assert backoff.after(0.0) == 2.0


def test_without_such_a_duration_no_attempt_is_a_success_by_itself() -> None:
    backoff = Backoff(1.0, 4.0)
    assert [backoff.after(1e9) for _ in range(4)] == [1.0, 2.0, 4.0, 4.0]
