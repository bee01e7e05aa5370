from hypothesis import given
from hypothesis import strategies as st

from origin.caching.counters import FIRST_BYTE_BOUNDS, ChannelCounters

_body_bytes = st.integers(0, 1 << 30)
_seconds = st.floats(0, 20)
_notes = st.lists(st.tuples(st.none() | st.integers(1, 9), _body_bytes, _seconds), max_size=20)


@given(_notes)
def test_answers_together_count_as_each_of_them_would(
    notes: list[tuple[int | None, int, float]],
) -> None:
    tally, single = ChannelCounters().of("tv", "dash", 200), ChannelCounters().of("tv", "dash", 200)
    for count, body_bytes, seconds in notes:
        if count is None:
            tally.count(body_bytes, seconds)
            single.count(body_bytes, seconds)
        else:
            tally.count_cached(count, body_bytes, seconds)
            for _ in range(count):
                single.count_cached(1, body_bytes, seconds)
    assert (tally.requests, tally.cached, tally.body_bytes) == (
        single.requests,
        single.cached,
        single.body_bytes,
    )
    assert tally.first_byte_counts == single.first_byte_counts
    assert abs(tally.seconds - single.seconds) < 1e-6
    assert tally.requests == sum(count or 1 for count, *_ in notes) == sum(tally.first_byte_counts)
    assert tally.cached == sum(count or 0 for count, *_ in notes)
    tally.reset()
    assert (tally.requests, tally.cached, tally.body_bytes, tally.seconds) == (0, 0, 0, 0)
    assert not any(tally.first_byte_counts)


@given(_seconds)
def test_a_wait_counts_for_the_bound_that_it_is_within(seconds: float) -> None:
    tally = ChannelCounters().of("tv", "dash", 200)
    tally.count(1, seconds)
    within = [bound for bound in (*FIRST_BYTE_BOUNDS, float("inf")) if seconds <= bound]
    assert tally.first_byte_counts.index(1) == (*FIRST_BYTE_BOUNDS, float("inf")).index(within[0])


def test_labels_have_one_tally() -> None:
    tallies = ChannelCounters()
    one = tallies.of("tv", "dash", 200)
    assert tallies.of("tv", "dash", 200) is one
    others = [tallies.of("tv", "dash", 404), tallies.of("tv", "other", 200), tallies.of("", "", 1)]
    assert list(tallies) == [one, *others]
