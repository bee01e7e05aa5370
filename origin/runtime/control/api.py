"""The control port: status page, players, metrics and the status API."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from origin.access.control_port import ControlGuard
from origin.access.playback import AccessDenied
from origin.runtime.control import players
from origin.runtime.control.channel_report import report
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.telemetry.metrics import TimelineCollector, exposition
from packager.access.playback_token import sign
from packager.config.access import AccessConfig
from packager.host.sockets import control_address
from packager.layout import is_name
from packager.timeline.events import LONGEST_ORDER, encode_events
from packager.timeline.staleness import is_stale
from packager.timing.clock import Clock
from packager.timing.ticks import MICROS, UtcMicros, iso8601

_PAGE = Path(__file__).parents[2] / "page"
_PAGE_FILE = re.compile(r"[a-z-]+\.(html|css|js)")
_PACKAGER_TIMEOUT = ClientTimeout(total=5)
_HOUR = 3600
_PAGE_HOURS = 12
"""Validity of the playback tokens for the page's players."""
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src *; media-src blob:; worker-src blob:; "
        "img-src 'self' data:; style-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ControlAccess:
    """What protects the control port, and the playback keys that its page signs tokens with."""

    guard: ControlGuard = field(default_factory=ControlGuard)
    playback: Mapping[str, AccessConfig] = field(default_factory=dict[str, AccessConfig])
    """By channel."""


_OPEN = ControlAccess()


class ControlHandlers:
    """Answers the requests of the control port."""

    def __init__(
        self,
        channels: Mapping[str, FollowedChannel],
        data: Path,
        public_port: int,
        clock: Clock,
        access: ControlAccess = _OPEN,
        hand_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Report on `channels` of the folder `data`, which are served on `public_port`.

        `hand_on` is called before metrics are read, to add the counts of this process.
        """
        self._channels = channels
        self._data = data
        self._public_port = public_port
        self._clock = clock
        self._guard = access.guard
        self._access = access.playback
        self._hand_on = hand_on
        self._version = version("ringside")

    def application(self) -> web.Application:
        """The application that serves the port."""
        application = web.Application(
            client_max_size=LONGEST_ORDER, middlewares=[self._guarded, _refusals_of_the_api]
        )
        application.add_routes(self._routes())
        return application

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        denied = self._guard.check(request.method, request.path, request.headers)
        return await handler(request) if denied is None else _denial(request, denied)

    def _routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self._index),
            web.get("/page/{file}", self._page),
            web.get("/players/{file}", self._player),
            web.get("/metrics", self._metrics),
            web.get("/api/status", self._status),
            web.get("/api/channels/{channel}/events", self._events),
            web.put("/api/channels/{channel}/events/{event}", self._order),
            web.delete("/api/channels/{channel}/events/{event}", self._order),
            web.get("/healthz", self._health),
            web.get("/readyz", self._readiness),
        ]

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(_PAGE / "index.html", headers=_SECURITY)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        file = request.match_info["file"]
        if not _PAGE_FILE.fullmatch(file) or not (_PAGE / file).is_file():
            raise web.HTTPNotFound
        return web.FileResponse(_PAGE / file, headers=_SECURITY)

    async def _player(self, request: web.Request) -> web.StreamResponse:
        path = players.path_of(request.match_info["file"])
        if path is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers=_SECURITY)

    async def _events(self, request: web.Request) -> web.Response:
        channel = self._channels.get(request.match_info["channel"])
        if channel is None:
            return _refusal(404, "no such channel")
        return _json(200, encode_events(channel.timeline.events))

    async def _order(self, request: web.Request) -> web.Response:
        """Forward an order to the packager, the only writer of the journal."""
        names = request.match_info["channel"], request.match_info["event"]
        if not all(map(is_name, names)):
            return _refusal(400, "a channel's or event's name is at most 32 of a-z, 0-9, - and _")
        url = "http://packager/api/channels/{}/events/{}".format(*names)
        try:
            with control_address(self._data) as path:
                async with (
                    ClientSession(
                        connector=UnixConnector(path), timeout=_PACKAGER_TIMEOUT
                    ) as session,
                    session.request(request.method, url, data=await request.read()) as response,
                ):
                    if response.content_type != "application/json":
                        return _refusal(502, "the packager failed: see its log")
                    return _json(response.status, await response.read())
        except TimeoutError:
            return _refusal(503, "the packager does not answer")
        except (ClientError, OSError) as error:
            return _refusal(503, f"the packager is not running on this machine: {error}")

    async def _metrics(self, _: web.Request) -> web.Response:
        self._hand_on()
        collector = TimelineCollector(self._channels, self._clock.now)
        text = exposition(collector)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def _readiness(self, _: web.Request) -> web.Response:
        """200 if at least one channel is not stale, else 503."""
        now = self._clock.now()
        stale = sum(is_stale(channel.timeline, now) for channel in self._channels.values())
        ready = stale < len(self._channels)
        return web.Response(
            status=200 if ready else 503,
            text=f"{stale} of {len(self._channels)} channels have no live edge, or a stale one\n",
            headers={"Cache-Control": "no-store"},
        )

    async def _status(self, request: web.Request) -> web.Response:
        now = self._clock.now()
        # Only clients with the right to give orders get playback tokens.
        trusted = self._guard.check_order(request.headers) is None
        body = {
            "version": self._version,
            "now": iso8601(now),
            "public_port": self._public_port,
            "channels": [
                report(channel, now, self._root(channel.name, now) if trusted else "")
                for channel in self._channels.values()
            ],
        }
        response = web.json_response(body=msgspec.json.encode(body))
        response.headers["Cache-Control"] = "no-store"
        response.enable_compression()
        return response

    def _root(self, channel: str, now: UtcMicros) -> str:
        """The path prefix with a token for the page's players; empty without token keys.

        It stays the same for an hour, so that the page keeps its URLs.
        """
        keys = self._access.get(channel, AccessConfig()).token_keys
        if not keys:
            return ""
        hour = now // MICROS // _HOUR
        return f"/t/{sign(keys[0], f'/live/{channel}', (hour + 1 + _PAGE_HOURS) * _HOUR)}"


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(
        status=status,
        body=body,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _refusal(status: int, reason: str) -> web.Response:
    return _json(status, msgspec.json.encode({"error": reason}))


def _denial(request: web.Request, denied: AccessDenied) -> web.Response:
    """JSON for the API, one line of text for other paths."""
    if request.path.startswith("/api/"):
        response = _refusal(denied.status, denied.reason)
    else:
        response = web.Response(
            status=denied.status,
            text=f"{denied.reason}\n",
            headers={"Cache-Control": "no-store"},
        )
    if denied.status == 401:  # noqa: PLR2004 - HTTP's
        response.headers["WWW-Authenticate"] = 'Bearer realm="ringside"'
    return response


@web.middleware
async def _refusals_of_the_api(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every refusal of the API in JSON."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return _refusal(413, f"an order must be no longer than {LONGEST_ORDER} bytes")
    except web.HTTPException as refusal:
        if refusal.status < 400 or not request.path.startswith("/api/"):  # noqa: PLR2004 - HTTP's
            raise
        return _refusal(refusal.status, refusal.reason.lower())
