"""The port for encoders that push by HTTP: transport streams and FLV, to `/push/KEY`.

A push is one request whose body goes on for as long as the feed does.
"""

import asyncio
import logging
import os
import traceback
from collections.abc import Awaitable, Callable, Iterable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from packager.errors import SetupError
from packager.feed.container import Container
from packager.feed.datagrams import said
from packager.runtime.sources.doors import Doors, NoSuchKeyError, RefusedError, Visit

PATIENCE = 30.0
"""Seconds for a request's head, for a body's first bytes, and for each `_LEAST` bytes of it."""
_LEAST = 32 << 10
"""Bytes: 9 kbit/s, which no feed with a picture is under."""
_CONNECTIONS = 1000
"""At a time; whoever comes then is hung up on."""
_LINGER = 2.0
"""Seconds in which a sender that was refused may read why, while it still sends."""
_DRAIN = 1.0
_FLV = b"FLV"
_PUSH = "/push/{key:[^/]+}"
"""Braces of a key would be aiohttp's own otherwise."""

_log = structlog.get_logger()
_silent = logging.getLogger(__name__)
"""Of aiohttp, whose words on bad requests have keys in them; bugs are told by `_bugs`."""
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class IngestHttp:
    """The server; other rooms have routes of their own beside `/push/`."""

    def __init__(self, host: str, port: int, doors: Doors) -> None:
        self._host = host
        self._port = port
        self._doors = doors
        self._refused = ("", "")
        self._application = web.Application(middlewares=[_bugs])
        self._application.add_routes([web.put(_PUSH, self._push), web.post(_PUSH, self._push)])
        self._runner = web.AppRunner(
            self._application,
            access_log=None,
            logger=_silent,
            auto_decompress=False,
            keepalive_timeout=PATIENCE,
            lingering_time=_LINGER,
            shutdown_timeout=_DRAIN,
        )
        self._server: asyncio.Server | None = None

    def add_routes(self, routes: Iterable[web.AbstractRouteDef]) -> None:
        """Serve these, too; before `start`."""
        self._application.add_routes(routes)

    async def start(self) -> None:
        """Listen.

        Raises:
            SetupError: the port cannot be had.
        """
        await self._runner.setup()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._accept, self._host, self._port
            )
        except OSError as error:
            await self._runner.cleanup()
            number = error.errno or 0
            reason = os.strerror(number) if number > 0 else error.strerror
            raise SetupError(f"port {self._port} on {self._host}: {reason}") from error

    async def stop(self) -> None:
        """Hang up on everybody, and let go of the port."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(server.connections) >= _CONNECTIONS:
            return _Full()
        return server()

    async def _push(self, request: web.Request) -> web.Response:
        peer = _peer(request)
        try:
            await self._take(request, peer)
        except _NoPushError as error:
            self._tell(request, peer, str(error))
            response = web.Response(status=error.status, text=f"{error}\n")
            response.force_close()
            return response
        return web.Response(text="the feed has ended\n")

    async def _take(self, request: web.Request, peer: str) -> None:
        """Bring the body to where its key leads.

        Raises:
            _NoPushError: it is none, or has become none.
        """
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise _NoPushError(415, "a feed is pushed as it is, without Content-Encoding")
        key = request.match_info["key"]
        try:
            self._doors.check(key)
            first = await _first(request)
            visit = self._doors.enter(key, _container(first), peer, _hang_up(request))
        except RefusedError as error:
            raise _NoPushError(
                404 if isinstance(error, NoSuchKeyError) else 409, str(error)
            ) from None
        left = "the connection was lost"
        try:
            visit.received(first)
            await _rest(request, visit)
            left = "the sender ended it"
        except _NoPushError as error:
            left = str(error)
            raise
        finally:
            visit.leave(left)

    def _tell(self, request: web.Request, peer: str, problem: str) -> None:
        """Who knocks again and again is told of once."""
        refused = request.remote or "", problem
        if refused != self._refused:
            self._refused = refused
            _log.warning("push.refused", peer=peer, problem=problem)


@web.middleware
async def _bugs(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Tell of what nobody foresaw, without the request's path: it has a key in it."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 -- its text and its variables may have the key, too
        name, at = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
        _log.error("ingest.broken", error=name, at=f"{at.filename}:{at.lineno}")
        raise web.HTTPInternalServerError from None


class _NoPushError(Exception):
    """A push that is refused, or cut off: with a status of HTTP, and a reason without the key."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _Full(asyncio.Protocol):
    """Hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """At once."""
        transport.close()


async def _first(request: web.Request) -> bytes:
    """The body's beginning: as much of it as tells what it is.

    Raises:
        _NoPushError: there is none.
    """
    first = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while len(first) < len(_FLV) and _FLV.startswith(first):
                data = await _more(request)
                if not data:
                    break
                first += data
    except TimeoutError:
        raise _NoPushError(408, f"no feed came within {PATIENCE:.0f} s") from None
    if not first:
        raise _NoPushError(400, "the body is empty")
    return first


async def _rest(request: web.Request, visit: Visit) -> None:
    """Bring what follows.

    Raises:
        _NoPushError: it comes too slowly.
    """
    loop = asyncio.get_running_loop()
    until, came = loop.time() + PATIENCE, 0
    while True:
        try:
            async with asyncio.timeout_at(until):
                data = await _more(request)
        except TimeoutError:
            raise _NoPushError(408, f"{came} bytes in {PATIENCE:.0f} s are no feed") from None
        if not data:
            return
        visit.received(data)
        came += len(data)
        if came >= _LEAST:
            until, came = loop.time() + PATIENCE, 0


async def _more(request: web.Request) -> bytes:
    """What has come of the body; nothing at its end.

    Raises:
        _NoPushError: it is broken, or the connection is.
    """
    try:
        return await request.content.readany()
    except HttpProcessingError:
        raise _NoPushError(400, "the body is no chunks of HTTP") from None
    except ConnectionError:
        raise _NoPushError(400, "the connection was lost") from None


def _container(first: bytes) -> Container:
    """What a body is that begins so.

    Raises:
        _NoPushError: nothing that is taken.
    """
    if first.startswith(b"\x47"):
        return Container.TS
    if first.startswith(_FLV):
        return Container.FLV
    raise _NoPushError(415, "the body is neither a transport stream nor FLV")


def _peer(request: web.Request) -> str:
    address = request.get_extra_info("peername")
    return said(address) if address else "somebody who has gone"


def _hang_up(request: web.Request) -> Callable[[str], None]:
    transport = request.transport

    def hang_up(_: str) -> None:
        if transport is not None:
            transport.abort()

    return hang_up
