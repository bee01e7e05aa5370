"""The answers of the public port: those that are at hand, and those that take time to be made.

What a request asks for is decided anew whenever its channel's timeline has grown or its time is up,
not for each request; what was made for one is there for all.
"""

import asyncio
import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import assert_never
from weakref import WeakValueDictionary

from origin.access import NO_TOKEN, NOT_VALID, Denied, Gate, Grant, led_on, split_token
from origin.admission import Load, admits, put_off
from origin.answer import Answer, Slice, plain
from origin.caching import Policy, cache_control, cdn_cache_control
from origin.decide import decide, settled_until
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
from origin.reply import Reply
from origin.request import Fragment, Manifest, Media, Request, parse
from origin.runtime import metrics
from origin.runtime.follow import FollowedChannel
from origin.shelf import Recent, Shelf
from origin.tally import Tallies
from origin.view import path_of
from origin.wire import Lines
from packager.clock import Clock
from packager.cmaf.smooth import smooth_fragment
from packager.errors import StoreError
from packager.layout import InitName, SegmentName, init_version
from packager.smooth_clock import span
from packager.ticks import MICROS, UtcMicros, iso8601
from packager.timeline import Timeline

_PIECE = 1 << 20
"""Bytes that are read at once."""
_LONGEST_INIT = 1 << 20
"""Bytes: init sections have a thousand or two."""
_LARGEST_SHARE = 8
"""A segment that takes more than one part in so many of the memory is sent from its file."""
_FROM_FILE = 1 << 16
"""Bytes from which on the kernel sends a body faster from a file than from memory."""
_LOOK = 30 * MICROS
_WARM = 90 * MICROS
"""Microseconds for which nobody asked, after which the kernel may have let go of a file's bytes."""
_OVERHEAD = 1024
"""Bytes of an answer beside its body."""
_TARGETS = 8192
_REFUSALS = 1024
_BEFORE = 3
"""Segments before the newest, one of which somebody had who will want the newest."""
_GRANTS = 8192
_OPEN = Gate()
"""Of a channel that everybody may have."""
_NO_GATES: Mapping[str, Gate] = MappingProxyType({})

_UNREADABLE = Refuse(503, "the media cannot be read", Freshness.UNAVAILABLE, retry_after=1)


Headers = tuple[tuple[str, str], ...]


class Ready:
    """What is at hand for a request, and until when it is right."""

    __slots__ = (
        "__weakref__",
        "channel",
        "decided",
        "kind",
        "name",
        "plain",
        "plan",
        "request",
        "timeline",
        "until",
        "used",
        "zipped",
    )

    def __init__(self, request: Request, channel: FollowedChannel) -> None:
        """Nothing is at hand yet."""
        self.request = request
        self.channel = channel
        self.name = channel.name
        """The channel's, for counting; empty where there is none of that name."""
        self.kind = kind_of(request)
        self.timeline: Timeline | None = None
        """The one that was decided from."""
        self.decided = UtcMicros(0)
        self.until = UtcMicros(0)
        self.plan: Plan | None = None
        self.plain: Reply | None = None
        self.zipped: Reply | None = None
        """The same in gzip; of anything but manifests, the very same."""
        self.used = False

    def let_go(self) -> None:
        """Nothing is at hand any more."""
        self.timeline = None
        self.plan = self.plain = self.zipped = None

    @property
    def size(self) -> int:
        """Bytes."""
        bodies = {id(reply): reply.answer.size for reply in (self.plain, self.zipped) if reply}
        return _OVERHEAD + sum(bodies.values())


class Target:
    """What the target of a request line means."""

    __slots__ = ("gate", "path", "query", "ready", "token", "until")

    def __init__(self, path: str, query: str, token: str | None, ready: Ready, gate: Gate) -> None:
        """Nobody has been let in yet."""
        self.path = path
        """Without the token."""
        self.query = query
        self.token = token
        self.ready = ready
        self.gate = gate
        self.until = UtcMicros(0)
        """Until when the token is known to be good for it."""


class Answers:
    """Makes answers, and keeps at hand what may be asked for again."""

    def __init__(
        self,
        channels: Mapping[str, FollowedChannel],
        data: Path,
        policy: Policy,
        clock: Clock,
        memory: int,
        gates: Mapping[str, Gate] = _NO_GATES,
    ) -> None:
        """Answer from `channels`, whose media lies below `data`; keep `memory` bytes at hand.

        `gates` are those of the channels that not everybody may have.
        """
        self.last = False
        """Every answer is the last of its connection: the process is leaving."""
        self.tallies = Tallies()
        self.load = Load()
        self.shelf: Shelf[Request, Ready] = Shelf(memory)
        self.targets: Recent[bytes, Target] = Recent(_TARGETS)
        self._known: WeakValueDictionary[Request, Ready] = WeakValueDictionary()
        """All that is on the shelf, or that a target means."""
        self._gates = gates
        self._grants: Recent[tuple[str, str], Grant] = Recent(_GRANTS)
        self._channels = channels
        self._nobody = FollowedChannel("", Path(os.devnull), Fraction(0), Fraction(0))
        self._data = data
        self._policy = policy
        self._clock = clock
        self._largest = memory // _LARGEST_SHARE
        self._refusals: Recent[Hashable, Reply] = Recent(_REFUSALS)
        self._loading: dict[Request, asyncio.Task[Answer]] = {}
        self._chance = count()

    def target(self, path: str, query: str) -> Target:
        """What a path and a query mean, both as they came."""
        token, path = split_token(path, query)
        request = parse(path, query)
        ready = self._ready(request)
        return Target(path, query, token, ready, self._gates.get(ready.name, _OPEN))

    def _ready(self, request: Request) -> Ready:
        if (ready := self._known.get(request)) is None:
            channel = self._channels.get(getattr(request, "channel", ""), self._nobody)
            ready = self._known[request] = Ready(request, channel)
        return ready

    def respond(self, target: Target, lines: Lines, now: UtcMicros) -> Reply | None:
        """What is said to a GET of `target`, if that can be at once; None where it takes time."""
        ready = target.ready
        if target.gate is not _OPEN and (denied := self._denied(target, lines, now)) is not None:
            metrics.DENIED_REQUESTS.labels(ready.name, denied.reason).inc()
            return self.refusal(denied.plan, ready)
        reply = self.at_hand(ready, now, zipped=lines.zipped)
        if isinstance(ready.plan, Redirect) and target.token and target.gate.token_keys:
            return self._redirection(led_on(ready.plan, target.token), ready)
        return reply

    def _denied(self, target: Target, lines: Lines, now: UtcMicros) -> Denied | None:
        """Why a request is not let in; None if it is."""
        gate = target.gate
        if (denied := gate.check_cdn(lines.secret)) is not None:
            return denied
        if not gate.token_keys or now < target.until:
            return None
        if target.token is None:
            return NO_TOKEN
        key = target.ready.name, target.token
        if (grant := self._grants.find(key)) is None:
            if (grant := gate.verify(target.token)) is None:
                return NOT_VALID
            self._grants.put(key, grant)
        denied = grant.check(target.ready.request, target.path, now)
        if denied is None:
            target.until = UtcMicros(grant.expires * MICROS)
        return denied

    def at_hand(self, ready: Ready, now: UtcMicros, *, zipped: bool) -> Reply | None:
        """The answer, if it can be had at once; None where it takes time."""
        channel = ready.channel
        if ready.timeline is not channel.timeline or now >= ready.until:
            self._decide(ready, now)
        ready.used = True
        reply = ready.zipped if zipped else ready.plain
        return self._make(ready, zipped=zipped) if reply is None else reply

    def _decide(self, ready: Ready, now: UtcMicros) -> None:
        view = None if ready.channel is self._nobody else ready.channel.view
        plan = decide(ready.request, view, now)
        ready.until = min(settled_until(ready.request, view, now), UtcMicros(now + _LOOK))
        ready.timeline = ready.channel.timeline
        # Windows are many numbers: where manifests are kept it is known whether one is new.
        cold = now - ready.decided > _WARM
        if cold or isinstance(plan, ServeManifest) or plan != ready.plan:
            ready.plan, ready.plain, ready.zipped = plan, None, None
        ready.decided = now

    def _make(self, ready: Ready, *, zipped: bool) -> Reply | None:
        match ready.plan:
            case ServeManifest():
                return self._manifest(ready, ready.plan, zipped=zipped)
            case Refuse():
                ready.plain = ready.zipped = self.refusal(ready.plan, ready)
            case Redirect():
                ready.plain = ready.zipped = self._redirection(ready.plan, ready)
            case ServeTime(now):
                answer = self._plain(200, iso8601(now), Freshness.NEVER)
                ready.plain = ready.zipped = self.reply(answer, ready)
            case ServeHealth():
                answer = self._plain(200, "ok", Freshness.NEVER)
                ready.plain = ready.zipped = self.reply(answer, ready)
            case _:
                return None
        return ready.plain

    def _redirection(self, plan: Redirect, ready: Ready) -> Reply:
        location = ("Location", plan.location)
        answer = self._plain(302, f"it is at {plan.location}", plan.freshness, location)
        return self.reply(answer, ready)

    def reply(self, answer: Answer, ready: Ready) -> Reply:
        """`answer`, ready to be sent and counted."""
        return Reply(answer, self.tallies.of(ready.name, ready.kind, answer.status))

    def refusal(self, plan: Refuse, ready: Ready) -> Reply:
        """An error, made once for all who get it."""
        key = (plan, ready.name, ready.kind, ready.channel.timeline.grid)
        if (found := self._refusals.find(key)) is None:
            retry = (("Retry-After", str(plan.retry_after)),) if plan.retry_after else ()
            caching = self._caching(plan.freshness, ready.channel)
            extra = (*retry, *self._for_cdns(plan.freshness, ready.channel))
            found = self.reply(plain(plan.status, plan.reason, caching, *extra), ready)
            self._refusals.put(key, found)
        return found

    def put_off(self, ready: Ready) -> Reply:
        """What is said to who has to come again."""
        metrics.SHED_REQUESTS.labels(ready.kind).inc()
        return self.refusal(put_off(next(self._chance)), ready)

    @property
    def refused(self) -> str:
        """The Cache-Control of what is refused for a request's conditions."""
        return self._caching(Freshness.CONDITION)

    def _caching(
        self,
        freshness: Freshness,
        channel: FollowedChannel | None = None,
        lasts: Fraction | None = None,
    ) -> str:
        return cache_control(freshness, self._policy.cdn, _segment(channel), lasts)

    def _for_cdns(
        self,
        freshness: Freshness,
        channel: FollowedChannel | None = None,
        lasts: Fraction | None = None,
    ) -> Headers:
        """What CDNs are told apart from players."""
        if not self._policy.targeted:
            return ()
        said = cdn_cache_control(freshness, self._policy.cdn, _segment(channel), lasts)
        return (("CDN-Cache-Control", said),)

    def _plain(
        self, status: int, text: str, freshness: Freshness, *extra: tuple[str, str]
    ) -> Answer:
        return plain(status, text, self._caching(freshness), *extra, *self._for_cdns(freshness))

    def _manifest(self, ready: Ready, plan: ServeManifest, *, zipped: bool) -> Reply:
        """The manifest, made once for each version of the timeline."""
        request, window, channel = plan.request, plan.window, ready.channel
        # Whatever the path: views that have the same to say share it.
        up = path_of(request.view).count("/")
        extent = (window.first, window.last, window.depth, window.ended, window.stays, plan.late)
        key = (request.kind, request.track, request.skip, request.patch, up, extent, zipped)
        if (found := channel.rendered.get(key)) is None:
            if not admits(self.load, request):
                return self.put_off(ready)
            found = self.reply(self._rendered(plan, channel, zipped=zipped), ready)
            if found.answer.size <= channel.rendered.maxsize:
                channel.rendered[key] = found
        if zipped:
            ready.zipped = found
        else:
            ready.plain = found
        self.shelf.put(request, ready, ready.size)
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
            extra=(
                *coding,
                ("Vary", "Accept-Encoding"),
                *_lateness(plan),
                *self._for_cdns(freshness, channel, plan.lasts),
            ),
        )

    async def in_time(self, ready: Ready, *, zipped: bool) -> Answer:
        """The answer that is not at hand, after waiting for what is about to be there.

        Raises:
            StoreError: the media is not in the store as its record says.
            OSError: it cannot be read.
            MediaError: no fragment can be made of it.
        """
        if isinstance(ready.plan, Wait):
            await self._wait(ready, ready.plan)
            if (reply := self.at_hand(ready, self._clock.now(), zipped=zipped)) is not None:
                return reply.answer
        plan = ready.plan
        match plan:
            case Wait(otherwise=otherwise):
                return self.refusal(otherwise, ready).answer
            case ServeMedia():
                path = self._data / plan.channel / plan.track / str(plan.file)
                body = Slice(str(path), plan.offset, plan.size)
                if plan.size > self._largest:
                    return self._media(ready.request, plan, body)
            case ServeInit() | ServeFragment():
                pass
            case _:
                raise AssertionError(plan)
        return await self._loaded(ready, plan)

    async def _wait(self, ready: Ready, plan: Wait) -> None:
        """Return once something else is to be said, or nothing will be in time."""
        try:
            async with asyncio.timeout(float(plan.at_most)):
                while isinstance(ready.plan, Wait):
                    await ready.channel.grown()
                    self._decide(ready, self._clock.now())
        except TimeoutError:
            pass

    async def _loaded(self, ready: Ready, plan: ServeMedia | ServeInit | ServeFragment) -> Answer:
        """The answer with its media in memory: read once, however many wait for it."""
        return await asyncio.shield(self._begin(ready, plan))

    def _begin(
        self, ready: Ready, plan: ServeMedia | ServeInit | ServeFragment
    ) -> asyncio.Task[Answer]:
        """The loading of an answer's media, which may be under way already."""
        if (loading := self._loading.get(ready.request)) is None:
            loading = asyncio.create_task(self._load(ready, plan))
            self._loading[ready.request] = loading
            loading.add_done_callback(partial(self._loaded_or_not, ready))
        return loading

    def _loaded_or_not(self, ready: Ready, loading: asyncio.Task[Answer]) -> None:
        del self._loading[ready.request]
        if not loading.cancelled():
            loading.exception()  # whoever waits for it has it; nobody need

    def preload(self, channel: FollowedChannel) -> None:
        """Load the newest segments of those tracks of which viewers had the ones before."""
        now = self._clock.now()
        for track in channel.timeline.tracks.values():
            newest, *before = (
                Media(channel.name, track.id, SegmentName(track.last_number - back))
                for back in range(_BEFORE + 1)
            )
            if not any((had := self._known.get(one)) and had.used for one in before):
                continue
            ready = self._ready(newest)
            self._decide(ready, now)
            plan = ready.plan
            if ready.plain is None and isinstance(plan, ServeMedia) and plan.size <= self._largest:
                _ = self._begin(ready, plan)  # it is there when it is there

    async def _load(self, ready: Ready, plan: ServeMedia | ServeInit | ServeFragment) -> Answer:
        answer = await asyncio.to_thread(self._read, ready.request, plan)
        if ready.plan == plan:
            ready.plain = ready.zipped = self.reply(answer, ready)
            self.shelf.put(ready.request, ready, ready.size)
        return answer

    def _read(self, request: Request, plan: ServeMedia | ServeInit | ServeFragment) -> Answer:
        match plan:
            case ServeMedia():
                path = self._data / plan.channel / plan.track / str(plan.file)
                body = Slice(str(path), plan.offset, plan.size)
                if plan.size < _FROM_FILE:
                    return self._media(request, plan, read_slice(body, plan.size))
                return self._media(request, plan, opened(body))
            case ServeInit():
                return self._init(plan)
            case ServeFragment():
                return self._fragment(request, plan)
            case _:
                assert_never(plan)

    def _media(self, request: Request, plan: ServeMedia, body: bytes | Slice) -> Answer:
        return Answer(
            status=200,
            content_type=f"{plan.kind}/mp4",
            cache_control=self._caching(Freshness.FOREVER),
            body=body,
            etag=plan.etag,
            modified=plan.modified,
            ranges=True,
            extra=(*self._next(request), *self._for_cdns(Freshness.FOREVER)),
        )

    def _next(self, request: Request, following: Sequence[tuple[int, int]] = ()) -> Headers:
        """A hint at what is asked for after a segment or fragment."""
        match request:
            case Media(name=SegmentName(number)) if self._policy.hints:
                return (("Link", f'<{SegmentName(number + 1)}>; rel="next"'),)
            case Fragment(kind=kind) if self._policy.hints and following:
                return (("Link", f'<Fragments({kind}={following[0][0]})>; rel="next"'),)
            case _:
                return ()

    def _init(self, plan: ServeInit) -> Answer:
        path = self._data / plan.channel / plan.track.id / str(plan.file)
        return Answer(
            status=200,
            content_type=f"{plan.track.kind}/mp4",
            cache_control=self._caching(Freshness.FOREVER),
            body=_read_init(path, plan.file),
            etag=f'"{plan.file.version}"',
            modified=plan.modified,
            ranges=True,
            extra=self._for_cdns(Freshness.FOREVER),
        )

    def _fragment(self, request: Request, plan: ServeFragment) -> Answer:
        track, segment = plan.track, plan.segment
        path = self._data / plan.channel / track.id / str(SegmentName(segment.number))
        data = read_slice(Slice(str(path), 0, segment.size), segment.size)
        here = span(segment, track.timescale)
        return Answer(
            status=200,
            content_type=f"{track.kind}/mp4",
            cache_control=self._caching(_freshness_of(plan)),
            body=smooth_fragment(data, track.timescale, here, plan.following),
            etag=f'"{segment.published:x}-{segment.size:x}-s{len(plan.following)}"',
            modified=segment.published,
            ranges=True,
            extra=(*self._next(request, plan.following), *self._for_cdns(_freshness_of(plan))),
        )

    def unreadable(self, ready: Ready) -> Answer:
        """What is said of media that the journal names and the store has not."""
        return self.refusal(_UNREADABLE, ready).answer

    def other_method(self, method: str) -> Answer:
        """What is said to a method that is neither GET nor HEAD."""
        if method == "OPTIONS":
            return self._plain(204, "", Freshness.UNKNOWN, *_PREFLIGHT.items(), _ALLOW)
        return self._plain(405, "only GET and HEAD", Freshness.UNKNOWN, _ALLOW)


_ALLOW = ("Allow", "GET, HEAD, OPTIONS")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization, Range",
    "Access-Control-Max-Age": "86400",
}


def read_slice(body: Slice, size: int) -> bytes:
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


class OpenFile:
    """A file that is open as long as somebody knows it."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor."""
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


def opened(body: Slice) -> Slice:
    """`body` with its file open and its bytes in the kernel's memory, all workers' in common.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    try:
        file = OpenFile(os.open(body.path, os.O_RDONLY | os.O_CLOEXEC))
        buffer = bytearray(min(body.size, _PIECE))
        at, end = body.offset, body.offset + body.size
        while at < end:
            read = os.preadv(file.descriptor, [memoryview(buffer)[: end - at]], at)
            if not read:
                raise StoreError(f"{body.path} is shorter than its record says")
            at += read
    except OSError as error:
        raise StoreError(str(error)) from error
    return replace(body, file=file)


def _segment(channel: FollowedChannel | None) -> Fraction:
    """Seconds of a segment."""
    return channel.timeline.grid.duration if channel else Fraction(0)


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


def _lateness(plan: ServeManifest) -> Iterator[tuple[str, str]]:
    """Where a window begins that was asked for from earlier on."""
    if plan.late:
        yield "Ringside-Window-Start", iso8601(plan.window.begin)


def kind_of(request: Request) -> str:
    """What counts call it."""
    match request:
        case Manifest():
            return request.kind
        case Media():
            return type(request.name).__name__.removesuffix("Name").lower()
        case Fragment():
            return "fragment"
        case _:
            return "other"
