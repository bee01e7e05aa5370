"""What came of a feed, and when: connections and their bytes, in the order of their arrival.

A schedule is any iterable of events whose instants never go back. They are microseconds: since the
Unix epoch where a recorder wrote them, since whenever one likes in a test.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from packager.feed.container import Container


@dataclass(frozen=True, slots=True)
class Connected:
    """Somebody begins to send."""

    at: int
    container: Container
    peer: str
    """Who, in words: an address, never a key."""


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes have come."""

    at: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is over."""

    at: int
    reason: str
    """In a few words."""


Event = Connected | Received | Disconnected


def moved(event: Event, at: int) -> Event:
    """`event` as if it had been at another instant."""
    match event:
        case Connected():
            return Connected(at, event.container, event.peer)
        case Received():
            return Received(at, event.data)
        case Disconnected():
            return Disconnected(at, event.reason)


def ended(events: Iterable[Event]) -> Iterator[Event]:
    """`events`, with an end for the connection that is still there after the last."""
    last: Event | None = None
    for event in events:
        last = event
        yield event
    if last is not None and not isinstance(last, Disconnected):
        yield Disconnected(last.at, "the recording ends")


def over_and_over(turn: Callable[[], Iterable[Event]], pause: int) -> Iterator[Event]:
    """`turn()` again and again, each `pause` microseconds after the end of the one before.

    Each turn has connections of its own, whose timestamps begin anew. An empty turn ends it all.
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
