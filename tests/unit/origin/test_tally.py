from hypothesis import given
from hypothesis import strategies as st

from origin.tally import FIRST_BYTE_BOUNDS, Tallies

_octets = st.integers(0, 1 << 30)
_seconds = st.floats(0, 20)
_notes = st.lists(st.tuples(st.none() | st.integers(1, 9), _octets, _seconds), max_size=20)


@given(_notes)
def test_answers_together_count_as_each_of_them_would(
    notes: list[tuple[int | None, int, float]],
) -> None:
    tally, single = Tallies().of("tv", "dash", 200), Tallies().of("tv", "dash", 200)
    for count, octets, seconds in notes:
        if count is None:
            tally.note(octets, seconds)
            single.note(octets, seconds)
        else:
            tally.note_ready(count, octets, seconds)
            for _ in range(count):
                single.note_ready(1, octets, seconds)
    assert (tally.requests, tally.ready, tally.octets) == (
        single.requests,
        single.ready,
        single.octets,
    )
    assert tally.waits == single.waits
    assert abs(tally.seconds - single.seconds) < 1e-6
    assert tally.requests == sum(count or 1 for count, *_ in notes) == sum(tally.waits)
    assert tally.ready == sum(count or 0 for count, *_ in notes)
    tally.reset()
    assert (tally.requests, tally.ready, tally.octets, tally.seconds) == (0, 0, 0, 0)
    assert not any(tally.waits)


@given(_seconds)
def test_a_wait_counts_for_the_bound_that_it_is_within(seconds: float) -> None:
    tally = Tallies().of("tv", "dash", 200)
    tally.note(1, seconds)
    within = [bound for bound in (*FIRST_BYTE_BOUNDS, float("inf")) if seconds <= bound]
    assert tally.waits.index(1) == (*FIRST_BYTE_BOUNDS, float("inf")).index(within[0])


def test_labels_have_one_tally() -> None:
    tallies = Tallies()
    one = tallies.of("tv", "dash", 200)
    assert tallies.of("tv", "dash", 200) is one
    others = [tallies.of("tv", "dash", 404), tallies.of("tv", "other", 200), tallies.of("", "", 1)]
    assert list(tallies) == [one, *others]
