"""The transition table of connections."""

from itertools import product

from origin.runtime.server.connection.state import (
    ANSWERING,
    ENDING,
    GONE,
    TRANSITIONS,
    Event,
    State,
)


def test_each_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


def test_only_a_closing_connection_shuts_its_sending_side() -> None:
    before = {state for state in State if TRANSITIONS[state].get(Event.SHUT) is State.SHUT}
    assert before == {State.CLOSING, State.SHUT}


def test_a_connection_in_any_state_can_be_closed_and_aborted() -> None:
    for state in State:
        assert TRANSITIONS[state][Event.ABORT] is State.CLOSED
        assert TRANSITIONS[state][Event.CLOSE] in ENDING - {State.LAST_RESPONSE}


def test_no_event_leads_back_from_the_end() -> None:
    for ends in (ENDING, GONE, frozenset((State.CLOSED,))):
        for state, event in product(ends, Event):
            assert TRANSITIONS[state].get(event, state) in ends


def test_each_response_ends() -> None:
    for state, event in product(ANSWERING, (Event.QUEUED, Event.DONE, Event.RETURNED)):
        assert TRANSITIONS[state][event] not in ANSWERING
