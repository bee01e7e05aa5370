"""The public port: all its connections, on one epoll that the event loop watches as a whole.

An event loop spends as much on waking a callback as the hot path does on an answer, so the sockets
are not the loop's one by one: it learns that some are ready, and then all of those are served.
"""

import asyncio
import select
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from typing import TypeVar

import structlog

from origin import wire
from origin.runtime import metrics
from origin.runtime.access_log import AccessLog
from origin.runtime.answers import Answers
from origin.runtime.connection import Connection
from origin.runtime.follow import FollowedChannel
from origin.runtime.hot import HotPath, Outcome
from origin.runtime.quality import Quality
from packager.clock import monotonic

_EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_ACCEPTED = 512
"""Connections that are taken at once."""
_SEPARATOR = b"\r\n\r\n"
_IDLE = 75.0
"""Seconds that a connection is kept without a request: longer than a CDN keeps its own."""
_SLOW_REQUEST = 10.0
"""Seconds from the first byte of a request to the last of its head."""
_SLOW_READER = 30.0
"""Seconds in which a client takes something of its answer."""
_SLOWEST = 4096
"""Bytes a second that a client takes, on the whole."""
_SHUT = 2.0
"""Seconds for a client to hang up once it was told that no more comes."""
_SWEEP = 1.0
_LINES = 500
"""Of the access log, made in one step: a millisecond or two."""
_STEPS = 40
"""That log and players' words get at once, before others have their turn for longer."""
_T = TypeVar("_T")
_log = structlog.get_logger()
_STEP = 0.02
"""Seconds between two looks at who is left."""
_NOBODY_TAKES = 0.1
"""Seconds after which a connection that waits at another worker's socket is taken from there."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nCache-Control: no-store\r\nRetry-After: 2\r\n"
    b"Access-Control-Allow-Origin: *\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
_LOOKED_AT = 256
"""Connections that are looked at to find an idle one."""


class Port:
    """Takes connections, reads requests, hands on what the hot path does not answer."""

    def __init__(
        self,
        hot: HotPath,
        answers: Answers,
        protocol: Callable[[], asyncio.Protocol],
        log: AccessLog,
        quality: Quality,
        most: int,
    ) -> None:
        """Serve at most `most` connections; `protocol` makes aiohttp's part of one."""
        self._hot = hot
        self._answers = answers
        self._protocol = protocol
        self._log = log
        self._quality = quality
        self._most = most
        self._epoll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._listeners: dict[int, socket.socket] = {}
        self._neighbours: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, listener: socket.socket, neighbours: Iterable[socket.socket] = ()) -> None:
        """Take what comes at `listener`, and what nobody takes at `neighbours`."""
        loop = asyncio.get_running_loop()
        for sock in (listener, *neighbours):
            sock.settimeout(0)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._listeners[listener.fileno()] = listener
        self._neighbours = list(neighbours)
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        loop.add_reader(self._epoll.fileno(), self._serve)
        self._hot.waiting.ask = lambda asked: self._ask(asked.connection, asked.head)
        for channel in self._answers.channels:
            self._tasks.append(loop.create_task(self._let_go(channel)))
        self._tasks.append(loop.create_task(self._sweep_now_and_then()))
        self._tasks.append(loop.create_task(self._keep_time()))

    @property
    def tick(self) -> float:
        """Monotonic seconds, at the last batch."""
        return self._hot.tick

    def _serve(self) -> None:
        self._hot.serve(self._epoll.poll, self._open, self._accept_at)

    def _accept_at(self, descriptor: int) -> None:
        """Take who waits at a listener; a connection that was closed meanwhile is none."""
        if (listener := self._listeners.get(descriptor)) is not None:
            self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED):
            try:
                sock, peer = listener.accept()
            except OSError:
                return  # there is none, it left again, or there are no more descriptors
            if len(self._open) >= self._most and not self._make_room():
                with suppress(OSError):
                    sock.settimeout(0)
                    sock.send(_FULL)
                sock.close()
                metrics.CLOSED_CONNECTIONS.labels("full").inc()
                continue
            sock.settimeout(0)
            connection = Connection(sock, peer, self)
            self._open[connection.fd] = connection
            self._epoll.register(connection.fd, _EDGES)

    def _make_room(self) -> bool:
        """Close one that has nothing to do, of those that came first."""
        for connection in islice(self._open.values(), _LOOKED_AT):
            if not (connection.busy or connection.out or connection.pending or connection.begun):
                # At once: who is in no hurry to hang up would be one more meanwhile.
                metrics.CLOSED_CONNECTIONS.labels("full").inc()
                connection.abort()
                return True
        return False

    def requests(self, connection: Connection, data: bytes) -> None:
        """Answer what is in `data`, one request after the other, as far as it goes."""
        if connection.idle:
            connection.since = self.tick
        while data:
            end = data.find(_SEPARATOR) + 4
            if end < 4:  # noqa: PLR2004 - the separator's own length
                if not wire.may_become_plain(data):
                    self._hand_over(connection, data)
                else:
                    connection.pending = data
                return
            head = data if end == len(data) else data[:end]
            outcome = self._hot.answer(connection, head)
            if outcome is Outcome.ODD:
                self._hand_over(connection, data)
                return
            data = data[end:]
            if outcome is Outcome.ASK:
                connection.pending = data
                self._ask(connection, head)
                return
            if outcome is Outcome.HELD and connection.busy:
                connection.pending = data
                return
            connection.since = self.tick
            if connection.out or connection.closing:
                connection.pending = data
                return

    def _ask(self, connection: Connection, head: bytes) -> None:
        """Have aiohttp answer a request."""
        connection.busy = True
        self._protocol_of(connection).data_received(head)

    def _hand_over(self, connection: Connection, data: bytes) -> None:
        connection.odd = connection.begun = True
        self._protocol_of(connection).data_received(data)

    def _protocol_of(self, connection: Connection) -> asyncio.Protocol:
        if connection.protocol is None:
            connection.protocol = self._protocol()
            connection.protocol.connection_made(connection)
        return connection.protocol

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        if self._open.get(connection.fd) is connection:
            del self._open[connection.fd]

    async def _let_go(self, channel: FollowedChannel) -> None:
        """Answer who waits for what a channel has, whenever it has more."""
        while True:
            await channel.grown()
            _done(lambda: self._hot.grown(channel))

    async def _keep_time(self) -> None:
        """Know how late this process is, and take what other workers leave lying."""
        loop = asyncio.get_running_loop()
        load = self._answers.load
        while True:
            due = loop.time() + _NOBODY_TAKES
            await asyncio.sleep(_NOBODY_TAKES)
            late = max(0.0, loop.time() - due)
            # One long step is no overload yet; several in a row are.
            load.lag = late if late < load.lag else (load.lag + late) / 2
            self._hot.tick = monotonic()
            _done(self._hot.expire)
            for listener in self._neighbours:
                if len(self._open) < self._most:
                    self._accept(listener)
            for step in (self._write_some, self._quality.flush):
                for _ in range(_STEPS):
                    if not _done(step):
                        break
                    await asyncio.sleep(0)

    def _write_some(self) -> int:
        return self._log.flush(_LINES)

    async def _sweep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            _done(lambda: self.sweep(monotonic()))
            _done(self.hand_on)

    def hand_on(self) -> None:
        """Give to metrics and log what was counted and noted since the last time."""
        metrics.hand_on(self._answers.tallies)
        self._log.flush()
        metrics.OPEN_CONNECTIONS.set(len(self._open))
        metrics.HELD_REQUESTS.set(len(self._hot.waiting) + self._answers.waiting)
        metrics.READY_BYTES.set(self._answers.shelf.octets)
        metrics.LOOP_LAG.set(self._answers.load.lag)

    def sweep(self, now: float) -> None:
        """End the connections that take too long over anything."""
        for connection in list(self._open.values()):
            if (reason := _fault(connection, now)) is not None:
                self._close(connection, reason)

    def _close(self, connection: Connection, reason: str) -> None:
        metrics.CLOSED_CONNECTIONS.labels(reason).inc()
        if connection.out or connection.is_shut:
            connection.abort()
        else:
            connection.close()

    async def leave(self, idle: float, longest: float, hurry: Callable[[], bool]) -> None:
        """Take no more connections; let those that are there end in peace.

        Each is told with its next answer that it was the last. One that sends no request for `idle`
        seconds is closed; after `longest`, or once `hurry` says so, nobody is waited for.
        """
        self._take_no_more()
        began = monotonic()
        while self._open and monotonic() - began < longest and not hurry():
            if monotonic() - began >= idle:
                self._close_idle()
            await asyncio.sleep(_STEP)

    async def stop(self, patience: float) -> None:
        """Take no more connections, finish within `patience` seconds what is under way, close."""
        self._take_no_more()
        began = monotonic()
        while self._open and monotonic() - began < patience:
            self._close_idle()
            await asyncio.sleep(_STEP)
        for connection in list(self._open.values()):
            connection.abort()
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        for task in self._tasks:
            task.cancel()
        _done(self.hand_on)
        self._epoll.close()

    def _take_no_more(self) -> None:
        for descriptor in self._listeners:
            self._epoll.unregister(descriptor)
        self._listeners.clear()
        self._neighbours.clear()
        self._answers.last = True
        self._hot.forget()

    def _close_idle(self) -> None:
        for connection in list(self._open.values()):
            if not (connection.busy or connection.out or connection.pending):
                connection.close()


def _done(step: Callable[[], _T]) -> _T | None:
    """What `step` returns; if it fails that is logged, and what comes after it is done."""
    try:
        return step()
    except Exception:  # noqa: BLE001 - whatever it is, the next step is still to be done
        _log.exception("port.step-failed")
        return None


def _fault(connection: Connection, now: float) -> str | None:
    """Why a connection is to be ended at an instant of the monotonic clock."""
    quiet = now - connection.since
    if connection.is_shut:
        return "left" if quiet > _SHUT else None
    if connection.out:
        slow = quiet > _SLOW_READER + connection.owed / _SLOWEST
        stuck = now - connection.progress > _SLOW_READER
        return "slow-reader" if stuck or slow else None
    if connection.busy:
        return None
    if connection.pending or connection.begun:
        return "slow-request" if quiet > _SLOW_REQUEST else None
    return "idle" if quiet > _IDLE else None
