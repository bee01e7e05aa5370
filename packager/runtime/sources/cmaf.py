"""The way of pushed CMAF: HTTP requests of encoders in, segments published.

    PUT or POST /cmaf/{key}/{path}     a header, fragments, or both; a manifest, which is ignored
    DELETE      /cmaf/{key}/{path}     accepted: what leaves the retention goes by itself

`routes` is for the HTTP server of ingest. Its access log must be off: paths have keys in them.
"""

import asyncio
import hashlib
from http import HTTPStatus

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from packager.actions import Broken
from packager.clock import Clock, monotonic
from packager.cmaf_push.body import Body, is_manifest, is_text
from packager.cmaf_push.merge import Merge, NoHeaderError
from packager.errors import CodecError, DiskError, FeedError, MediaError
from packager.runtime import metrics
from packager.runtime.publisher import Publisher
from packager.secret import Secret

_TICK = 0.1
"""Seconds between two looks at what is due: what waits for another encoder does so for longer."""
_IDLE = 30.0
"""Seconds that a request may say nothing."""
_MOST_BODIES = 256
"""Of one channel, at a time."""
_MANIFEST = 4 << 20
"""Bytes of one."""
_MOST_ENCODERS = 64
"""That are remembered as known."""
_QUIET = 15.0
"""Seconds in which nothing is logged twice."""
_LOST = (OSError, ClientPayloadError, web.RequestPayloadError, HttpProcessingError)
"""What a connection that breaks looks like."""


class CmafIntake:
    """Takes what encoders push to one channel, from one start of the channel to its end."""

    def __init__(self, channel: str, publisher: Publisher, clock: Clock) -> None:
        """Go on after what `publisher` has."""
        self.merge = Merge.onto(publisher.timeline)
        self.newest = monotonic()
        """When the newest bytes came."""
        self.bodies = 0
        """Requests under way."""
        self._publisher = publisher
        self._clock = clock
        self._latency = metrics.PUBLISH_SECONDS.labels(channel)
        self._log = structlog.get_logger().bind(channel=channel)
        self._failed = asyncio.Event()
        self._failure: DiskError | None = None
        self._breaks: list[Broken] = []
        self._encoders: set[str] = set()
        self._said: dict[str, float] = {}

    async def run(self, door: "CmafDoor") -> None:
        """Take what comes to `door` until cancelled.

        Raises:
            DiskError: something could not be published.
        """
        door.intake = self
        try:
            while self._failure is None:
                try:
                    async with asyncio.timeout(_TICK):
                        await self._failed.wait()
                except TimeoutError:
                    self._publish()
            raise self._failure
        finally:
            if door.intake is self:
                door.intake = None
            self._publisher.store.close_all()

    def open(self, path: str, host: str, port: int) -> Body:
        """A request has come."""
        self.bodies += 1
        if host not in self._encoders and len(self._encoders) < _MOST_ENCODERS:
            self._encoders.add(host)
            self._log.info("cmaf.encoder", peer=host)
        return Body(self.merge, path, host, port)

    def feed(self, body: Body, data: bytes) -> None:
        """More of a request has come.

        Raises:
            MediaError, FeedError: it cannot be taken.
            DiskError: it could not be published.
        """
        self.newest = monotonic()
        body.feed(data, self._clock.now())
        self._publish()

    def close(self, body: Body, *, is_whole: bool) -> None:
        """A request is over.

        Raises:
            MediaError: too early.
            DiskError: what it completed could not be published.
        """
        self.bodies -= 1
        try:
            body.close(self._clock.now(), is_whole=is_whole)
        finally:
            self._publish()

    def breaks(self) -> list[Broken]:
        """Breaks of the timeline since the last call, for the channel's status."""
        found, self._breaks = self._breaks, []
        return found

    def say(self, event: str, problem: str, **fields: str) -> None:
        """Log what is wrong, unless the same was said a moment ago."""
        now = monotonic()
        if now - self._said.get(f"{event} {problem}", -_QUIET) < _QUIET:
            return
        if len(self._said) >= _MOST_ENCODERS:
            self._said.clear()
        self._said[f"{event} {problem}"] = now
        self._log.warning(event, problem=problem, **fields)

    def _publish(self) -> None:
        if self._failure is not None:
            raise self._failure
        started = monotonic()
        try:
            actions = list(self.merge.due(self._clock.now()))
            if actions:
                self._breaks += self._publisher.publish(actions)
                self._latency.observe(monotonic() - started)
        except DiskError as error:
            self._failure = error
            self._failed.set()
            raise
        for track in self.merge.news:
            self._log.info("cmaf.track", track=track)
        for notice in self.merge.notices:
            self.say("cmaf.notice", notice)
        self.merge.news.clear()
        self.merge.notices.clear()


class CmafDoor:
    """Where a key leads to."""

    def __init__(self) -> None:
        """To nobody yet."""
        self.intake: CmafIntake | None = None
        """None while the channel is not at work."""


class CmafDoors:
    """The keys that encoders may push with, over all channels."""

    def __init__(self) -> None:
        """Nobody may yet."""
        self._doors: dict[bytes, CmafDoor] = {}

    def add(self, key: Secret) -> CmafDoor:
        """The door of `key`."""
        return self._doors.setdefault(_digest(key.octets), CmafDoor())

    def remove(self, key: Secret) -> None:
        """Nobody may push with `key` any more; who does is answered so."""
        door = self._doors.pop(_digest(key.octets), None)
        if door is not None:
            door.intake = None

    def find(self, key: str) -> CmafDoor | None:
        """The door of who says `key`; how long that takes says nothing of the key."""
        return self._doors.get(_digest(key.encode("utf-8", "surrogateescape")))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def routes(doors: CmafDoors) -> list[web.RouteDef]:
    """What the HTTP server of ingest answers for CMAF."""

    async def answer(request: web.Request) -> web.Response:
        return await _answer(doors, request)

    return [
        web.route(method, path, answer)
        for method in ("PUT", "POST", "DELETE")
        for path in ("/cmaf/{key}", "/cmaf/{key}/{path:.*}")
    ]


async def _answer(doors: CmafDoors, request: web.Request) -> web.Response:
    door = doors.find(request.match_info["key"])
    path = request.match_info.get("path", "")
    if door is None:
        return _refused(HTTPStatus.FORBIDDEN, "no such stream key")
    intake = door.intake
    if intake is None:
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "the channel is not at work")
    if request.method == "DELETE":
        return web.Response()
    if is_manifest(path):
        return await _ignored(request)
    if is_text(path):
        return _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "text and events are not packaged")
    if intake.bodies >= _MOST_BODIES:
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at a time")
    return await _taken(door, intake, request, path)


async def _ignored(request: web.Request) -> web.Response:
    """The answer to a manifest: nobody needs it, since headers say what there is."""
    size = 0
    try:
        async with asyncio.timeout(_IDLE):
            while data := await request.content.readany():
                size += len(data)
                if size > _MANIFEST:
                    return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long a manifest")
    except TimeoutError:
        return _refused(HTTPStatus.REQUEST_TIMEOUT, "nothing has come for too long")
    except _LOST:
        return _refused(HTTPStatus.BAD_REQUEST, "the connection broke")
    return web.Response()


async def _taken(
    door: CmafDoor, intake: CmafIntake, request: web.Request, path: str
) -> web.Response:
    """The answer to a header or to fragments, once they are over or are refused."""
    host, port = _peer(request)
    body = intake.open(path, host, port)
    is_whole = False
    try:
        try:
            while data := await _read(request):
                if door.intake is not intake:
                    return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "the channel begins anew")
                intake.feed(body, data)
            is_whole = True
        finally:
            intake.close(body, is_whole=is_whole)
    except TimeoutError:
        return _refused(HTTPStatus.REQUEST_TIMEOUT, "nothing has come for too long")
    except DiskError:
        return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "the channel begins anew")
    except (MediaError, FeedError) as error:
        intake.say("cmaf.refused", str(error), peer=host)
        return _refused(_status(error), str(error))
    except _LOST:
        intake.say("cmaf.lost", "a connection broke within a body", peer=host)
        return _refused(HTTPStatus.BAD_REQUEST, "the connection broke")
    return web.Response()


async def _read(request: web.Request) -> bytes:
    """What has come; nothing at the end.

    Raises:
        TimeoutError: nothing does.
    """
    async with asyncio.timeout(_IDLE):
        return await request.content.readany()


def _status(error: MediaError | FeedError) -> HTTPStatus:
    """Section 5 of the failure behaviours (DASH-IF Live Media Ingest 1.2)."""
    if isinstance(error, CodecError):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if isinstance(error, NoHeaderError):
        return HTTPStatus.PRECONDITION_FAILED
    return HTTPStatus.BAD_REQUEST


def _refused(status: HTTPStatus, reason: str) -> web.Response:
    response = web.Response(status=status, text=f"{reason}\n")
    response.force_close()
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def _peer(request: web.Request) -> tuple[str, int]:
    """Address and port; no port where the connection is over already."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return request.remote or "", int(peer[1]) if peer else 0
