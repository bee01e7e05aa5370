"""aiohttp's part of a connection, with our own words where it answers by itself."""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from origin.access import shown
from origin.answer import plain
from origin.runtime.connection import Connection
from origin.runtime.headers import Stamps, headers_of, lines_of

_CRASHED = 500
_FOR_EVER = 1e9
"""Seconds."""
_LINGER = 2.0
"""Seconds for the rest of a body that nobody asked for, also where its client has left."""
_log = structlog.get_logger()


class _Protocol(RequestHandler):
    """What is not answered by the hot path."""

    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send what is left of an answer; the next request may be anybody's."""
        sent = await super().finish_response(request, resp, start_time)
        if isinstance(self.transport, Connection):
            self.transport.answered(last=not sent[0].keep_alive)
        return sent

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _CRASHED,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes what was sent, secrets too
    ) -> web.StreamResponse:
        """The answer to what is no request, and to one whose handling crashed."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client left: nothing crashed
        if status == _CRASHED:
            _log.error("request.crashed", path=shown(request.path), exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: all that is left is to hang up")
        reason = "something went wrong" if status == _CRASHED else "not a request"
        answer = plain(status, reason, "no-store")
        manager = self._manager
        if not isinstance(manager, HttpServer):
            raise ConnectionError("nobody is there any more")
        headers = headers_of(answer, lines_of(request), manager.stamps)
        manager.refused(status, headers["X-Request-ID"], request.remote or "")
        response = web.Response(status=status, headers=headers, body=answer.body)
        response.force_close()
        return response


class HttpServer(web.Server):
    """Gives each connection to one handler; there are no routes."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        stamps: Stamps,
        refused: Callable[[int, str, str], None],
    ) -> None:
        """Have `handler` answer; `refused` is told of what was no request.

        It is given the status, the id that was made for it, and the client's address.
        """
        self.refused = refused
        # Connections that do nothing are the port's to end, which knows of all their requests.
        super().__init__(
            self._handle, access_log=None, keepalive_timeout=_FOR_EVER, lingering_time=_LINGER
        )
        self.stamps = stamps
        self._handler = handler

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.transport, Connection):
            request.transport.asked()
        return await self._handler(request)

    def __call__(self) -> RequestHandler:
        """Aiohttp's part of a new connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)
