"""aiohttp's part of a connection, with the origin's own error responses."""

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from origin.access.playback import shown
from origin.http.response import Response, plain
from origin.runtime.server.connection.connection import Connection
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.parsing import lines_of
from origin.runtime.server.slow_path import SlowPath

_CRASHED = 500
_FOR_EVER = 1e9
"""Seconds."""
_LINGER = 2.0
"""Seconds for the rest of a body that the origin does not read, also where its client has left."""
_log = structlog.get_logger()


class _Protocol(RequestHandler):
    """One connection's requests that the fast lane does not answer."""

    __slots__ = ()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the rest of a response; the fast lane may read the next request."""
        sent = await super().finish_response(request, resp, start_time)
        if isinstance(self.transport, Connection):
            self.transport.aiohttp_done(last=not sent[0].keep_alive)
        return sent

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _CRASHED,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it quotes the request, with its secrets
    ) -> web.StreamResponse:
        """The response to bytes that are not a request, and to a request whose handler crashed."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client left, or its response was cut
        if status == _CRASHED:
            _log.error("request.crashed", path=shown(request.path), exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("the response has begun: only closing is left")
        manager = self._manager
        if not isinstance(manager, HttpServer):
            raise ConnectionError("the connection is closed")
        reason = "internal error" if status == _CRASHED else "not a valid HTTP request"
        answer = plain(status, reason, "no-store")
        headers = manager.account_error(request, answer)
        response = web.Response(status=status, headers=headers, body=answer.body)
        response.force_close()
        return response


class HttpServer(web.Server):
    """Makes aiohttp's part of each connection; all requests have one handler."""

    def __init__(self, slow_path: SlowPath, exchange: Exchange) -> None:
        """Let `slow_path` answer."""
        # The listener ends idle connections: it knows the requests of both lanes.
        super().__init__(
            self._handle, access_log=None, keepalive_timeout=_FOR_EVER, lingering_time=_LINGER
        )
        self._slow_path = slow_path
        self._exchange = exchange

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.transport, Connection):
            request.transport.request_taken()
        return await self._slow_path.handle(request)

    def account_error(self, request: web.BaseRequest, response: Response) -> dict[str, str]:
        """Account for an error response that no request was parsed for; returns its headers."""
        stamps, now = self._exchange.stamps, self._exchange.clock.now()
        lines, number = lines_of(request), stamps.next_number()
        request_id, client = stamps.request_id(lines, number), request.remote or ""
        self._exchange.accounting.account_malformed(response.status, request_id, client, now)
        return stamps.headers(response, lines, number, now)

    def __call__(self) -> RequestHandler:
        """Aiohttp's part of a new connection."""
        return _Protocol(self, loop=self._loop, **self._kwargs)
