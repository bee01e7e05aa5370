"""The output of a connection: it sends, queues the rest, and ends the connection."""

import asyncio
import socket
from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from origin.http.response import FileSlice
from origin.runtime.server.connection.send_queue import SendQueue, send_bytes, send_file
from origin.runtime.server.connection.state import (
    ANSWERING,
    ENDING,
    GONE,
    TRANSITIONS,
    Event,
    Flow,
    State,
)

_IDLE = State.IDLE
_HIGH_WATER = 1 << 16
"""Bytes in the send queue from which on aiohttp is asked to pause."""


class ConnectionOutput(asyncio.Transport):
    """A socket with its state and the output that is not sent; `Connection` adds the input."""

    __slots__ = ("_protocol", "_sock", "_writing", "queue", "since", "state")

    def __init__(self, sock: socket.socket, peer: object) -> None:
        """Take over a socket in non-blocking mode."""
        super().__init__({"peername": peer, "socket": sock})
        self._sock = sock
        self._protocol: asyncio.Protocol | None = None
        """aiohttp's, from the first request that it answers."""
        self._writing = Flow.OPEN
        self.state = State.IDLE
        self.queue = SendQueue(self.tick)
        self.since = self.tick
        """Monotonic seconds at which the state's time-out began."""

    @property
    @abstractmethod
    def tick(self) -> float:
        """Monotonic seconds at the start of the last batch."""

    @abstractmethod
    def _go_on(self) -> None:
        """Answer the requests that arrived while another one was answered."""

    @abstractmethod
    def _forget(self) -> None:
        """Report that the connection is closed."""

    def _move(self, event: Event) -> None:
        self.state = TRANSITIONS[self.state][event]

    def send(self, data: bytes) -> None:
        """Send a response while the send queue is empty."""
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        if sent != len(data):
            self._enqueue(memoryview(data)[sent:])

    def send_slice(self, head: bytes, body: FileSlice) -> None:
        """Send a response with the slice of an open file while the send queue is empty."""
        try:
            # The first bytes of the body go into the packet of the head.
            rest_of_head = send_bytes(self._sock, memoryview(head), socket.MSG_MORE)
            rest = body if rest_of_head is not None else send_file(self._sock, body)
        except OSError:
            self.abort()
            return
        for part in (rest_of_head, rest):
            if part is not None:
                self._enqueue(part)

    def _enqueue(self, part: memoryview | FileSlice) -> None:
        self.queue.add(part, self.tick)
        if self.state is _IDLE:
            self._move(Event.QUEUED)

    def _flush(self) -> None:
        try:
            self.queue.flush(self._sock, self.tick)
        except OSError:
            self.abort()
            return
        if not self.queue:
            self._on_empty_queue()

    def _on_empty_queue(self) -> None:
        if self._writing is Flow.PAUSED and self._protocol is not None:
            self._writing = Flow.OPEN
            self._protocol.resume_writing()
        if self.state in ANSWERING:
            return
        if self.state is State.CLOSING:
            self._shut_down()
        else:
            self._go_on()

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send bytes after those in the queue."""
        if self.state in GONE or not data:
            return
        view = memoryview(data if isinstance(data, bytes) else bytes(data))
        if not self.queue:
            try:
                rest = send_bytes(self._sock, view)
            except OSError:
                self.abort()
                return
            if rest is None:
                return
            view = rest
            # aiohttp sends a long body in blocks: the time-out begins with each of them.
            self.since = self.tick
        self._enqueue(view)
        is_open = self._writing is Flow.OPEN
        if self.queue.size > _HIGH_WATER and is_open and self._protocol is not None:
            self._writing = Flow.PAUSED
            self._protocol.pause_writing()

    def writelines(self, list_of_data: "Iterable[bytes | bytearray | memoryview[Any]]") -> None:
        """Send several blocks."""
        for data in list_of_data:
            self.write(data)

    def get_write_buffer_size(self) -> int:
        """Bytes in the send queue."""
        return self.queue.size

    def can_write_eof(self) -> bool:
        """False: a response ends by its length or its last chunk."""
        return False

    def is_closing(self) -> bool:
        """Whether the connection is closed, or closes after its last response."""
        return self.state in ENDING

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be sent any more."""
        return self.state in GONE

    def close(self) -> None:
        """Close the connection after the output in the queue."""
        self._move(Event.CLOSE)
        if not self.queue:
            self._shut_down()

    def _shut_down(self) -> None:
        """Shut the sending side, and wait for the client to close.

        To close with unread input would make the kernel drop output that the client has not read.
        """
        if self.state in GONE:
            return  # aiohttp closes more than once
        self._move(Event.SHUT)
        self.since = self.tick
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._lose_protocol()

    def abort(self) -> None:
        """Close the connection at once."""
        if self.state is State.CLOSED:
            return
        self._move(Event.ABORT)
        self.queue.clear()
        self._forget()
        self._sock.close()
        self._lose_protocol()

    def _lose_protocol(self) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, None)
