"""Receives pushed CMAF: HTTP requests of encoders become published segments.

    PUT or POST /cmaf/{key}/{path}     a header, fragments, or both; a manifest is ignored
    DELETE      /cmaf/{key}/{path}     accepted without effect: the retention deletes segments

`routes` is for the HTTP server of ingest. Its access log must be off, since paths contain keys.
"""

import asyncio
from http import HTTPStatus

import structlog
from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError

from packager.cmaf_ingest.announcements import NoHeaderError
from packager.cmaf_ingest.health import IngestHealth
from packager.cmaf_ingest.ingest import CmafIngest
from packager.cmaf_ingest.upload import Upload, is_manifest, is_text
from packager.config.secret import Secret
from packager.errors import CodecError, DiskError, FeedError, MediaError
from packager.runtime.ingest.stream_keys import KeyRegistry
from packager.runtime.storage.publisher import Publisher
from packager.runtime.telemetry import metrics
from packager.segmenter.actions import EndPeriod
from packager.timing.clock import Clock, monotonic, monotonic_micros

_TICK = 0.1
"""Seconds between two checks for due media, which waits longer than that for other encoders."""
_IDLE = 30.0
"""Seconds without a byte after which a request ends."""
_MAX_REQUESTS = 256
"""Concurrent requests of one channel."""
_MAX_MANIFEST_SIZE = 4 << 20
_MAX_ENCODERS = 64
"""Encoder addresses that are remembered."""
_QUIET = 15.0
"""Seconds within which a problem is logged once."""
_CONNECTION_LOST = (OSError, ClientPayloadError, web.RequestPayloadError, HttpProcessingError)


class CmafReceiver:
    """Receives the pushes of one channel, from one start of the channel to its end."""

    def __init__(self, channel: str, publisher: Publisher, clock: Clock) -> None:
        """Continue after the segments that `publisher` has."""
        self.ingest = CmafIngest.onto(publisher.timeline)
        self.newest = monotonic()
        """When the newest bytes arrived, in seconds of the monotonic clock."""
        self.health = IngestHealth()
        self.request_count = 0
        """Open requests."""
        self._publisher = publisher
        self._clock = clock
        self._latency = metrics.PUBLISH_SECONDS.labels(channel)
        self._log = structlog.get_logger().bind(channel=channel)
        self._failed = asyncio.Event()
        self._failure: DiskError | None = None
        self._breaks: list[EndPeriod] = []
        self._encoders: set[str] = set()
        self._logged_at: dict[str, float] = {}

    async def run(self, key: "CmafKey") -> None:
        """Receive the pushes with `key` until cancelled.

        Raises:
            DiskError: media could not be published.
        """
        key.receiver = self
        try:
            while self._failure is None:
                try:
                    async with asyncio.timeout(_TICK):
                        await self._failed.wait()
                except TimeoutError:
                    self._publish()
            raise self._failure
        finally:
            if key.receiver is self:
                key.receiver = None
            self._publisher.store.close_all()

    def open(self, path: str, host: str, port: int) -> Upload:
        """Begin a request."""
        self.request_count += 1
        if host not in self._encoders and len(self._encoders) < _MAX_ENCODERS:
            self._encoders.add(host)
            self._log.info("cmaf.encoder_connected", peer=host)
        return Upload(self.ingest, path, host, port)

    def feed(self, upload: Upload, data: bytes) -> None:
        """Take more bytes of a request.

        Raises:
            MediaError, FeedError: the bytes are refused.
            DiskError: the media could not be published.
        """
        self.newest = monotonic()
        self.health.note_bytes(upload.host, len(data), monotonic_micros())
        upload.feed(data, self._clock.now())
        self._publish()

    def close(self, upload: Upload, *, is_whole: bool) -> None:
        """End a request.

        Raises:
            MediaError: the body ended too early.
            DiskError: the media could not be published.
        """
        self.request_count -= 1
        try:
            upload.close(self._clock.now(), is_whole=is_whole)
        finally:
            self._publish()

    def breaks(self) -> list[EndPeriod]:
        """The breaks of the timeline since the last call, for the channel's status."""
        found, self._breaks = self._breaks, []
        return found

    def log_problem(self, event: str, problem: str, **fields: str) -> None:
        """Keep a problem for the status; log it, unless it was logged within the last seconds."""
        self.health.note_problem(": ".join((*fields.values(), problem)))
        now = monotonic()
        if now - self._logged_at.get(f"{event} {problem}", -_QUIET) < _QUIET:
            return
        if len(self._logged_at) >= _MAX_ENCODERS:
            self._logged_at.clear()
        self._logged_at[f"{event} {problem}"] = now
        self._log.warning(event, problem=problem, **fields)

    def _publish(self) -> None:
        if self._failure is not None:
            raise self._failure
        started = monotonic()
        try:
            actions = list(self.ingest.due(self._clock.now()))
            if actions:
                self._breaks += self._publisher.publish(actions)
                self._latency.observe(monotonic() - started)
        except DiskError as error:
            self._failure = error
            self._failed.set()
            raise
        for track in self.ingest.take_new_tracks():
            self._log.info("cmaf.track_added", track=track)
        for notice in self.ingest.take_notices():
            self.log_problem("cmaf.notice_reported", notice)


class CmafKey:
    """The receiver of a stream key."""

    def __init__(self) -> None:
        self.receiver: CmafReceiver | None = None
        """None while the channel is not running."""


class CmafKeys:
    """The stream keys for CMAF, over all channels."""

    def __init__(self) -> None:
        self._keys = KeyRegistry[CmafKey]()

    def add(self, key: Secret) -> CmafKey:
        """Register `key`, if it is new. Returns: its entry."""
        known = self._keys.find(key.value.decode("ascii"))
        if known is None:
            known = CmafKey()
            self._keys.add(key, known)
        return known

    def remove(self, key: Secret) -> None:
        """Refuse `key` from now on."""
        known = self._keys.pop(key)
        if known is not None:
            known.receiver = None

    def find(self, key: str) -> CmafKey | None:
        """The entry of the key that an encoder sends."""
        return self._keys.find(key)


def routes(keys: CmafKeys) -> list[web.RouteDef]:
    """The routes for CMAF on the HTTP server of ingest."""

    async def respond(request: web.Request) -> web.Response:
        key = keys.find(request.match_info["key"])
        if key is None:
            return _refusal(HTTPStatus.FORBIDDEN, "no such stream key")
        return await _respond(key, request)

    return [
        web.route(method, path, respond)
        for method in ("PUT", "POST", "DELETE")
        for path in ("/cmaf/{key}", "/cmaf/{key}/{path:.*}")
    ]


async def _respond(key: CmafKey, request: web.Request) -> web.Response:
    receiver, path = key.receiver, request.match_info.get("path", "")
    if receiver is None:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the channel is not running")
    if request.method == "DELETE":
        return web.Response()
    if is_manifest(path):
        return await _ignore(request)
    if is_text(path):
        return _refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "text and event tracks are unsupported")
    if receiver.request_count >= _MAX_REQUESTS:
        return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many concurrent requests")
    return await _receive(key, receiver, request, path)


async def _ignore(request: web.Request) -> web.Response:
    """Read and discard a manifest: the headers describe the tracks already."""
    size = 0
    try:
        async with asyncio.timeout(_IDLE):
            while data := await request.content.readany():
                size += len(data)
                if size > _MAX_MANIFEST_SIZE:
                    return _refusal(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the manifest is longer than 4 MiB"
                    )
    except TimeoutError:
        return _timeout()
    except _CONNECTION_LOST:
        return _refusal(HTTPStatus.BAD_REQUEST, "the connection was lost")
    return web.Response()


async def _receive(
    key: CmafKey, receiver: CmafReceiver, request: web.Request, path: str
) -> web.Response:
    """Receive a header or fragments. Returns: the response, at the end or at a refusal."""
    host, port = _peer(request)
    upload = receiver.open(path, host, port)
    is_whole = False
    try:
        try:
            while data := await _read(request):
                if key.receiver is not receiver:
                    return _restarting()
                receiver.feed(upload, data)
            is_whole = True
        finally:
            receiver.close(upload, is_whole=is_whole)
    except TimeoutError:
        return _timeout()
    except DiskError:
        return _restarting()
    except (MediaError, FeedError) as error:
        receiver.log_problem("cmaf.refused", str(error), peer=host)
        return _refusal(_status(error), str(error))
    except _CONNECTION_LOST:
        receiver.log_problem("cmaf.lost", "the connection was lost within a body", peer=host)
        return _refusal(HTTPStatus.BAD_REQUEST, "the connection was lost")
    return web.Response()


async def _read(request: web.Request) -> bytes:
    """The next bytes of the body; empty at its end.

    Raises:
        TimeoutError: no bytes arrive.
    """
    async with asyncio.timeout(_IDLE):
        return await request.content.readany()


def _status(error: MediaError | FeedError) -> HTTPStatus:
    """The status of an error (DASH-IF Live Media Ingest 1.2, section 5, failure behaviors)."""
    if isinstance(error, CodecError):
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if isinstance(error, NoHeaderError):
        return HTTPStatus.PRECONDITION_FAILED
    return HTTPStatus.BAD_REQUEST


def _timeout() -> web.Response:
    return _refusal(HTTPStatus.REQUEST_TIMEOUT, f"no bytes within {_IDLE:.0f} s")


def _restarting() -> web.Response:
    return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the channel is restarting")


def _refusal(status: HTTPStatus, reason: str) -> web.Response:
    response = web.Response(status=status, text=f"{reason}\n")
    response.force_close()
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "1"
    return response


def _peer(request: web.Request) -> tuple[str, int]:
    """Address and port; port 0 if the connection is closed already."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return request.remote or "", int(peer[1]) if peer else 0
