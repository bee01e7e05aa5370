"""Writes responses through aiohttp, and the waits of the aiohttp lane."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import aiofiles
from aiohttp import web

from origin.caching.prepared import PreparedResponse
from origin.http import http1
from origin.http.response import FileSlice
from origin.runtime.content.files import open_again
from origin.runtime.content.outcome import Outcome, Stream
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.growing_segment import unframed
from origin.runtime.server.held_requests import HeldRequest
from origin.runtime.server.parsing import ParsedRequest

BLOCK = 1 << 20
"""Bytes of a file that are in memory for one connection."""


class HeldTask(HeldRequest):
    """A request of the aiohttp lane that is held; its task waits for `outcome`."""

    __slots__ = ("outcome",)

    def __init__(self, request: ParsedRequest, since: float) -> None:
        super().__init__(request, since)
        loop = asyncio.get_running_loop()
        self.outcome: asyncio.Future[Outcome | None] = loop.create_future()
        """None if the task has to ask again."""

    @property
    def is_gone(self) -> bool:
        """Whether the task does not wait any more."""
        return self.outcome.done()

    def respond(self, response: PreparedResponse) -> None:
        """Continue the task with a response."""
        self.outcome.set_result(response)

    def stream(self, stream: Stream) -> None:  # noqa: ARG002 - it may have grown on by then
        """Let the task ask again."""
        self.outcome.set_result(None)

    def retry(self) -> None:
        """Let the task ask again."""
        self.outcome.set_result(None)


class AiohttpFollower:
    """Gets the chunks of a growing segment, for a task that writes them."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._frames: deque[bytes] = deque()
        self._is_complete = False
        self._is_cut = False
        self._news = asyncio.Event()

    @property
    def is_gone(self) -> bool:
        """Whether the client has left."""
        return self._is_cut or self._request.transport is None

    def write(self, data: bytes) -> None:
        """Take a chunk."""
        self._frames.append(data)
        self._news.set()

    def abort(self) -> None:
        """Cut the response."""
        self._is_cut = True
        self._news.set()

    def request_done(self) -> None:
        """End the response after the chunks so far."""
        self._is_complete = True
        self._news.set()

    async def chunks(self) -> AsyncIterator[memoryview]:
        """The data of each chunk, as it arrives.

        Raises:
            ConnectionError: the segment was abandoned.
        """
        while not self._is_cut:
            while self._frames:
                yield unframed(self._frames.popleft())
            if self._is_complete:
                return
            self._news.clear()
            await self._news.wait()
        if self._request.transport is not None:
            self._request.transport.abort()
        raise ConnectionResetError("the segment stopped growing")


class AiohttpWriter:
    """Accounts for the response to one request, and writes it."""

    def __init__(self, exchange: Exchange, request: web.BaseRequest, parsed: ParsedRequest) -> None:
        self._exchange = exchange
        self._request = request
        self._parsed = parsed
        self._number = exchange.stamps.next_number()
        self._now = exchange.clock.now()

    def account(self, response: PreparedResponse, seconds: float) -> None:
        """Account for the response, whose first byte took `seconds`."""
        self._exchange.accounting.account(self._parsed, response, self._number, self._now, seconds)

    async def write(self, prepared: PreparedResponse, block: bytes) -> web.StreamResponse:
        """Send a response; `block` are the first bytes of its body if that is in a file."""
        response, headers = prepared.response, self._headers(prepared)
        if not http1.has_body(self._parsed.method, response.status):
            return self._closing(web.Response(status=response.status, headers=headers))
        if isinstance(response.body, FileSlice):
            return await self._write_file(prepared, response.body, block)
        whole = web.Response(status=response.status, headers=headers, body=response.body)
        return self._closing(whole)

    async def write_chunks(
        self, prepared: PreparedResponse, follower: AiohttpFollower
    ) -> web.StreamResponse:
        """Send a growing segment.

        Raises:
            ConnectionError: the segment was abandoned, or the client has left.
        """
        response = self._closing(web.StreamResponse(headers=self._headers(prepared)))
        await response.prepare(self._request)
        async for chunk in follower.chunks():
            if chunk:
                await response.write(chunk)
        await response.write_eof()
        return response

    async def _write_file(
        self, prepared: PreparedResponse, body: FileSlice, block: bytes
    ) -> web.StreamResponse:
        """Send a slice of a file, a block at a time, as fast as the client takes it."""
        status, headers = prepared.response.status, self._headers(prepared)
        response = self._closing(web.StreamResponse(status=status, headers=headers))
        left = body.size
        await response.prepare(self._request)
        # A client that leaves during the opening leaves no open file: its object closes it.
        opened = await asyncio.to_thread(open_again, body)
        async with aiofiles.open(opened.descriptor, "rb", closefd=False) as file:
            await file.seek(body.offset + len(block))
            while block:
                await response.write(block)
                left -= len(block)
                block = await file.read(min(BLOCK, left))
        if left and self._request.transport is not None:
            # The head has promised more bytes: the client must not wait for them.
            self._request.transport.close()
        await response.write_eof()
        return response

    def _headers(self, prepared: PreparedResponse) -> dict[str, str]:
        stamps, lines = self._exchange.stamps, self._parsed.lines
        return stamps.headers(prepared.response, lines, self._number, self._now)

    def _closing(self, response: web.StreamResponse) -> web.StreamResponse:
        """`response`, the last one of its connection while the process drains."""
        if self._exchange.stamps.is_draining:
            response.force_close()
        return response
