"""What the hot path leaves to aiohttp: a request in, an answer out, in its own time."""

import asyncio

import aiofiles
import structlog
from aiohttp import web

from origin import wire
from origin.admission import admits
from origin.answer import Answer, Slice, conditioned
from origin.runtime.answers import Answers, Ready, read_slice
from origin.runtime.headers import Stamps, headers_of, lines_of
from origin.wire import Lines
from packager.clock import Clock, monotonic
from packager.errors import MediaError, StoreError

_PIECE = 1 << 20
"""Bytes of a file that are in memory for one connection."""
_METHODS = ("GET", "HEAD")


class Handlers:
    """Answers every request of the public port."""

    def __init__(self, answers: Answers, clock: Clock, stamps: Stamps) -> None:
        """Answer with what `answers` makes."""
        self._answers = answers
        self._clock = clock
        self._stamps = stamps
        self._log = structlog.get_logger()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        started = monotonic()
        lines = lines_of(request)
        url = request.rel_url
        ready = self._answers.target(url.raw_path, url.raw_query_string).ready
        load = self._answers.load
        load.making += 1
        try:
            answer = await self._answer(ready, request, lines)
            begun = monotonic()
            try:
                response = await self._send(request, answer, lines)
            except StoreError as error:
                # Trimmed since the decision, or not in the store as recorded.
                self._log.error("media.unreadable", path=request.path, problem=str(error))
                answer = self._answers.unreadable(ready)
                response = await self._send(request, answer, lines)
        finally:
            load.making -= 1
        if self._answers.last:
            response.force_close()
        tally = self._answers.tallies.of(ready.name, ready.kind, answer.status)
        tally.note(
            answer.size if wire.has_body(request.method, answer.status) else 0, begun - started
        )
        return response

    async def _answer(self, ready: Ready, request: web.BaseRequest, lines: Lines) -> Answer:
        if request.method not in _METHODS:
            return self._answers.other_method(request.method)
        now, zipped = self._clock.now(), lines.zipped
        reply = self._answers.at_hand(ready, now, zipped=zipped)
        if reply is not None:
            answer = reply.answer
        elif not admits(self._answers.load, ready.request):
            answer = self._answers.put_off(ready).answer
        else:
            try:
                answer = await self._answers.in_time(ready, zipped=zipped)
            except (OSError, StoreError, MediaError) as error:
                # Named in the journal, not to be had from the store: another origin may have it.
                self._log.error("media.unreadable", path=request.path, problem=str(error))
                return self._answers.unreadable(ready)
        if answer.status != 200:  # noqa: PLR2004
            return answer
        return conditioned(answer, request.method, lines.conditions or {}, self._answers.refused)

    async def _send(
        self, request: web.BaseRequest, answer: Answer, lines: Lines
    ) -> web.StreamResponse:
        headers, body = headers_of(answer, lines, self._stamps), answer.body
        if not wire.has_body(request.method, answer.status):
            if isinstance(body, Slice):
                await asyncio.to_thread(read_slice, body, 0)
            return web.Response(status=answer.status, headers=headers)
        if isinstance(body, Slice):
            return await self._stream(request, answer.status, body, headers)
        return web.Response(status=answer.status, headers=headers, body=body)

    async def _stream(
        self, request: web.BaseRequest, status: int, body: Slice, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Send a part of a file, a piece at a time, as fast as the client takes it.

        Raises:
            StoreError: the file is not as recorded; nothing has been sent yet.
        """
        response = web.StreamResponse(status=status, headers=headers)
        piece = await asyncio.to_thread(read_slice, body, min(_PIECE, body.size))
        left = body.size
        await response.prepare(request)
        async with aiofiles.open(body.path, "rb") as file:
            await file.seek(body.offset + len(piece))
            while piece:
                await response.write(piece)
                left -= len(piece)
                piece = await file.read(min(_PIECE, left))
        if left and request.transport is not None:
            # The length is out: a client that is not hung up on would wait for the rest.
            request.transport.close()
        await response.write_eof()
        return response
