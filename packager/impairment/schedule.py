"""A schedule: connections and their bytes, in order of arrival, each with its instant.

A schedule is any iterable of events whose instants never decrease. Instants are microseconds. A
recorder counts them from the Unix epoch; a test may choose any origin.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from packager.feed.report import Container


@dataclass(frozen=True, slots=True)
class Connected:
    """An encoder starts to send."""

    at: int
    container: Container
    peer: str
    """The encoder's address; never a key."""


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes arrive."""

    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection ends."""

    at: int
    reason: str


Event = Connected | Received | Disconnected


def moved(event: Event, at: int) -> Event:
    """`event` at another instant."""
    match event:
        case Connected():
            return Connected(at, event.container, event.peer)
        case Received():
            return Received(at, event.data)
        case Disconnected():
            return Disconnected(at, event.reason)


def ended(events: Iterable[Event]) -> Iterator[Event]:
    """`events`, with an end for a connection that is still open after the last."""
    last: Event | None = None
    for event in events:
        last = event
        yield event
    if last is not None and not isinstance(last, Disconnected):
        yield Disconnected(last.at, "end of the recording")


def over_and_over(turn: Callable[[], Iterable[Event]], pause: int) -> Iterator[Event]:
    """`turn()` again and again, each `pause` microseconds after the end of the previous one.

    Each turn has its own connections, whose timestamps restart. An empty turn ends the schedule.
    """
    at = 0
    later: int | None = None
    while True:
        begun = False
        for event in ended(turn()):
            if not begun:
                begun = True
                later = 0 if later is None else at + pause - event.at
            at = event.at + (later or 0)
            yield moved(event, at)
        if not begun:
            return
