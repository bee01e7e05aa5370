"""The time-outs of connections."""

from origin.runtime.server.connection.connection import Connection
from origin.runtime.server.connection.state import ANSWERING, State

IDLE = 75.0
"""Seconds without a request: longer than a CDN keeps its connections."""
SLOW_REQUEST = 10.0
"""Seconds from the first byte of a request to the last of its head."""
SLOW_READER = 30.0
"""Seconds in which a client takes a part of its response."""
SLOWEST = 4096
"""Bytes per second that a client takes on average."""
SHUT = 2.0
"""Seconds for a client to close its side after the origin has shut its own."""


def overdue(connection: Connection, now: float) -> str | None:
    """The reason to end a connection at `now` (monotonic seconds); None to keep it."""
    quiet, queue = now - connection.since, connection.queue
    if connection.state is State.SHUT:
        return "left" if quiet > SHUT else None
    if queue:
        is_slow = quiet > SLOW_READER + queue.backlog / SLOWEST
        is_stuck = now - queue.progress > SLOW_READER
        return "slow-reader" if is_stuck or is_slow else None
    if connection.state in ANSWERING:
        return None
    if connection.state is State.RECEIVING:
        return "slow-request" if quiet > SLOW_REQUEST else None
    return "idle" if quiet > IDLE else None
