"""The public port: all its connections, on one epoll that the event loop watches as a whole.

An event loop spends as much time on one callback as the fast lane on one response. So the loop
watches a single descriptor; when it is ready, all ready connections are served.
"""

import asyncio
import select
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice

from origin.http import http1
from origin.runtime.server.connection.connection import Connection
from origin.runtime.server.connection.state import State
from origin.runtime.server.connection.timeouts import overdue
from origin.runtime.server.fast_path import NEEDS_TASK, NOT_PLAIN, FastPath
from origin.runtime.telemetry import metrics
from packager.timing.clock import monotonic

_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_IDLE = State.IDLE
_ACCEPTED = 512
"""Connections that are accepted at once."""
_SEPARATOR = b"\r\n\r\n"
_STEP = 0.02
"""Seconds between two looks at the connections that are still open."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: 2\r\n"
    b"Access-Control-Allow-Origin: *\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_CANDIDATES = 256
"""Connections that are looked at to find an idle one."""


class Listener:
    """Accepts connections and reads requests; hands those that are not plain to aiohttp."""

    def __init__(
        self, fast_path: FastPath, aiohttp_protocol: Callable[[], asyncio.Protocol], most: int
    ) -> None:
        """Serve at most `most` connections; `aiohttp_protocol` makes aiohttp's part of one."""
        self._fast_path = fast_path
        self._make_protocol = aiohttp_protocol
        self._most = most
        self._epoll = select.epoll()
        self._connections: dict[int, Connection] = {}
        self._sockets: dict[int, socket.socket] = {}
        self._neighbours: list[socket.socket] = []

    def start(self, listener: socket.socket, neighbours: Iterable[socket.socket] = ()) -> None:
        """Accept the connections of `listener`; `neighbours` are the sockets of other workers."""
        for sock in (listener, *neighbours):
            sock.settimeout(0)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sockets[listener.fileno()] = listener
        self._neighbours = list(neighbours)
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._serve)

    @property
    def connections(self) -> list[Connection]:
        """All open connections, the oldest first."""
        return list(self._connections.values())

    def __len__(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    def _serve(self) -> None:
        self._fast_path.serve(self._epoll.poll, self._connections, self._accept_at)

    # Accepting.

    def _accept_at(self, descriptor: int) -> None:
        """Accept at a listening socket; a connection that was closed meanwhile has none."""
        if (listener := self._sockets.get(descriptor)) is not None:
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED):
            try:
                sock, peer = listener.accept()
            except OSError:
                return  # no connection waits, it was closed, or the descriptors are used up
            if len(self._connections) >= self._most and not self._make_room():
                with suppress(OSError):
                    sock.settimeout(0)
                    sock.send(_FULL)
                sock.close()
                metrics.CLOSED_CONNECTIONS.labels("full").inc()
                continue
            sock.settimeout(0)
            connection = Connection(sock, peer, self)
            self._connections[connection.fd] = connection
            self._epoll.register(connection.fd, _EDGES)

    def _make_room(self) -> bool:
        """Close one of the oldest connections if it is idle; whether there was one."""
        for connection in islice(self._connections.values(), _CANDIDATES):
            if not connection.has_work and connection.state is not State.RECEIVING:
                # At once: while it waited for its client it would still count.
                metrics.CLOSED_CONNECTIONS.labels("full").inc()
                connection.abort()
                return True
        return False

    def help_neighbours(self) -> None:
        """Accept connections that wait at other workers' sockets."""
        for listener in self._neighbours:
            if len(self._connections) < self._most:
                self._accept(listener)

    # ConnectionOwner.

    @property
    def tick(self) -> float:
        """Monotonic seconds at the start of the last batch."""
        return self._fast_path.tick

    def requests(self, connection: Connection, data: bytes) -> None:
        """Answer the requests in `data`, one after the other, as far as that is possible."""
        if connection.state is _IDLE:
            connection.since = self.tick
        while data:
            end = data.find(_SEPARATOR) + len(_SEPARATOR)
            if end < len(_SEPARATOR):
                self._keep_partial(connection, data)
                return
            head, rest = (data, b"") if end == len(data) else (data[:end], data[end:])
            outcome = self._fast_path.answer(connection, head)
            if outcome is NOT_PLAIN:
                connection.hand_over(data)
                return
            if outcome is NEEDS_TASK:
                connection.pending = rest
                connection.ask_aiohttp(head)
                return
            connection.since = self.tick
            data = rest
            if connection.state is _IDLE:
                continue
            if connection.has_work or connection.is_closing():
                connection.pending = rest
                return

    def _keep_partial(self, connection: Connection, data: bytes) -> None:
        if http1.may_become_plain(data):
            connection.pending = data
        else:
            connection.hand_over(data)

    def aiohttp_protocol(self) -> asyncio.Protocol:
        """A new protocol of aiohttp's, for one connection."""
        return self._make_protocol()

    def forget(self, connection: Connection) -> None:
        """Drop a connection that is closed."""
        if self._connections.get(connection.fd) is connection:
            del self._connections[connection.fd]

    # Closing.

    def sweep(self, now: float) -> None:
        """End the connections whose time is up at `now` (monotonic seconds)."""
        for connection in self.connections:
            if (reason := overdue(connection, now)) is None:
                continue
            metrics.CLOSED_CONNECTIONS.labels(reason).inc()
            if connection.queue or connection.state is State.SHUT:
                connection.abort()
            else:
                connection.close()

    async def leave(self, idle: float, longest: float, hurry: Callable[[], bool]) -> None:
        """Accept no more connections; wait until the clients have closed theirs.

        Each response announces that it is the connection's last. A connection without a request for
        `idle` seconds is closed. The wait ends after `longest` seconds, or when `hurry` is true.
        """
        self._stop_accepting()
        began = monotonic()
        while self._connections and monotonic() - began < longest and not hurry():
            if monotonic() - began >= idle:
                self._close_idle()
            await asyncio.sleep(_STEP)

    async def stop(self, patience: float) -> None:
        """Accept no more connections, finish responses for `patience` seconds, close the rest."""
        self._stop_accepting()
        began = monotonic()
        while self._connections and monotonic() - began < patience:
            self._close_idle()
            await asyncio.sleep(_STEP)
        for connection in self.connections:
            connection.abort()
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _stop_accepting(self) -> None:
        for descriptor in self._sockets:
            self._epoll.unregister(descriptor)
        self._sockets.clear()
        self._neighbours.clear()
        self._fast_path.drain()

    def _close_idle(self) -> None:
        for connection in self.connections:
            if not connection.has_work:
                connection.close()
