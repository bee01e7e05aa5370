"""aiohttp's connections, with our own words where it answers by itself."""

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from origin.answer import plain
from origin.runtime.headers import headers_of

_CRASHED = 500
_log = structlog.get_logger()


class _Connection(RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = _CRASHED,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request, and to one whose handling crashed."""
        if status == _CRASHED:
            _log.error("request.crashed", path=request.path, exc_info=exc)
        else:
            _log.info("request.refused", status=status, problem=str(message)[:200])
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun: all that is left is to hang up")
        reason = "something went wrong" if status == _CRASHED else "not a request"
        answer = plain(status, reason, "no-store")
        response = web.Response(
            status=status, headers=headers_of(answer, request), body=answer.body
        )
        response.force_close()
        return response


class HttpServer(web.Server):
    """Gives each connection to one handler; there are no routes."""

    def __call__(self) -> RequestHandler:
        """A new connection."""
        return _Connection(self, loop=self._loop, **self._kwargs)
