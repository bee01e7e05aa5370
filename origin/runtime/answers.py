"""The answers of the public port: those that are at hand, and those that take time to be made.

What a request asks for is decided anew whenever its channel's timeline has grown or its time is up,
not for each request; what was made for one is there for all.
"""

import asyncio
import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from weakref import WeakValueDictionary

from origin.access import Denied, Gate, led_on, split_token
from origin.admission import Load, admits, put_off
from origin.answer import Answer, plain
from origin.caching import Policy
from origin.decide import decide, settled_until
from origin.door import FOR_EVER, Door
from origin.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeGrowing,
    ServeHealth,
    ServeManifest,
    ServeMedia,
    ServeTime,
    Wait,
)
from origin.render import CONTENT_TYPES, render
from origin.reply import Reply
from origin.request import Fragment, Manifest, Media, Request, parse
from origin.runtime import metrics
from origin.runtime.files import made
from origin.runtime.follow import FollowedChannel
from origin.runtime.media import MediaPlan, MediaReader
from origin.shelf import Recent, Shelf
from origin.tally import Tallies
from origin.wire import Lines
from origin.wording import Wording
from packager.clock import Clock
from packager.layout import SegmentName
from packager.ticks import MICROS, UtcMicros, iso8601
from packager.timeline import Timeline

_LARGEST_SHARE = 8
"""A segment that takes more than one part in so many of the memory is sent from its file."""
_LOOK = 30 * MICROS
_WARM = 90 * MICROS
"""Microseconds for which nobody asked, after which the kernel may have let go of a file's bytes."""
_OVERHEAD = 1024
"""Bytes of an answer beside its body."""
_TARGETS = 8192
_REFUSALS = 1024
_BEFORE = 3
"""Segments before the newest, one of which somebody had who will want the newest."""
_NO_GATES: Mapping[str, Gate] = MappingProxyType({})

_UNREADABLE = Refuse(503, "the media cannot be read", Freshness.UNAVAILABLE, retry_after=1)


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

    __slots__ = ("door", "path", "query", "ready", "token", "until")

    def __init__(
        self, path: str, query: str, token: str | None, ready: Ready, door: Door | None
    ) -> None:
        """Nobody has been let in yet; where there is no door everybody is."""
        self.path = path
        """Without the token."""
        self.query = query
        self.token = token
        self.ready = ready
        self.door = door
        self.until = FOR_EVER if door is None else UtcMicros(0)
        """Until when a request like the last one is let in."""

    def cdn(self, lines: Lines) -> str:
        """The name of the CDN that a request comes through; empty if it is not known."""
        return "" if self.door is None else self.door.cdn(lines)


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
        self.waiting = 0
        """Requests that aiohttp answers when what they are for is there."""
        self.shelf: Shelf[Request, Ready] = Shelf(memory)
        self.targets: Recent[bytes, Target] = Recent(_TARGETS)
        self._known: WeakValueDictionary[Request, Ready] = WeakValueDictionary()
        """All that is on the shelf, or that a target means."""
        self._doors = {name: Door(gate) for name, gate in gates.items()}
        self._channels = channels
        self._nobody = FollowedChannel("", Path(os.devnull), Fraction(0), Fraction(0))
        self._wording = Wording(policy)
        self._reader = MediaReader(data, self._wording)
        self._clock = clock
        self._largest = memory // _LARGEST_SHARE
        self._refusals: Recent[Hashable, Reply] = Recent(_REFUSALS)
        self._loading: dict[Request, tuple[MediaPlan, asyncio.Task[Answer]]] = {}
        self._chance = count()

    def target(self, path: str, query: str) -> Target:
        """What a path and a query mean, both as they came."""
        token, path = split_token(path, query)
        request = parse(path, query)
        ready = self._ready(request)
        return Target(path, query, token, ready, self._doors.get(ready.name))

    def _ready(self, request: Request) -> Ready:
        if (ready := self._known.get(request)) is None:
            channel = self._channels.get(getattr(request, "channel", ""), self._nobody)
            ready = self._known[request] = Ready(request, channel)
        return ready

    def respond(self, target: Target, lines: Lines, now: UtcMicros) -> Reply | None:
        """What is said to a GET of `target`, if that can be at once; None where it takes time."""
        ready, door = target.ready, target.door
        if door is not None and not (now < target.until and door.is_by_token_alone):
            said = door.check(target.token, ready.request, target.path, lines, now)
            if isinstance(said, Denied):
                metrics.DENIED_REQUESTS.labels(ready.name, said.reason).inc()
                return self.refusal(said.plan, ready)
            target.until = said
        reply = self.at_hand(ready, now, zipped=lines.zipped)
        if isinstance(ready.plan, Redirect) and target.token and door and door.gate.token_keys:
            return self._redirection(led_on(ready.plan, target.token), ready)
        return reply

    def at_hand(self, ready: Ready, now: UtcMicros, *, zipped: bool) -> Reply | None:
        """The answer, if it can be had at once; None where it takes time."""
        channel = ready.channel
        if ready.timeline is not channel.timeline or now >= ready.until:
            self._decide(ready, now)
        ready.used = True
        reply = ready.zipped if zipped else ready.plain
        if reply is not None and reply.is_short:
            ready.plain = ready.zipped = reply = None
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
                answer = self._wording.plain(200, "", Freshness.NEVER)
                # No end of line: it would be no date to a browser (ISO/IEC 23009-1 5.8.5.7).
                answer = replace(answer, body=iso8601(now).encode())
                ready.plain = ready.zipped = self.reply(answer, ready)
            case ServeHealth():
                answer = self._wording.plain(200, "ok", Freshness.NEVER)
                ready.plain = ready.zipped = self.reply(answer, ready)
            case _:
                return None
        return ready.plain

    def _redirection(self, plan: Redirect, ready: Ready) -> Reply:
        location = ("Location", plan.location)
        answer = self._wording.plain(302, f"it is at {plan.location}", plan.freshness, location)
        return self.reply(answer, ready)

    def reply(self, answer: Answer, ready: Ready) -> Reply:
        """`answer`, ready to be sent and counted."""
        return Reply(answer, self.tallies.of(ready.name, ready.kind, answer.status))

    def refusal(self, plan: Refuse, ready: Ready) -> Reply:
        """An error, made once for all who get it."""
        key = (plan, ready.name, ready.kind, ready.channel.timeline.grid)
        if (found := self._refusals.find(key)) is None:
            retry = (("Retry-After", str(plan.retry_after)),) if plan.retry_after else ()
            words, timeline = self._wording, ready.channel.timeline
            caching = words.caching(plan.freshness, timeline)
            extra = (*retry, *words.for_cdns(plan.freshness, timeline))
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
        return self._wording.caching(Freshness.CONDITION)

    def _manifest(self, ready: Ready, plan: ServeManifest, *, zipped: bool) -> Reply:
        """The manifest, made once for each version of the timeline."""
        request, window, channel = plan.request, plan.window, ready.channel
        # Whatever the path: views that have the same to say share it.
        up = request.folder.count("/")
        extent = (window.first, window.last, window.depth, window.ended, window.stays, plan.late)
        asked = (request.kind, request.track, request.skip, request.patch, request.device, up)
        key = (asked, extent, window.tip, request.reload is not None, zipped)
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
        if plan.request.reload is not None and plan.window.tip is not None:
            freshness = Freshness.RELOADED
        coding = (("Content-Encoding", "gzip"),) if zipped else ()
        return Answer(
            status=200,
            content_type=CONTENT_TYPES[plan.request.kind],
            cache_control=self._wording.caching(freshness, channel.timeline, plan.lasts),
            body=made(text.gzipped() if zipped else text.plain()),
            etag=f'"{text.digest}{"-gz" if zipped else ""}"',
            modified=plan.window.published,
            extra=(
                *coding,
                ("Vary", "Accept-Encoding"),
                *_lateness(plan),
                *self._wording.for_cdns(freshness, channel.timeline, plan.lasts),
            ),
        )

    async def in_time(self, ready: Ready, *, zipped: bool) -> Answer:
        """The answer that is not at hand, after waiting for what is about to be there.

        Raises:
            StoreError: the media is not in the store as its record says.
            OSError: it cannot be read.
            MediaError: no fragment can be made of it.
        """
        if _awaited(ready.plan) is not None:
            await self._wait(ready)
            if (reply := self.at_hand(ready, self._clock.now(), zipped=zipped)) is not None:
                return reply.answer
        plan = ready.plan
        if (wait := _awaited(plan)) is not None:
            return self.refusal(wait.otherwise, ready).answer
        if not isinstance(plan, MediaPlan):
            raise TypeError(plan)
        if isinstance(plan, ServeMedia) and plan.size > self._largest:
            return self._reader.unread(ready.request, plan)
        # Read once, however many wait for it.
        return await asyncio.shield(self._loaded(ready, plan))

    async def _wait(self, ready: Ready) -> None:
        """Return once something else is to be said, or nothing will be in time."""
        # Who waits makes no work: it shall put off nobody else.
        self.load.making -= 1
        self.waiting += 1
        since = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(None) as limit:
                # What has begun while it was awaited is waited for longer.
                while (plan := _awaited(ready.plan)) is not None:
                    limit.reschedule(since + float(plan.at_most))
                    await ready.channel.grown()
                    self._decide(ready, self._clock.now())
        except TimeoutError:
            pass
        finally:
            self.load.making += 1
            self.waiting -= 1

    def bring(self, ready: Ready, then: Callable[[], None]) -> bool:
        """Have the media of an answer at hand, and call `then`; False if it is none to keep."""
        plan = ready.plan
        if not isinstance(plan, MediaPlan):
            return False
        if isinstance(plan, ServeMedia) and plan.size > self._largest:
            return False
        self._loaded(ready, plan).add_done_callback(lambda _: then())
        return True

    def begun(self, ready: Ready, plan: ServeGrowing) -> Reply:
        """The head of the answer that is a segment as it comes."""
        return self.reply(self._reader.growing(plan), ready)

    def path_of(self, plan: ServeGrowing) -> Path:
        """Where the segment is written."""
        return self._reader.path_of(plan)

    def now(self) -> UtcMicros:
        """The instant."""
        return self._clock.now()

    @property
    def channels(self) -> Iterable[FollowedChannel]:
        """All that there is to answer from."""
        return self._channels.values()

    def _loaded(self, ready: Ready, plan: MediaPlan) -> asyncio.Task[Answer]:
        """The reading of an answer's media, which may be under way already."""
        loading = self._loading.get(ready.request)
        if loading is None or loading[0] != plan:
            task = asyncio.create_task(self._load(ready, plan))
            self._loading[ready.request] = loading = plan, task
            task.add_done_callback(partial(self._forget, ready.request))
        return loading[1]

    def _forget(self, request: Request, task: asyncio.Task[Answer]) -> None:
        if self._loading.get(request, (None, None))[1] is task:
            del self._loading[request]
        if not task.cancelled():
            task.exception()  # whoever waits for it has it; nobody need

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
                _ = self._loaded(ready, plan)  # it is there when it is there

    async def _load(self, ready: Ready, plan: MediaPlan) -> Answer:
        answer = await asyncio.to_thread(self._reader.read, ready.request, plan)
        if ready.plan == plan:
            ready.plain = ready.zipped = self.reply(answer, ready)
            self.shelf.put(ready.request, ready, ready.size)
        return answer

    def unreadable(self, ready: Ready) -> Answer:
        """What is said of media that the journal names and the store has not."""
        return self.refusal(_UNREADABLE, ready).answer

    def other_method(self, method: str) -> Answer:
        """What is said to a method that is neither GET nor HEAD."""
        if method == "OPTIONS":
            return self._wording.plain(204, "", Freshness.UNKNOWN, *_PREFLIGHT.items(), _ALLOW)
        return self._wording.plain(405, "only GET and HEAD", Freshness.UNKNOWN, _ALLOW)


_ALLOW = ("Allow", "GET, HEAD, OPTIONS")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization, Range",
    "Access-Control-Max-Age": "86400",
}


def _awaited(plan: Plan | None) -> Wait | None:
    """What is waited for by who wants a whole answer; None for nothing."""
    if isinstance(plan, ServeGrowing):
        return plan.whole
    return plan if isinstance(plan, Wait) else None


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
