from hypothesis import given
from hypothesis import strategies as st

from origin.viewers.cmcd import Cmcd
from origin.viewers.sessions import Sessions
from packager.timing.ticks import MICROS, UtcMicros

START = UtcMicros(1_800_000_000 * MICROS)


def at(seconds: float) -> UtcMicros:
    return UtcMicros(START + round(seconds * MICROS))


def startups(sessions: Sessions, *requests: tuple[float, Cmcd]) -> list[int]:
    """The startup times that requests of one channel, each at a time in seconds, report."""
    seen = (sessions.observe("tv", "", cmcd, at(when)).startup for when, cmcd in requests)
    return [startup for startup in seen if startup is not None]


def asks(session: str = "a", *, startup: bool = False, delay: int | None = None) -> Cmcd:
    return Cmcd(session=session, startup=startup, start_delay=delay)


STARTING = asks(startup=True)


def test_a_request_reports_its_cmcd_values() -> None:
    seen = Sessions().observe("tv", "one", Cmcd(starved=True, buffer=900, throughput=25), START)
    assert (seen.channel, seen.cdn, seen.starved) == ("tv", "one", True)
    assert (seen.buffer, seen.throughput, seen.startup) == (900, 25_000, None)
    seen = Sessions().observe("tv", "", Cmcd(bitrate=1), START)
    assert (seen.starved, seen.buffer, seen.throughput) == (False, None, None)


def test_a_session_starts_once() -> None:
    times = startups(
        Sessions(), (0, STARTING), (1, STARTING), (2.5, asks()), (9, STARTING), (11, asks())
    )
    assert times == [2500]


def test_a_session_that_already_played_has_no_startup() -> None:
    assert startups(Sessions(), (0, asks()), (1, STARTING), (2, asks())) == []


def test_sessions_of_their_own() -> None:
    sessions = Sessions()
    other = asks("b", startup=True)
    assert startups(sessions, (0, STARTING), (1, other), (2, asks("b")), (4, asks())) == [
        1000,
        4000,
    ]
    assert sessions.observe("radio", "", asks(), at(5)).startup is None
    assert startups(sessions, (0, Cmcd(startup=True)), (1, Cmcd())) == []


def test_a_startup_delay_reported_by_the_player_counts_once() -> None:
    sessions = Sessions()
    assert startups(sessions, (0, STARTING), (1, asks(delay=700)), (2, asks(delay=800))) == [700]
    assert startups(sessions, (0, asks("b", delay=300)), (1, asks("b"))) == [300]
    assert startups(sessions, (0, asks("c", startup=True)), (1, asks("c", delay=10**7))) == []


def test_impossible_startup_times_are_not_reported() -> None:
    assert startups(Sessions(), (5, STARTING), (4, asks()), (6, asks())) == []
    assert startups(Sessions(), (0, STARTING), (121, asks())) == []
    assert startups(Sessions(), (0, STARTING), (120, asks())) == [120_000]


def test_the_one_that_was_silent_longest_is_forgotten() -> None:
    sessions = Sessions(2)
    first = [(0.0, STARTING), (1.0, asks("b", startup=True)), (2.0, STARTING)]
    assert startups(sessions, *first, (3, asks("c", startup=True)), (4, asks())) == [4000]
    assert startups(sessions, (5, asks("b"))) == []
    assert len(sessions) == 2


@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.booleans(), st.none() | st.integers(0, 5000)),
        max_size=60,
    )
)
def test_each_session_that_is_remembered_starts_at_most_once(
    drawn: list[tuple[str, bool, int | None]],
) -> None:
    sessions = Sessions()
    started = [
        session
        for when, (session, startup, delay) in enumerate(drawn)
        if startups(sessions, (when, asks(session, startup=startup, delay=delay)))
    ]
    assert len(started) == len(set(started))
