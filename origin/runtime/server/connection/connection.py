"""One connection of the public port.

It is aiohttp's transport, and the fast lane sends on it directly.
"""

import asyncio
import select
import socket

from origin.runtime.server.connection.output import ConnectionOutput
from origin.runtime.server.connection.owner import ConnectionOwner
from origin.runtime.server.connection.state import (
    ANSWERING,
    ENDING,
    GONE,
    Event,
    Flow,
    KernelBuffer,
    Reader,
    State,
)

# Members that each request needs: CPython 3.11 finds them by a function written in Python.
_IDLE, _RECEIVING, _SENDING = State.IDLE, State.RECEIVING, State.SENDING
_CLOSING, _CLOSED = State.CLOSING, State.CLOSED
_PARTIAL, _TAKEN, _QUEUED = Event.PARTIAL, Event.TAKEN, Event.QUEUED
_DONE, _RETURNED = Event.DONE, Event.RETURNED
_FAST_PATH, _AIOHTTP, _UNREAD = Reader.FAST_PATH, Reader.AIOHTTP, KernelBuffer.UNREAD
READ = 1 << 16
"""Bytes of one read."""
_MOST_PENDING = 1 << 16
"""Bytes of further requests that are read while a request is answered."""


class Connection(ConnectionOutput):
    """A socket with its state, the input that is not answered, and the output that is not sent."""

    __slots__ = ("_kernel", "_owner", "_reading", "fd", "peer", "pending", "reader", "recv")

    def __init__(
        self, sock: socket.socket, peer: object, owner: "ConnectionOwner[Connection]"
    ) -> None:
        """Take over a socket in non-blocking mode."""
        self._owner = owner
        super().__init__(sock, peer)
        self.peer = peer
        """The client's socket address."""
        self.recv = sock.recv
        self.fd = sock.fileno()
        self.reader = Reader.FAST_PATH
        self._reading = Flow.OPEN
        self._kernel = KernelBuffer.DRAINED
        self.pending = b""
        """Bytes of requests that are not answered yet."""

    @property
    def tick(self) -> float:
        """Monotonic seconds at the start of the last batch."""
        return self._owner.tick

    def _forget(self) -> None:
        self._owner.forget(self)

    # Input.

    def on_event(self, event: int) -> None:
        """Handle an event of epoll."""
        if event & select.EPOLLOUT and self.queue:
            self._flush()
        if event & ~select.EPOLLOUT:
            self._read()
        if event & select.EPOLLRDHUP and self.state is not _CLOSED:
            # The end is behind the bytes that were read; epoll reports it only once.
            self._read_later()

    def _read(self) -> None:
        if self.state is _CLOSED:
            return
        if self._reading is Flow.PAUSED or len(self.pending) > _MOST_PENDING:
            self._kernel = _UNREAD
            return
        try:
            data = self.recv(READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        self.received(data)

    def _read_later(self) -> None:
        self._kernel = _UNREAD
        asyncio.get_running_loop().call_soon(self._read_on)

    def _read_on(self) -> None:
        is_unread = self._kernel is _UNREAD
        if is_unread and self.state is not _CLOSED and self._reading is Flow.OPEN:
            self._kernel = KernelBuffer.DRAINED
            self._read()

    def received(self, data: bytes) -> None:
        """Handle bytes from the socket; no bytes are the end of the input."""
        if not data:
            self._on_end_of_input()
            return
        if len(data) == READ:
            # epoll reports arrivals, not leftovers: read again.
            self._read_later()
        self._deliver(data)
        self._settle()

    def _deliver(self, data: bytes) -> None:
        if self.state is _IDLE:
            self._owner.requests(self, data)
        elif self.state in GONE:
            return
        elif self.reader is _AIOHTTP:
            if self.state in (State.HANDED_OVER, _SENDING):
                self._move(_PARTIAL)
                self.since = self._owner.tick
            if self._protocol is not None:
                self._protocol.data_received(data)
        elif self.state is _RECEIVING:
            data, self.pending = self.pending + data, b""
            self._owner.requests(self, data)
        elif self.state not in ENDING:
            self.pending += data

    def _settle(self) -> None:
        """Derive the state between two requests from the bytes that wait."""
        if self.state is _IDLE and not self.pending:
            return
        if self.state is _SENDING or (
            self.reader is _FAST_PATH and self.state in (_IDLE, _RECEIVING)
        ):
            self._move(self._rest())

    def _rest(self) -> Event:
        """The event that ends a response."""
        if self.queue.size:
            return _QUEUED
        if self.reader is _AIOHTTP:
            return _RETURNED
        return _PARTIAL if self.pending else _DONE

    def _go_on(self) -> None:
        """Answer the requests that arrived while another one was answered."""
        if self.state is _CLOSED or self.state in ANSWERING or self.queue:
            return
        self.since = self._owner.tick
        self._settle()
        if self.pending:
            data, self.pending = self.pending, b""
            self._deliver(data)
            self._settle()
        self._read_on()

    def _on_end_of_input(self) -> None:
        if self.state is State.SHUT:
            self.abort()
            return
        is_aiohttps = self.state in ANSWERING or self.reader is _AIOHTTP
        if self._protocol is not None and is_aiohttps:
            self._protocol.eof_received()
        self.close()

    # The aiohttp lane.

    @property
    def protocol(self) -> asyncio.Protocol | None:
        """Aiohttp's protocol of this connection, if it has one."""
        return self._protocol

    def ask_aiohttp(self, head: bytes) -> None:
        """Let aiohttp answer one request; the fast lane reads on after it."""
        self._move(_TAKEN)
        self._connect_aiohttp().data_received(head)

    def hand_over(self, data: bytes) -> None:
        """Let aiohttp read all requests from here on."""
        self.reader = Reader.AIOHTTP
        self._move(_PARTIAL)
        self._connect_aiohttp().data_received(data)

    def _connect_aiohttp(self) -> asyncio.Protocol:
        if self._protocol is None:
            self._protocol = self._owner.aiohttp_protocol()
            self._protocol.connection_made(self)
        return self._protocol

    def request_taken(self) -> None:
        """A request is held, or aiohttp answers it."""
        self._move(_TAKEN)

    def response_is_last(self) -> None:
        """The connection closes after the response that is being sent."""
        self._move(Event.LAST)

    def aiohttp_done(self, *, last: bool) -> None:
        """Aiohttp has answered a request; after the last one it closes the connection itself."""
        self.since = self._owner.tick
        if last:
            self._move(Event.CLOSE)
            return
        self._move(self._rest())
        if self.reader is _FAST_PATH:
            asyncio.get_running_loop().call_soon(self._go_on)

    def request_done(self) -> None:
        """A request that was held is answered."""
        self.since = self._owner.tick
        self._move(self._rest())
        if self.state is _CLOSED or self.queue.size:
            return
        if self.state is _CLOSING:
            self._shut_down()
        elif self.pending or self._kernel is _UNREAD:
            asyncio.get_running_loop().call_soon(self._go_on)

    # Flow control, for aiohttp.

    def pause_reading(self) -> None:
        """Deliver no input until `resume_reading`."""
        self._reading = Flow.PAUSED

    def resume_reading(self) -> None:
        """Deliver input again."""
        self._reading = Flow.OPEN
        self._settle()
        if self._kernel is _UNREAD:
            asyncio.get_running_loop().call_soon(self._read_on)

    def is_reading(self) -> bool:
        """Whether input is delivered."""
        return self._reading is Flow.OPEN

    @property
    def is_unread(self) -> bool:
        """Whether the kernel may have input that was not read."""
        return self._kernel is _UNREAD

    @property
    def has_work(self) -> bool:
        """Whether a request is answered or waits, or output is not sent."""
        return bool(self.queue or self.pending) or self.state in ANSWERING
