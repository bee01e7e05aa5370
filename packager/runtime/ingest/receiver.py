"""The interface between a receiver, which gets the bytes of a feed, and the sink of the bytes.

A receiver passes on the bytes of a container unchanged, from one connection at a time. It accepts
connection after connection until it is cancelled.
"""

from typing import Protocol

from packager.feed.report import Container


class FeedSink(Protocol):
    """Takes the bytes of a feed. No method waits."""

    def connected(self, container: Container, peer: str) -> None:
        """A sender starts to send; `peer` is its address, never a key."""
        ...

    def received(self, data: bytes) -> None:
        """Bytes of the container arrive."""
        ...

    def disconnected(self, reason: str) -> None:
        """The connection ends."""
        ...

    def problem_reported(self, problem: str) -> None:
        """The receiver cannot get a connection: an unknown host, a port in use, ..."""
        ...


class Receiver(Protocol):
    """Receives a feed."""

    async def run(self, sink: FeedSink) -> None:
        """Pass the feed to `sink` until cancelled; reconnect after each lost connection."""
        ...


class ProblemReporter:
    """Reports each problem to a sink once, until another problem or a success follows."""

    def __init__(self, sink: FeedSink) -> None:
        self._sink = sink
        self._reported = ""

    def report(self, problem: str) -> None:
        """Report `problem`, unless it was the last one reported."""
        if problem != self._reported:
            self._reported = problem
            self._sink.problem_reported(problem)

    def clear(self) -> None:
        """Note a success: report the same problem again when it returns."""
        self._reported = ""
