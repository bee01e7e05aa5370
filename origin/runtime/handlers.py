"""The public port: a request in, a plan, an answer out."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import assert_never

import aiofiles
import structlog
from aiohttp import web

from origin.answer import CONDITIONS, Answer, Slice, conditioned, plain
from origin.caching import Cdn, cache_control
from origin.decide import decide
from origin.encoding import wants_gzip
from origin.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeFragment,
    ServeHealth,
    ServeInit,
    ServeManifest,
    ServeMedia,
    ServeTime,
    Wait,
)
from origin.render import CONTENT_TYPES, render
from origin.request import Fragment, Manifest, Media, Request, parse
from origin.runtime import metrics
from origin.runtime.follow import FollowedChannel
from origin.runtime.headers import headers_of
from origin.view import path_of
from packager.clock import Clock, monotonic
from packager.cmaf.smooth import smooth_fragment
from packager.errors import MediaError, StoreError
from packager.layout import InitName, SegmentName, init_version
from packager.smooth_clock import span
from packager.ticks import iso8601

_PIECE = 1 << 20
"""Bytes of a file that are in memory for one connection."""
_LONGEST_INIT = 1 << 20
"""Bytes: init sections have a thousand or two."""
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization, Range",
    "Access-Control-Max-Age": "86400",
}
_METHODS = ("GET", "HEAD")


class Handlers:
    """Answers every request of the public port."""

    def __init__(
        self, channels: Mapping[str, FollowedChannel], data: Path, cdn: Cdn, clock: Clock
    ) -> None:
        """Serve `channels`, whose media lies below `data`."""
        self._channels = channels
        self._data = data
        self._cdn: Cdn = cdn
        self._clock = clock
        self._log = structlog.get_logger()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, whatever it is."""
        started = monotonic()
        asked = parse(request.rel_url.raw_path, request.rel_url.raw_query_string)
        name = getattr(asked, "channel", "")
        channel = self._channels.get(name)
        if request.method in _METHODS:
            answer = await self._answer(asked, channel, request)
        else:
            answer = self._other_method(request)
        try:
            response = await self._send(request, answer)
        except StoreError as error:
            # Trimmed since the decision, or not in the store as recorded.
            self._log.error("media.unreadable", path=request.path, problem=str(error))
            answer = self._refusal(_UNREADABLE, channel)
            response = await self._send(request, answer)
        kind = _kind(asked)
        metrics.REQUESTS.labels(name if channel else "", kind, answer.status).inc()
        metrics.SENT_BYTES.labels(name if channel else "", kind).inc(
            0 if request.method == "HEAD" else answer.size
        )
        metrics.ANSWER_SECONDS.labels(kind).observe(monotonic() - started)
        return response

    def _other_method(self, request: web.BaseRequest) -> Answer:
        long = cache_control(Freshness.UNKNOWN, self._cdn, Fraction(0))
        if request.method == "OPTIONS":
            return plain(204, "", long, *_PREFLIGHT.items(), ("Allow", "GET, HEAD, OPTIONS"))
        return plain(405, "only GET and HEAD", long, ("Allow", "GET, HEAD, OPTIONS"))

    async def _answer(
        self, asked: Request, channel: FollowedChannel | None, request: web.BaseRequest
    ) -> Answer:
        try:
            plan = await self._decide(asked, channel)
            answer = await self._carry_out(plan, channel, request)
        except (OSError, StoreError, MediaError) as error:
            # Named in the journal, not to be had from the store: another origin may have it.
            self._log.error("media.unreadable", path=request.path, problem=str(error))
            return self._refusal(_UNREADABLE, channel)
        if answer.status != 200:  # noqa: PLR2004
            return answer
        said = {name: text for name in CONDITIONS if (text := _said(request, name)) is not None}
        return conditioned(answer, request.method, said, self._caching(Freshness.CONDITION))

    async def _decide(self, asked: Request, channel: FollowedChannel | None) -> Plan:
        """The plan for a request, after waiting for what is about to be there."""
        plan = decide(asked, channel.view if channel else None, self._clock.now())
        if not isinstance(plan, Wait) or channel is None:
            return plan
        try:
            async with asyncio.timeout(float(plan.at_most)):
                while isinstance(plan, Wait):
                    await channel.grown()
                    plan = decide(asked, channel.view, self._clock.now())
        except TimeoutError:
            pass
        return plan.otherwise if isinstance(plan, Wait) else plan

    async def _carry_out(  # noqa: PLR0911 - one a plan
        self, plan: Plan, channel: FollowedChannel | None, request: web.BaseRequest
    ) -> Answer:
        match plan:
            case ServeManifest():
                zipped = wants_gzip(_said(request, "Accept-Encoding") or "")
                return self._manifest(plan, channel, zipped=zipped)
            case ServeInit():
                return await self._init(plan)
            case ServeMedia():
                return await self._media(plan)
            case ServeFragment():
                return await self._fragment(plan)
            case ServeTime(now):
                return plain(200, iso8601(now), self._caching(Freshness.NEVER))
            case ServeHealth():
                return plain(200, "ok", self._caching(Freshness.NEVER))
            case Redirect(location):
                caching = self._caching(Freshness.MOVED)
                return plain(302, f"it is at {location}", caching, ("Location", location))
            case Refuse():
                return self._refusal(plan, channel)
            case Wait():
                return self._refusal(plan.otherwise, channel)
            case _:
                assert_never(plan)

    def _caching(
        self,
        freshness: Freshness,
        channel: FollowedChannel | None = None,
        lasts: Fraction | None = None,
    ) -> str:
        segment = channel.timeline.grid.duration if channel else Fraction(0)
        return cache_control(freshness, self._cdn, segment, lasts)

    def _refusal(self, plan: Refuse, channel: FollowedChannel | None) -> Answer:
        retry = (("Retry-After", str(plan.retry_after)),) if plan.retry_after else ()
        return plain(plan.status, plan.reason, self._caching(plan.freshness, channel), *retry)

    def _manifest(
        self, plan: ServeManifest, channel: FollowedChannel | None, *, zipped: bool
    ) -> Answer:
        """The manifest, made once for each version of the timeline."""
        if channel is None:
            raise AssertionError
        request, window = plan.request, plan.window
        # Whatever the path: views that have the same to say share it.
        up = path_of(request.view).count("/")
        extent = (window.first, window.last, window.depth, window.ended, window.stays, plan.late)
        key = (request.kind, request.track, request.skip, request.patch, up, extent, zipped)
        if (found := channel.rendered.get(key)) is None:
            found = self._rendered(plan, channel, zipped=zipped)
            if found.size <= channel.rendered.maxsize:
                channel.rendered[key] = found
        return found

    def _rendered(self, plan: ServeManifest, channel: FollowedChannel, *, zipped: bool) -> Answer:
        text = render(plan, channel.tapes)
        ended = plan.window.ended
        freshness = Freshness.ENDED_MANIFEST if ended else Freshness.LIVE_MANIFEST
        coding = (("Content-Encoding", "gzip"),) if zipped else ()
        return Answer(
            status=200,
            content_type=CONTENT_TYPES[plan.request.kind],
            cache_control=self._caching(freshness, channel, plan.lasts),
            body=text.gzipped() if zipped else text.plain(),
            etag=f'"{text.digest}{"-gz" if zipped else ""}"',
            modified=plan.window.published,
            extra=(*coding, ("Vary", "Accept-Encoding"), *_lateness(plan)),
        )

    async def _init(self, plan: ServeInit) -> Answer:
        path = self._data / plan.channel / plan.track.id / str(plan.file)
        return Answer(
            status=200,
            content_type=f"{plan.track.kind}/mp4",
            cache_control=self._caching(Freshness.FOREVER),
            body=await asyncio.to_thread(_read_init, path, plan.file),
            etag=f'"{plan.file.version}"',
            modified=plan.modified,
            ranges=True,
        )

    async def _media(self, plan: ServeMedia) -> Answer:
        path = self._data / plan.channel / plan.track / str(plan.file)
        return Answer(
            status=200,
            content_type=f"{plan.kind}/mp4",
            cache_control=self._caching(Freshness.FOREVER),
            body=Slice(str(path), plan.offset, plan.size),
            etag=plan.etag,
            modified=plan.modified,
            ranges=True,
        )

    async def _fragment(self, plan: ServeFragment) -> Answer:
        track, segment = plan.track, plan.segment
        path = self._data / plan.channel / track.id / str(SegmentName(segment.number))
        here = span(segment, track.timescale)

        def make() -> bytes:
            data = _read(Slice(str(path), 0, segment.size), segment.size)
            return smooth_fragment(data, track.timescale, here, plan.following)

        return Answer(
            status=200,
            content_type=f"{track.kind}/mp4",
            cache_control=self._caching(_freshness_of(plan)),
            body=await asyncio.to_thread(make),
            etag=f'"{segment.published:x}-{segment.size:x}-s{len(plan.following)}"',
            modified=segment.published,
            ranges=True,
        )

    async def _send(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        headers, body = headers_of(answer, request), answer.body
        if request.method == "HEAD" or answer.status in (204, 304):
            if isinstance(body, Slice):
                await asyncio.to_thread(_read, body, 0)
            response = web.Response(status=answer.status, headers=headers)
            if answer.status not in (204, 304):
                response.headers["Content-Length"] = str(answer.size)
            return response
        if isinstance(body, Slice) and body.size > _PIECE:
            return await self._stream(request, answer.status, body, headers)
        if isinstance(body, Slice):
            body = await asyncio.to_thread(_read, body, body.size)
        return web.Response(status=answer.status, headers=headers, body=body)

    async def _stream(
        self, request: web.BaseRequest, status: int, body: Slice, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Send a part of a file, a piece at a time, as fast as the client takes it.

        Raises:
            StoreError: the file is not as recorded; nothing has been sent yet.
        """
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = left = body.size
        piece = await asyncio.to_thread(_read, body, _PIECE)
        await response.prepare(request)
        async with aiofiles.open(body.path, "rb") as file:
            await file.seek(body.offset + _PIECE)
            while piece:
                await response.write(piece)
                left -= len(piece)
                piece = await file.read(min(_PIECE, left))
        if left and request.transport is not None:
            # The length is out: a client that is not hung up on would wait for the rest.
            request.transport.close()
        await response.write_eof()
        return response


_UNREADABLE = Refuse(503, "the media cannot be read", Freshness.UNAVAILABLE, retry_after=1)


def _read(body: Slice, size: int) -> bytes:
    """The first `size` bytes, in one step: handing each small one to a thread would take longer.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    try:
        with Path(body.path).open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < body.offset + body.size:
                raise StoreError(f"{body.path} is shorter than its record says")
            return os.pread(file.fileno(), size, body.offset)
    except OSError as error:
        raise StoreError(str(error)) from error


def _freshness_of(plan: ServeFragment) -> Freshness:
    """One that names none after it changes where its channel goes on."""
    if plan.following:
        return Freshness.FOREVER
    return Freshness.ENDED_MANIFEST if plan.final else Freshness.SOON


def _read_init(path: Path, name: InitName) -> bytes:
    """An init section; it is never kept by anybody unless it is whole.

    Raises:
        StoreError: it is not what its name says.
    """
    with path.open("rb") as file:
        data = file.read(_LONGEST_INIT)
    if init_version(data) != name.version:
        raise StoreError(f"{path} is not what was written")
    return data


def _said(request: web.BaseRequest, name: str) -> str | None:
    """A header of a request; lines of one name are one list (RFC 9110 section 5.3)."""
    lines = request.headers.getall(name, None)
    return None if lines is None else ", ".join(lines)


def _lateness(plan: ServeManifest) -> Iterator[tuple[str, str]]:
    """Where a window begins that was asked for from earlier on."""
    if plan.late:
        yield "Ringside-Window-Start", iso8601(plan.window.begin)


def _kind(asked: Request) -> str:
    match asked:
        case Manifest():
            return asked.kind
        case Media():
            return type(asked.name).__name__.removesuffix("Name").lower()
        case Fragment():
            return "fragment"
        case _:
            return "other"
