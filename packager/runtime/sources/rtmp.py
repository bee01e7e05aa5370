"""RTMP and RTMPS: encoders that publish to us, all channels' at one port."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self, assert_never, cast

import structlog

from packager.feed.container import Container
from packager.listening import listen_at
from packager.rtmp.session import Ended, Event, Media, PublishWanted, Send, Session
from packager.runtime.sources.doors import Doors, RefusedError, Visit
from packager.runtime.sources.rounds import Rounds
from packager.runtime.sources.strangers import Nothings, Waiting
from packager.runtime.sources.tls import Tls

_ROOM = 1 << 18
"""Bytes that are received at once."""
_BACKLOG = 256
"""Connections that are taken at once: so many are there at most beyond those that are allowed."""
_UNREAD = 1 << 16
"""Bytes of ours that a client may leave unread."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    publish: float = 10.0
    """From the connection until somebody publishes."""
    silence: float = 30.0
    """Without a byte from somebody who does."""
    farewell: float = 2.0
    """For the other side to hear why it is over, and hang up."""


class RtmpServer:
    """Takes connections, and brings what is published to the doors it is meant for."""

    def __init__(
        self,
        host: str,
        port: int,
        doors: Doors,
        tls: ssl.SSLContext | None = None,
        *,
        patience: Patience | None = None,
        most: int = 256,
    ) -> None:
        """With `tls`, speak RTMPS; keep at most `most` connections that do not publish."""
        self.doors = doors
        self.tls = tls
        self.patience = patience or Patience()
        self.buffer = memoryview(bytearray(_ROOM))
        """Where every connection's bytes are received, one connection after the other."""
        self.rounds = Rounds(self.buffer)
        """Who publishes is read in these."""
        self.waiting = Waiting[_Connection](most)
        self.nothings = Nothings()
        self._host, self._port = host, port
        self._open: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens: what the kernel chose, where 0 was asked for."""
        assert self._server is not None  # noqa: S101 -- before start there is none
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen.

        Raises:
            SetupError: the port cannot be had.
        """
        loop = asyncio.get_running_loop()
        listener = listen_at(self._host, self._port)
        # What we say is short: no more of it is kept for who does not read.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD)
        self._server = await loop.create_server(
            lambda: _Connection(self, loop), sock=listener, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server is not None:
            self._server.close()
            for connection in list(self._open):
                connection.hang_up("the server stops")
                connection.abort()
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def made(self, connection: "_Connection") -> None:
        """Somebody has come."""
        self._open.add(connection)
        dropped = self.waiting.add(connection, connection.address)
        if dropped is not None:
            dropped.drop("too many connections that do not publish")

    def lost(self, connection: "_Connection") -> None:
        """Somebody is gone."""
        self._open.discard(connection)
        self.waiting.remove(connection)


class _Connection(asyncio.BufferedProtocol):
    def __init__(self, server: RtmpServer, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._session = Session()
        self._tls = None if server.tls is None else Tls(server.tls)
        self._visit: Visit | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        """When the last bytes came, on the loop's clock; 0: none did."""
        self._over = False
        self.address = self.peer = ""

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- of a TCP server
        self._transport = transport
        self.address, self.peer = _named(transport.get_extra_info("peername"))
        self._wait(self._server.patience.publish, self._too_slow)
        self._server.made(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 -- there is one for all
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._over:
            return
        try:
            self._received(nbytes)
        except Exception:  # noqa: BLE001 -- a fault of ours costs no other connection
            _log.exception("rtmp.crashed", peer=self.peer)
            self.drop("a fault of ours")

    def _received(self, nbytes: int) -> None:
        self._heard = self._loop.time()
        data = bytes(self._server.buffer[:nbytes])
        if self._tls is not None:
            try:
                data = self._tls.receive(data)
            except ssl.SSLError as error:
                self._write(self._tls.take())
                self.hang_up(f"TLS: {(error.reason or 'not understood').lower()}")
                return
            self._write(self._tls.take())
        if data:
            self._do(self._session.receive(data))
        if self._tls is not None and self._tls.over:
            self._leave("the encoder hung up", patient=False)

    def eof_received(self) -> None:
        self._ended("the encoder hung up")

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended("the encoder hung up" if exc is None else _words(exc))
        if self._timer is not None:
            self._timer.cancel()
        self._server.lost(self)

    # What the session says.

    def _do(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Media(data):
                    if self._visit is not None:
                        self._visit.received(data)
                case Send(data):
                    self._say(data)
                case PublishWanted(keys):
                    self._ask(keys)
                case Ended(reason, farewell):
                    self._leave(reason, patient=farewell)
                case _:
                    assert_never(event)

    def _ask(self, keys: tuple[str, ...]) -> None:
        doors = self._server.doors
        key = next(filter(doors.knows, keys), "")
        try:
            self._visit = doors.enter(key, Container.FLV, self.peer, self.hang_up)
        except RefusedError as refusal:
            self._do(self._session.dismiss(str(refusal)))
            return
        self._server.waiting.remove(self)
        if self._transport is not None:
            self._server.rounds.enter(self._transport, self.buffer_updated)
        self._wait(self._server.patience.silence, self._listen)
        _log.info("rtmp.publishing", peer=self.peer)
        self._do(self._session.accept())

    def hang_up(self, reason: str) -> None:
        """End it from our side."""
        self._do(self._session.dismiss(reason))

    def _leave(self, reason: str, *, patient: bool) -> None:
        """Wait a little before hanging up: who does so at once on who still sends is not heard.

        That no more comes is told at once, unless we are `patient`.
        """
        self._ended(reason)
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if not patient:
                self._say_no_more(transport)
            self._wait(self._server.patience.farewell, self.abort)

    def _ended(self, reason: str) -> None:
        if self._over:
            return
        self._over = True
        if self._transport is not None:
            self._server.rounds.leave(self._transport)
        if self._visit is not None:
            self._visit.leave(reason)
            _log.info("rtmp.ended", peer=self.peer, reason=reason)
        elif self._heard:
            self._server.nothings.told(self.peer, reason, self._loop.time())

    # The connection itself.

    def _say(self, data: bytes) -> None:
        if self._tls is not None:
            try:
                self._tls.send(data)
            except ssl.SSLError:
                return  # it ended before it began, or the other side has said goodbye
            data = self._tls.take()
        self._write(data)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if not data or transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > _UNREAD:
            self.drop("it does not read what it is told")

    def _say_no_more(self, transport: asyncio.Transport) -> None:
        if self._tls is not None:
            self._tls.end()
            transport.write(self._tls.take())
        with suppress(OSError):  # the other side was quicker
            transport.write_eof()

    def drop(self, reason: str) -> None:
        """End it without a word to the other side."""
        self._heard = self._heard or self._loop.time()
        self._ended(reason)
        self.abort()

    def abort(self) -> None:
        """Be rid of it."""
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)

    def _too_slow(self) -> None:
        self._heard = self._heard or self._loop.time()
        self.hang_up(f"nothing is published after {self._server.patience.publish:g} s")

    def _listen(self) -> None:
        """Hang up on a publisher that is not heard of."""
        patience = self._server.patience.silence
        left = self._heard + patience - self._loop.time()
        if left > 0:
            self._wait(left, self._listen)
        else:
            self.hang_up(f"no byte for {patience:g} s")


def _named(peer: object) -> tuple[str, str]:
    """Address alone and with its port."""
    match cast("tuple[object, ...] | None", peer):
        case (str(address), int(port), *_):
            return address, f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        case _:
            return "", "somebody who is gone"


def _words(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return f"the connection is lost: {reason or type(error).__name__}"
