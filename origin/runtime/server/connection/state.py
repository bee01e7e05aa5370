"""The states of a connection of the public port, and the events that change them."""

from collections.abc import Mapping
from enum import Enum, IntEnum, auto


class State(IntEnum):
    """What a connection waits for."""

    IDLE = auto()
    """The next request, which the fast lane reads."""
    RECEIVING = auto()
    """The rest of a request."""
    ANSWERING = auto()
    """The response to a request that is held, or that the aiohttp lane answers."""
    SENDING = auto()
    """The kernel, which has not taken all of a complete response."""
    HANDED_OVER = auto()
    """The next request, which aiohttp reads: so it is from the first request that is not plain."""
    LAST_RESPONSE = auto()
    """As `ANSWERING`; the connection closes after the response."""
    CLOSING = auto()
    """The kernel, which takes the rest of the output; no further request is answered."""
    SHUT = auto()
    """The client, which has to close its side: all was sent, and the sending side is shut."""
    CLOSED = auto()


class Event(IntEnum):
    """An event of a connection."""

    PARTIAL = auto()
    """A part of a request is there."""
    TAKEN = auto()
    """A request is being answered, in its own time."""
    QUEUED = auto()
    """A response is complete; the kernel has not taken all of it."""
    DONE = auto()
    """A response was sent; the fast lane reads on."""
    RETURNED = auto()
    """A response was sent; aiohttp reads on."""
    LAST = auto()
    """The response that is being sent is the last one."""
    CLOSE = auto()
    SHUT = auto()
    """The sending side was shut."""
    ABORT = auto()


_OPEN: Mapping[Event, State] = {
    Event.PARTIAL: State.RECEIVING,
    Event.TAKEN: State.ANSWERING,
    Event.QUEUED: State.SENDING,
    Event.DONE: State.IDLE,
    Event.RETURNED: State.HANDED_OVER,
    Event.LAST: State.LAST_RESPONSE,
    Event.CLOSE: State.CLOSING,
    Event.ABORT: State.CLOSED,
}
_LAST: Mapping[Event, State] = {
    Event.TAKEN: State.LAST_RESPONSE,
    Event.LAST: State.LAST_RESPONSE,
    Event.QUEUED: State.CLOSING,
    Event.DONE: State.CLOSING,
    Event.RETURNED: State.CLOSING,
    Event.CLOSE: State.CLOSING,
    Event.ABORT: State.CLOSED,
}
_CLOSING: Mapping[Event, State] = {
    **dict.fromkeys(Event, State.CLOSING),
    Event.SHUT: State.SHUT,
    Event.ABORT: State.CLOSED,
}
TRANSITIONS: Mapping[State, Mapping[Event, State]] = {
    State.IDLE: _OPEN,
    State.RECEIVING: _OPEN,
    State.ANSWERING: _OPEN,
    State.SENDING: _OPEN,
    State.HANDED_OVER: _OPEN,
    State.LAST_RESPONSE: _LAST,
    State.CLOSING: _CLOSING,
    State.SHUT: {**dict.fromkeys(Event, State.SHUT), Event.ABORT: State.CLOSED},
    State.CLOSED: dict.fromkeys(Event, State.CLOSED),
}
"""The next state by state and event; a pair that is missing is a bug (KeyError)."""

ANSWERING = frozenset((State.ANSWERING, State.LAST_RESPONSE))
GONE = frozenset((State.SHUT, State.CLOSED))
ENDING = frozenset((State.LAST_RESPONSE, State.CLOSING, State.SHUT, State.CLOSED))


class Reader(Enum):
    """The parser that reads the bytes of a connection."""

    FAST_PATH = auto()
    AIOHTTP = auto()


class Flow(Enum):
    """Whether aiohttp has paused a direction of a connection."""

    OPEN = auto()
    PAUSED = auto()


class KernelBuffer(Enum):
    """Whether the kernel may have bytes that were not read: it reports an arrival once."""

    DRAINED = auto()
    UNREAD = auto()
