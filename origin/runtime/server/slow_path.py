"""The aiohttp lane: requests that aiohttp has parsed, or whose body has to be read from the store.

It shares all steps but `write` with the fast lane.
"""

import asyncio
from typing import assert_never

import structlog
from aiohttp import web

from origin.caching.prepared import PreparedResponse
from origin.decision.admission import admits
from origin.http import http1
from origin.http.response import FileSlice
from origin.runtime.content.files import read_slice
from origin.runtime.content.outcome import Hold, Outcome, ReadMedia, Stream
from origin.runtime.server.aiohttp_writer import (
    BLOCK,
    AiohttpFollower,
    AiohttpWriter,
    HeldTask,
)
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.held_requests import HeldRequests
from origin.runtime.server.parsing import ParsedRequest, parse_aiohttp
from packager.errors import MediaError, StoreError
from packager.timing.clock import monotonic

_METHODS = ("GET", "HEAD")
_log = structlog.get_logger()
Found = PreparedResponse | Stream
"""An outcome that can be written."""


class SlowPath:
    """Answers the requests that aiohttp hands to it, each in a task."""

    def __init__(self, exchange: Exchange, held: HeldRequests) -> None:
        """Hold requests in `held`, which both lanes share."""
        self._exchange = exchange
        self._responder = exchange.responder
        self._held = held

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request of any method."""
        started = monotonic()
        parsed = parse_aiohttp(request, self._responder.targets)
        with self._responder.load.making_one():
            outcome = await self._respond(parsed)
            writer = AiohttpWriter(self._exchange, request, parsed)
            if isinstance(outcome, Stream):
                segment = self._held.segment(parsed.target.answer, outcome)
                follower = AiohttpFollower(request)
                writer.account(outcome.response, monotonic() - started)
                with segment.followed_by(follower), self._responder.load.pausing_one():
                    return await writer.write_chunks(outcome.response, follower)
            response, block = await self._first_block(parsed, outcome)
            writer.account(response, monotonic() - started)
            return await writer.write(response, block)

    async def _respond(self, request: ParsedRequest) -> Found:
        answer = request.target.answer
        if request.method not in _METHODS:
            return self._responder.refusals.method(request.method, answer)
        outcome = self._exchange.respond(request, self._exchange.clock.now())
        if not isinstance(outcome, PreparedResponse):
            if not admits(self._responder.load, answer.request):
                return self._responder.refusals.overload(answer)
            outcome = await self._in_time(request, outcome)
        return outcome

    async def _in_time(self, request: ParsedRequest, outcome: Outcome) -> Found:
        """The response, after the waits that it needs."""
        answer, since = request.target.answer, monotonic()
        while True:
            match outcome:
                case PreparedResponse() | Stream():
                    return outcome
                case Hold():
                    outcome = await self._hold(request, since)
                case ReadMedia(plan):
                    try:
                        response = await self._responder.media.response(answer, plan)
                    except (OSError, StoreError, MediaError) as error:
                        return self._unreadable(request, error)
                    return self._exchange.conditioned(request, response)
                case _:
                    assert_never(outcome)

    async def _hold(self, request: ParsedRequest, since: float) -> Outcome:
        """The outcome when the timeline has grown or the time is up."""
        held = HeldTask(request, since)
        self._held.hold(held)
        # A request that waits makes no work: it must not cause the refusal of others.
        with self._responder.load.pausing_one():
            outcome = await held.outcome
        if outcome is not None:
            return outcome
        return self._exchange.respond_again(request, self._exchange.clock.now())

    def _unreadable(self, request: ParsedRequest, error: Exception) -> PreparedResponse:
        """The response for media that is in the journal, but not in the store.

        Another origin may have it.
        """
        _log.error("media.read_failed", path=request.target.path, problem=str(error))
        return self._responder.refusals.unreadable(request.target.answer)

    async def _first_block(
        self, request: ParsedRequest, response: PreparedResponse
    ) -> tuple[PreparedResponse, bytes]:
        """The response and the first block of its file; a refusal if that cannot be read."""
        body, has_body = response.response.body, http1.has_body
        if not isinstance(body, FileSlice) or body.size == 0:
            return response, b""
        size = BLOCK if has_body(request.method, response.response.status) else 0
        try:
            return response, await asyncio.to_thread(read_slice, body, min(size, body.size))
        except StoreError as error:
            # Removed since the decision, or its file does not match its record.
            return self._unreadable(request, error), b""
