"""The HTTP port for encoders: transport streams and FLV are pushed to `/push/KEY`.

A push is one request whose body lasts as long as the feed.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from packager.container.flv_tag import SIGNATURE
from packager.container.ts_packet import SYNC_BYTE
from packager.errors import SetupError
from packager.feed.report import Container
from packager.host.sockets import listen_at
from packager.runtime.ingest.stream_keys import (
    NoSuchKeyError,
    PublishRefusedError,
    PublishSession,
    StreamKeys,
)
from packager.transport.datagrams import address_text

PATIENCE = 30.0
"""Seconds for a request's head, for a body's first bytes, and for each `_MIN_BYTES` of it."""
_MIN_BYTES = 32 << 10
"""9 kbit/s: every feed with video has a higher bit rate."""
_MAX_CONNECTIONS = 1000
_LINGER = 2.0
"""Seconds in which a refused sender that still sends can read the reason."""
_DRAIN = 1.0
_ROUTE = "/push/{key:[^/]+}"
"""With a pattern, since a key may contain braces."""

_log = structlog.get_logger()
_silent = logging.getLogger(__name__)
"""For aiohttp, whose messages on bad requests contain keys; `_log_bugs` logs exceptions."""
_silent.addHandler(logging.NullHandler())
_silent.propagate = False


class IngestHttp:
    """The HTTP server; other receivers add their own routes beside `/push/`."""

    def __init__(self, host: str, port: int, keys: StreamKeys) -> None:
        self._host = host
        self._port = port
        self._keys = keys
        self._last_refusal = ("", "")
        self._application = web.Application(middlewares=[_log_bugs])
        self._application.add_routes([web.put(_ROUTE, self._push), web.post(_ROUTE, self._push)])
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
        """Serve `routes` too; before `start`."""
        self._application.add_routes(routes)

    async def start(self) -> None:
        """Listen.

        Raises:
            SetupError: the port cannot be opened.
        """
        await self._runner.setup()
        try:
            listener = listen_at(self._host, self._port)
        except SetupError:
            await self._runner.cleanup()
            raise
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listener)

    async def stop(self) -> None:
        """Close all connections and the port."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None or len(server.connections) >= _MAX_CONNECTIONS:
            return _RejectingProtocol()
        return server()

    async def _push(self, request: web.Request) -> web.Response:
        peer = _peer(request)
        try:
            await self._receive(request, peer)
        except _PushError as error:
            self._log_refusal(request, peer, str(error))
            response = web.Response(status=error.status, text=f"{error}\n")
            response.force_close()
            return response
        return web.Response(text="the feed has ended\n")

    async def _receive(self, request: web.Request, peer: str) -> None:
        """Pass the body to the sink of its key.

        Raises:
            _PushError: the push is refused or interrupted.
        """
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise _PushError(415, "send the feed without Content-Encoding")
        key = request.match_info["key"]
        try:
            self._keys.check(key)
            first = await _first_bytes(request)
            session = self._keys.enter(key, _container(first), peer, _abort(request))
        except PublishRefusedError as error:
            status = 404 if isinstance(error, NoSuchKeyError) else 409
            raise _PushError(status, str(error)) from None
        reason = "the connection was lost"
        try:
            session.received(first)
            await _receive_rest(request, session)
            reason = "the sender ended the feed"
        except _PushError as error:
            reason = str(error)
            raise
        finally:
            session.leave(reason)

    def _log_refusal(self, request: web.Request, peer: str, problem: str) -> None:
        """Log a refusal, unless the last one had the same sender and reason."""
        refusal = request.remote or "", problem
        if refusal != self._last_refusal:
            self._last_refusal = refusal
            _log.warning("push.refused", peer=peer, problem=problem)


@web.middleware
async def _log_bugs(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Log unexpected exceptions without the request's path, which contains a key."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 -- its text and its variables may contain the key
        name, at = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
        _log.error("ingest.request_failed", error=name, at=f"{at.filename}:{at.lineno}")
        raise web.HTTPInternalServerError from None


class _PushError(Exception):
    """A push is refused or interrupted, with an HTTP status and a reason without the key."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class _RejectingProtocol(asyncio.Protocol):
    """Closes the connection at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it."""
        transport.close()


async def _first_bytes(request: web.Request) -> bytes:
    """The first bytes of the body: enough to detect the container.

    Raises:
        _PushError: the body is empty or late.
    """
    first = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while len(first) < len(SIGNATURE) and SIGNATURE.startswith(first):
                data = await _read(request)
                if not data:
                    break
                first += data
    except TimeoutError:
        raise _PushError(408, f"no bytes of a feed within {PATIENCE:.0f} s") from None
    if not first:
        raise _PushError(400, "the body is empty")
    return first


async def _receive_rest(request: web.Request, session: PublishSession) -> None:
    """Pass the rest of the body to the session.

    Raises:
        _PushError: the body is too slow.
    """
    loop = asyncio.get_running_loop()
    deadline, size = loop.time() + PATIENCE, 0
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                data = await _read(request)
        except TimeoutError:
            reason = f"too slow for a feed: {size} bytes in {PATIENCE:.0f} s"
            raise _PushError(408, reason) from None
        if not data:
            return
        session.received(data)
        size += len(data)
        if size >= _MIN_BYTES:
            deadline, size = loop.time() + PATIENCE, 0


async def _read(request: web.Request) -> bytes:
    """The next bytes of the body; empty at its end.

    Raises:
        _PushError: the body is malformed, or the connection is lost.
    """
    try:
        return await request.content.readany()
    except HttpProcessingError:
        raise _PushError(400, "malformed chunks in the body") from None
    except ConnectionError:
        raise _PushError(400, "the connection was lost") from None


def _container(first: bytes) -> Container:
    """The container of a body that begins with `first`.

    Raises:
        _PushError: the container is not supported.
    """
    if first[0] == SYNC_BYTE:
        return Container.TS
    if first.startswith(SIGNATURE):
        return Container.FLV
    raise _PushError(415, "the body is neither a transport stream nor FLV")


def _peer(request: web.Request) -> str:
    address = request.get_extra_info("peername")
    return address_text(address) if address else "a peer that has disconnected"


def _abort(request: web.Request) -> Callable[[str], None]:
    transport = request.transport

    def abort(_: str) -> None:
        if transport is not None:
            transport.abort()

    return abort
