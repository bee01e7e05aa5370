"""The fast lane: plain requests, read from their bytes and answered in one loop.

`FastPath.serve` is the innermost loop of the origin. A request equal in all bytes to an earlier
one, with a response that is still valid, costs one look-up and two system calls. All others take
`Connection.received` and `FastPath.answer`.

Requests that are not plain, or whose body has to be read from the store, go to the aiohttp lane. It
sends the same bytes, except for the date and the request id.
"""

import select
from collections.abc import Callable, Mapping
from enum import IntEnum, auto
from typing import Final

import structlog

from origin.caching.lru import TwoGenerationCache
from origin.caching.prepared import PreparedResponse
from origin.runtime.content.outcome import Hold, ReadMedia, Stream
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.server.connection.connection import READ, Connection
from origin.runtime.server.connection.state import State
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.held_requests import HeldRequest, HeldRequests
from origin.runtime.server.parsing import LONGEST_REMEMBERED, ParsedRequest, PlainRequestParser
from origin.runtime.telemetry.access_log import ERROR
from packager.timing.clock import monotonic
from packager.timing.ticks import UtcMicros

_KNOWN = 4096
"""Requests that are remembered with all their bytes."""
_BATCH = 64
"""Connections of one poll."""
_TURN = 0.005
"""Seconds after which the event loop's other callbacks have a turn."""
_READABLE: Final = select.EPOLLIN | select.EPOLLOUT
"""Bytes have arrived, and the connection has no other event."""
_log = structlog.get_logger()


class FastPathOutcome(IntEnum):
    """The result of `FastPath.answer`."""

    SENT = auto()
    NEEDS_TASK = auto()
    """The request is plain, but its body has to be read from the store."""
    HELD = auto()
    """The request is held, or its segment is being sent while it is written."""
    NOT_PLAIN = auto()
    """The request is for aiohttp's parser."""


# CPython 3.11 finds a member by a function written in Python.
SENT, NEEDS_TASK, HELD, NOT_PLAIN = FastPathOutcome


class KnownRequest:
    """A request that was answered from the cache, and that asked for an object alone."""

    __slots__ = ("_admitted_until", "_answer", "_channel", "_gzip", "_tag", "request")

    def __init__(self, request: ParsedRequest) -> None:
        """`request` was admitted."""
        self.request = request
        self._answer = request.target.answer
        self._channel = request.target.answer.channel
        self._gzip = request.lines.gzip
        self._tag = request.lines.tag
        self._admitted_until = request.target.admitted_until

    def response(self, now: UtcMicros) -> PreparedResponse | None:
        """The response, if it is prepared and still valid."""
        answer = self._answer
        response = answer.gzipped if self._gzip else answer.plain
        if (
            response is None
            or answer.timeline is not self._channel.timeline
            or now >= answer.valid_until
            or now >= self._admitted_until
        ):
            return None
        answer.used = True
        if self._tag:
            return response.not_modified if self._tag == response.etag else None
        return None if response.file_slice is not None and response.is_truncated else response


class FastPath:
    """Answers plain requests from the cache."""

    def __init__(self, exchange: Exchange, held: HeldRequests) -> None:
        """Hold requests in `held`, which both lanes share."""
        self._exchange = exchange
        self._accounting = exchange.accounting
        self._stamps = exchange.stamps
        self._held = held
        self._now = UtcMicros(0)
        self.tick = monotonic()
        """Monotonic seconds at the start of the last batch."""
        self.parser = PlainRequestParser(exchange.responder.targets)
        self.known: TwoGenerationCache[bytes, KnownRequest] = TwoGenerationCache(_KNOWN)

    def serve(
        self,
        poll: Callable[[float, int], list[tuple[int, int]]],
        connections: Mapping[int, Connection],
        accept: Callable[[int], None],
    ) -> None:
        """Serve the `connections` that `poll` finds ready; `accept` takes other descriptors."""
        self.begin_batch()
        until = self.tick + _TURN
        while True:
            events = poll(0, _BATCH)
            self._batch(events, connections, accept)
            if not events or monotonic() > until:
                break
        self.end_batch()

    def begin_batch(self) -> None:
        """Read the clocks, once for all responses of a batch."""
        self.tick = monotonic()
        self._now = self._exchange.clock.now()

    def end_batch(self) -> None:
        """Count the responses of the batch."""
        self._accounting.count_batch(monotonic() - self.tick)

    def grown(self, channel: FollowedChannel) -> None:
        """Answer the held requests of a channel whose timeline has changed."""
        self.begin_batch()
        self._held.grown(channel, self._now)
        self.end_batch()

    def expire(self) -> None:
        """Answer the held requests whose time is up."""
        self.begin_batch()
        self._held.expire(self._now)
        self.end_batch()

    def drain(self) -> None:
        """Announce with each response from now on that its connection ends."""
        self._stamps.drain()
        self.known = TwoGenerationCache(_KNOWN)

    def _batch(
        self,
        events: list[tuple[int, int]],
        connections: Mapping[int, Connection],
        accept: Callable[[int], None],
    ) -> None:
        tick, now, stamp = self.tick, self._now, self._stamps.line(self._now)
        accounting, next_number, idle = self._accounting, self._stamps.next_number, State.IDLE
        count, every = accounting.count_in_batch, accounting.every
        for descriptor, event in events:
            connection = connections.get(descriptor)
            if connection is None:
                accept(descriptor)
                continue
            try:
                if event != _READABLE or connection.state is not idle:
                    connection.on_event(event)
                    continue
                try:
                    data = connection.recv(READ)
                except (BlockingIOError, InterruptedError):
                    continue
                known = self.known.newest.get(data)
                response = None if known is None else known.response(now)
                if known is None or response is None:
                    connection.received(data)
                    continue
                number = next_number()
                connection.since = tick
                end = b"%012x\r\n\r\n" % number
                if response.file_slice is None:
                    connection.send(b"".join((response.head, stamp, end, response.body)))
                else:
                    head = b"".join((response.head, stamp, end))
                    connection.send_slice(head, response.file_slice)
                count(response)
                if not number % every:
                    accounting.log(known.request, response, number, now)
            except Exception:  # noqa: BLE001
                # epoll would not report the other connections of the batch again.
                _log.exception("connection.crashed")
                connection.abort()

    def answer(self, connection: Connection, head: bytes) -> FastPathOutcome:
        """Answer the request with this head, or hold it, if that is possible without a task."""
        request = self.parser.parse(head, connection.peer)
        if request is None:
            return NOT_PLAIN
        try:
            outcome = self._exchange.respond(request, self._now)
        except Exception:  # noqa: BLE001 - the aiohttp lane meets the same error, and logs it
            return NEEDS_TASK
        match outcome:
            case PreparedResponse():
                self.write(connection, request, outcome)
                # Ids and CMCD differ from request to request.
                is_unique = request.cmcd_query or request.lines.request_id
                if len(head) <= LONGEST_REMEMBERED and not is_unique:
                    self._remember(head, request, outcome)
                return SENT
            case ReadMedia():
                return NEEDS_TASK
            case Hold():
                connection.request_taken()
                self._held.hold(HeldConnection(self, connection, head, request, monotonic()))
            case Stream():
                connection.request_taken()
                self.stream(connection, request, outcome, monotonic())
        return HELD

    def write(
        self, connection: Connection, request: ParsedRequest, response: PreparedResponse
    ) -> None:
        """Account for a response from the cache, and send it."""
        number = self._stamps.next_number()
        head = self._stamps.head(response.head, request.lines, number, self._now)
        self._accounting.account(request, response, number, self._now)
        if request.method == "HEAD":
            connection.send(head)
        elif response.file_slice is None:
            connection.send(head + response.body)
        else:
            connection.send_slice(head, response.file_slice)
        if self._stamps.is_draining:
            connection.close()

    def stream(
        self, connection: Connection, request: ParsedRequest, stream: Stream, since: float
    ) -> None:
        """Send a segment while it is written; the request arrived at `since`."""
        response, number = stream.response, self._stamps.next_number()
        head = self._stamps.head(response.head, request.lines, number, self._now)
        self._accounting.account(request, response, number, self._now, monotonic() - since)
        if self._stamps.is_draining:
            connection.response_is_last()
        segment = self._held.segment(request.target.answer, stream)
        connection.write(b"".join((head, *segment.join(connection))))
        segment.settle(connection)

    def _remember(self, head: bytes, request: ParsedRequest, response: PreparedResponse) -> None:
        """Remember a request that asks for an object and nothing else."""
        answer, lines = request.target.answer, request.lines
        kept = answer.gzipped if lines.gzip else answer.plain
        if kept is None or response is not (kept.not_modified if lines.tag else kept):
            return
        is_lasting = response.status < ERROR and not self._stamps.is_draining
        if is_lasting and request.is_ordinary:
            self.known.put(head, KnownRequest(request))


class HeldConnection(HeldRequest):
    """A request of the fast lane that is held."""

    __slots__ = ("_connection", "_head", "_lane")

    def __init__(
        self,
        lane: FastPath,
        connection: Connection,
        head: bytes,
        request: ParsedRequest,
        since: float,
    ) -> None:
        super().__init__(request, since)
        self._lane = lane
        self._connection = connection
        self._head = head

    @property
    def is_gone(self) -> bool:
        """Whether the connection is closed or closing."""
        return self._connection.is_closing()

    def respond(self, response: PreparedResponse) -> None:
        """Send a response."""
        self._lane.write(self._connection, self.request, response)
        self._connection.request_done()

    def stream(self, stream: Stream) -> None:
        """Send a segment that is being written."""
        self._lane.stream(self._connection, self.request, stream, self.since)

    def retry(self) -> None:
        """Let the aiohttp lane answer."""
        self._connection.ask_aiohttp(self._head)
