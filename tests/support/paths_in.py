"""Ways into the same origin: the port, the port without its fast lane, and aiohttp alone.

Their responses have the same bytes, except for the ids of requests.
"""

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from fcntl import ioctl
from fractions import Fraction
from pathlib import Path
from termios import FIONREAD, TIOCOUTQ
from typing import Protocol

from aiohttp.web_protocol import RequestHandler

from origin.http.cache_policy import CachePolicy
from origin.runtime.content.responder import Responder
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.server.aiohttp_protocol import HttpServer
from origin.runtime.server.connection.connection import Connection
from origin.runtime.server.connection.state import ANSWERING
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.fast_path import FastPath, FastPathOutcome
from origin.runtime.server.held_requests import HeldRequests
from origin.runtime.server.listener import Listener
from origin.runtime.server.periodic import PeriodicWork
from origin.runtime.server.slow_path import SlowPath
from origin.runtime.telemetry.access_log import AccessLog
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from packager.timing.clock import ManualClock
from packager.timing.ticks import UtcMicros
from tests.support.site import SOON

MEMORY = 64 << 20
_TICK = 0.1
_CALM = 3
"""Turns of the event loop in which nothing happens any more."""
_MADE_UP = re.compile(rb"X-Request-ID: [0-9a-f]{32}\r\n")


class Cold(FastPath):
    """A fast lane that answers no request."""

    def answer(self, connection: Connection, head: bytes) -> FastPathOutcome:  # noqa: ARG002
        return FastPathOutcome.NOT_PLAIN


class State(Enum):
    """The state of a connection, as a client waits for it."""

    BUSY = auto()
    CALM = auto()
    """It is open, and nothing is under way."""
    GONE = auto()
    """It is closed, or unknown to the origin."""


class Way(Protocol):
    """A way into an origin."""

    address: tuple[str, int]

    def state(self, peer: tuple[str, int]) -> "State":
        """The state of the connection from `peer`."""
        ...


@dataclass
class Core:
    """An origin without sockets."""

    clock: ManualClock
    channels: dict[str, FollowedChannel]
    responder: Responder
    exchange: Exchange
    held: HeldRequests
    log: AccessLog
    cmcd: CmcdMetrics
    server: HttpServer

    def catch_up(self) -> None:
        for channel in self.channels.values():
            channel.catch_up()

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()


def ignored(block: bytes) -> None:
    """Take a block of the access log."""


def core(data: Path, clock: ManualClock, memory: int = MEMORY) -> Core:
    """An origin of all channels below `data`."""
    channels = {
        folder.name: FollowedChannel(folder.name, folder, Fraction(20), Fraction(3600))
        for folder in data.iterdir()
    }
    responder = Responder(channels, data, CachePolicy(), memory)
    log, cmcd = AccessLog("full", ignored), CmcdMetrics()
    exchange = Exchange(responder, clock, log, cmcd)
    held = HeldRequests(exchange)
    server = HttpServer(SlowPath(exchange, held), exchange)
    made = Core(clock, channels, responder, exchange, held, log, cmcd, server)
    made.catch_up()
    return made


def _is_calm(handler: RequestHandler) -> bool:
    # Without a waiter it waits for the rest of a body that no handler reads.
    waits = not handler._messages or handler._waiter is None
    return waits and not handler._request_in_progress


class ByPort:
    """The origin's own port."""

    def __init__(self, behind: Core, hot: type[FastPath] = FastPath, most: int = 1000) -> None:
        self.core = behind
        self.hot = hot(behind.exchange, behind.held)
        self.port = Listener(self.hot, behind.server, most)
        self.periodic = PeriodicWork(
            self.port, self.hot, behind.held, behind.responder, behind.log, behind.cmcd
        )
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()

    async def start(self) -> None:
        self.port.start(self._listener)
        self.periodic.start(self.core.channels.values())

    @property
    def connections(self) -> list[Connection]:
        return self.port.connections

    def connection(self, peer: tuple[str, int]) -> Connection | None:
        for connection in self.connections:
            if connection.get_extra_info("peername") == peer:
                return connection
        return None

    def state(self, peer: tuple[str, int]) -> State:
        connection = self.connection(peer)
        if connection is None or connection.is_gone:
            return State.GONE
        if connection.queue or connection.state in ANSWERING or connection.is_unread:
            return State.BUSY
        handler = connection.protocol
        is_calm = not isinstance(handler, RequestHandler) or _is_calm(handler)
        return _state(connection.fd, is_calm=is_calm)

    async def close(self) -> None:
        await self.port.stop(0)
        self.periodic.stop()
        await self.core.server.shutdown(0)
        self._listener.close()
        self.core.close()


def _waiting(descriptor: int, queue: int) -> int:
    """Bytes in a queue of a socket: not read yet, or not acknowledged yet."""
    return int(struct.unpack("i", ioctl(descriptor, queue, bytes(4)))[0])


def _state(descriptor: int, *, is_calm: bool) -> State:
    queued = _waiting(descriptor, FIONREAD) or _waiting(descriptor, TIOCOUTQ)
    return State.CALM if is_calm and not queued else State.BUSY


class Alone:
    """aiohttp on asyncio's own sockets."""

    def __init__(self, behind: Core) -> None:
        self.core = behind
        self._server: asyncio.Server | None = None
        self._releasing: list[asyncio.Task[None]] = []
        self.address: tuple[str, int] = ("", 0)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.core.server, "127.0.0.1", 0)
        self.address = self._server.sockets[0].getsockname()
        self._releasing = [
            loop.create_task(self._release(channel)) for channel in self.core.channels.values()
        ]

    async def _release(self, channel: FollowedChannel) -> None:
        """Answer held requests, as the port's `PeriodicWork` does."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await channel.grown()
            now = self.core.clock.now()
            self.core.held.grown(channel, now)
            self.core.held.expire(now)

    def state(self, peer: tuple[str, int]) -> State:
        for handler in self.core.server.connections:
            transport = handler.transport
            if transport is not None and transport.get_extra_info("peername") == peer:
                assert isinstance(transport, asyncio.Transport)
                if transport.is_closing() and not transport.get_write_buffer_size():
                    return State.GONE
                is_calm = not transport.get_write_buffer_size() and _is_calm(handler)
                return _state(transport.get_extra_info("socket").fileno(), is_calm=is_calm)
        return State.GONE

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._releasing:
            task.cancel()
        await self.core.server.shutdown(0)
        self.core.close()


@dataclass
class Client:
    """One connection to one way in."""

    way: Way
    sock: socket.socket
    peer: tuple[str, int]
    got: bytearray
    closed: bool = False
    """It was closed from the other side."""

    def send(self, data: bytes) -> None:
        """Send a few bytes; they are dropped if the other side has closed."""
        with suppress(ConnectionError):
            while data:
                try:
                    data = data[self.sock.send(data) :]
                except BlockingIOError:
                    return

    def finish(self) -> None:
        """Send no more."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def drain(self) -> bool:
        """Receive the bytes that have arrived; whether there were any."""
        has_received = False
        while not self.closed:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                break
            except ConnectionError:
                data = b""
            self.closed = not data
            self.got += data
            has_received = True
        return has_received

    async def settle(self) -> None:
        """Return once everything that was sent is answered, as far as it ever will be."""
        calm = 0
        async with asyncio.timeout(2 * SOON):
            while calm < _CALM and not self.closed:
                has_received = self.drain()
                arrived = not _waiting(self.sock.fileno(), TIOCOUTQ)
                is_calm = not has_received and arrived and self.way.state(self.peer) is State.CALM
                calm = calm + 1 if is_calm else 0
                await asyncio.sleep(0)

    async def until_closed(self) -> bool:
        """Whether the other side hangs up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SOON):
                while not self.closed:
                    self.drain()
                    await asyncio.sleep(0)
        return self.closed

    def close(self) -> None:
        self.sock.close()

    @property
    def received(self) -> bytes:
        """The received bytes, without the ids that an origin has made."""
        return _MADE_UP.sub(b"X-Request-ID: *\r\n", bytes(self.got))


async def connect(way: Way, *, receives: int | None = None) -> Client:
    """A connection; `receives` bytes are all that the kernel takes for it."""
    sock = socket.socket()
    if receives is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    sock.settimeout(0)
    await asyncio.get_running_loop().sock_connect(sock, way.address)
    client = Client(way, sock, sock.getsockname(), bytearray())
    async with asyncio.timeout(SOON):
        while way.state(client.peer) is State.GONE and not client.closed:
            client.drain()
            await asyncio.sleep(0)
    return client


async def exchange(
    way: Way, steps: Iterable[Sequence[bytes]], *, half_close: bool = False
) -> tuple[bytes, bool]:
    """The received bytes, and whether the connection is closed from the other side then.

    The pieces of a step are sent one after the other; after each step all answers are awaited.
    """
    client = await connect(way)
    try:
        for step in steps:
            for piece in step:
                client.send(piece)
                await asyncio.sleep(0)
            await client.settle()
        if half_close:
            client.finish()
            await client.until_closed()
        return client.received, client.closed
    finally:
        client.close()


@asynccontextmanager
async def hot_port(
    data: Path, now: UtcMicros, memory: int = MEMORY, most: int = 1000
) -> AsyncIterator[ByPort]:
    """The port as it is."""
    way = ByPort(core(data, ManualClock(now), memory), most=most)
    await way.start()
    try:
        yield way
    finally:
        await way.close()
