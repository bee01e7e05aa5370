"""What the hot path leaves to aiohttp: a request in, an answer out, in its own time."""

import asyncio

import aiofiles
import structlog
from aiohttp import web

from origin import wire
from origin.admission import admits
from origin.answer import Answer, Slice, conditioned
from origin.runtime.access_log import ERROR, LONGEST_PATH, AccessLog, Entry
from origin.runtime.answers import Answers, Target
from origin.runtime.files import path_of, read_slice
from origin.runtime.headers import Stamps, headers_of, lines_of
from origin.runtime.quality import Quality
from origin.wire import Lines
from packager.clock import Clock, monotonic
from packager.errors import MediaError, StoreError

_PIECE = 1 << 20
"""Bytes of a file that are in memory for one connection."""
_METHODS = ("GET", "HEAD")


class Handlers:
    """Answers every request of the public port."""

    def __init__(
        self, answers: Answers, clock: Clock, stamps: Stamps, log: AccessLog, quality: Quality
    ) -> None:
        """Answer with what `answers` makes; note what players say of themselves."""
        self._quality = quality
        self._access_log = log
        self._answers = answers
        self._clock = clock
        self._stamps = stamps
        self._answered = 0
        self._log = structlog.get_logger()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        started = monotonic()
        lines = lines_of(request)
        url = request.rel_url
        target = self._answers.target(url.raw_path, url.raw_query_string)
        ready = target.ready
        load = self._answers.load
        load.making += 1
        try:
            answer = await self._answer(target, request, lines)
            begun = monotonic()
            try:
                response = await self._send(request, answer, lines)
            except StoreError as error:
                # Trimmed since the decision, or not in the store as recorded.
                self._log.error("media.unreadable", path=target.path, problem=str(error))
                answer = self._answers.unreadable(ready)
                response = await self._send(request, answer, lines)
        finally:
            load.making -= 1
        if self._answers.last:
            response.force_close()
        octets = answer.size if wire.has_body(request.method, answer.status) else 0
        tally = self._answers.tallies.of(ready.name, ready.kind, answer.status)
        tally.note(octets, begun - started)
        if answer.status < ERROR:
            cdn, now = target.cdn(lines), self._clock.now()
            self._quality.note(ready.name, cdn, target.query, lines.cmcd or {}, now)
        self._log_it(request, lines, target, response, octets, begun - started)
        return response

    def refused(self, status: int, request_id: str, client: str) -> None:
        """Count and log what was no request."""
        self._answers.tallies.of("", "none", status).note(0, 0.0)
        if self._access_log.wants_error():
            now = self._clock.now()
            entry = Entry(now, "", "", "", "none", status, 0, request_id, "", client, "", "", 0.0)
            self._access_log.note(entry)

    def _log_it(
        self,
        request: web.BaseRequest,
        lines: Lines,
        target: Target,
        response: web.StreamResponse,
        octets: int,
        seconds: float,
    ) -> None:
        log, ready = self._access_log, target.ready
        self._answered += 1
        if response.status >= ERROR:
            if not log.wants_error():
                return
        elif self._answered % log.every:
            return
        log.note(
            Entry(
                at=self._clock.now(),
                method=request.method,
                path=target.path[:LONGEST_PATH],
                channel=ready.name,
                kind=ready.kind,
                status=response.status,
                octets=octets,
                request_id=response.headers["X-Request-ID"],
                trace=lines.trace,
                client=request.remote or "",
                forwarded=lines.forwarded,
                agent=lines.agent,
                seconds=round(seconds, 6),
            )
        )

    async def _answer(self, target: Target, request: web.BaseRequest, lines: Lines) -> Answer:
        if request.method not in _METHODS:
            return self._answers.other_method(request.method)
        ready = target.ready
        reply = self._answers.respond(target, lines, self._clock.now())
        if reply is not None:
            answer = reply.answer
        elif not admits(self._answers.load, ready.request):
            answer = self._answers.put_off(ready).answer
        else:
            try:
                answer = await self._answers.in_time(ready, zipped=lines.zipped)
            except (OSError, StoreError, MediaError) as error:
                # Named in the journal, not to be had from the store: another origin may have it.
                self._log.error("media.unreadable", path=target.path, problem=str(error))
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
        async with aiofiles.open(path_of(body), "rb") as file:
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
