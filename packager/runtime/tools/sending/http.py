"""Sends over HTTP: one PUT request with a chunked body for each connection."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import SplitResult

import aiohttp

from packager.errors import FeedError
from packager.feed.report import Container
from packager.runtime.tools.sending.target import without_secret

_TIMEOUT = 10.0
"""Seconds for a connection, and for the response after the body's end."""
_MAX_QUEUED = 64
"""Pieces of the body that wait for a slow receiver."""
_CONTENT_TYPES = {Container.TS: "video/mp2t", Container.FLV: "video/x-flv"}


@dataclass(slots=True)
class HttpTarget:
    """A PUT request whose body lasts as long as the connection."""

    url: SplitResult
    _queue: "asyncio.Queue[bytes]" = field(default_factory=lambda: asyncio.Queue(_MAX_QUEUED))
    _request: "asyncio.Task[None] | None" = None

    async def begin(self, container: Container) -> None:
        """Begin the request."""
        self._queue = asyncio.Queue(_MAX_QUEUED)
        self._request = asyncio.create_task(self._put(container))

    async def _put(self, container: Container) -> None:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT)
        headers = {"Content-Type": _CONTENT_TYPES[container]}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.put(self.url.geturl(), data=self._body(), headers=headers) as response,
            ):
                if response.status >= 300:  # noqa: PLR2004 - a refusal or a redirect
                    reason = (await response.content.read(200)).decode(errors="replace").strip()
                    raise self._error(f"{response.status} {reason}".strip())
        except (aiohttp.ClientError, OSError) as error:
            raise self._error(getattr(error, "strerror", None) or type(error).__name__) from error

    def _error(self, reason: str) -> FeedError:
        return FeedError(f"{without_secret(self.url)}: {reason}")

    async def _body(self) -> AsyncIterator[bytes]:
        while data := await self._queue.get():
            yield data

    async def write(self, data: bytes, at: int) -> None:
        """Append to the body."""
        del at
        if data:
            await self._enqueue(data)

    async def _enqueue(self, data: bytes) -> None:
        """Wait for room in the queue, or for the end of the request."""
        request = self._request
        if request is None:
            return
        putting = asyncio.ensure_future(self._queue.put(data))
        try:
            await asyncio.wait((putting, request), return_when=asyncio.FIRST_COMPLETED)
            if request.done():
                await request
                raise self._error("the server responded before the end of the body")
        finally:
            putting.cancel()

    async def end(self) -> None:
        """End the body, and wait for the response.

        Raises:
            FeedError: the request failed.
        """
        await self._enqueue(b"")
        if self._request is not None:
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await self._request
            except TimeoutError:
                raise self._error("no response") from None
            finally:
                self._request = None

    async def abort(self) -> None:
        """Break the connection."""
        if self._request is not None:
            self._request.cancel()
            await asyncio.wait([self._request])
            self._request = None
