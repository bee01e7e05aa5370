"""The line from an encoder to a source: whoever takes its bytes, and whoever brings them.

A line brings the bytes of a container as they came, from one connection at a time; what is in them
is not its business. It goes on, connection after connection, until it is cancelled.
"""

from typing import Protocol

from packager.feed.container import Container


class Taker(Protocol):
    """Takes what a line brings. None of it waits."""

    def connected(self, container: Container, peer: str) -> None:
        """Somebody begins to send; `peer` says who, in words: an address, never a key."""
        ...

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        ...

    def disconnected(self, reason: str) -> None:
        """The connection is over; `reason` in a few words."""
        ...

    def trouble(self, problem: str) -> None:
        """Something is wrong with the line itself, in one line: no such host, port in use, ..."""
        ...


class Line(Protocol):
    """Brings what somebody sends."""

    async def run(self, taker: Taker) -> None:
        """Bring it to `taker` until cancelled. A connection that is lost is made again."""
        ...
