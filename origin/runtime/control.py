"""The control port: status page, players, metrics and the status API."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector, web

from origin.access import Denied
from origin.control_guard import ControlGuard
from origin.runtime import players
from origin.runtime.follow import FollowedChannel
from origin.runtime.metrics import TimelineCollector, exposition, live_edge
from origin.view import OfEvent, canonical, path_of
from packager.access import AccessConfig
from packager.clock import Clock
from packager.events import LONGEST_ORDER, encode_events
from packager.layout import STATUS, is_name
from packager.listening import control_address
from packager.playback_token import sign
from packager.retention import first_named
from packager.staleness import is_stale
from packager.status import ChannelStatus, decode
from packager.ticks import MICROS, UtcMicros, iso8601, micros_of
from packager.timeline import Timeline, TrackTimeline
from packager.window import window_track

_PAGE = Path(__file__).parent / "page"
_PAGE_FILES = {"index.html", "page.js", "page.css", "steady.js"}
_MOST_EVENTS = 50
"""That the page has room for: the newest."""
_HISTORY = 60
"""Segments of a track whose bit rates are shown."""
_PATIENCE = ClientTimeout(total=5)
_HOUR = 3600
_PAGE_HOURS = 12
"""How long the players of the page can play before it has to give them another token."""
_NONE: Mapping[str, AccessConfig] = MappingProxyType({})
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src *; media-src blob:; worker-src blob:; "
        "img-src 'self' data:; style-src 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ControlHandlers:
    """Answers the requests of the control port."""

    def __init__(
        self,
        channels: Mapping[str, FollowedChannel],
        data: Path,
        public_port: int,
        clock: Clock,
        guard: ControlGuard = ControlGuard(),  # noqa: B008 - it never changes
        access: Mapping[str, AccessConfig] = _NONE,
        hand_on: Callable[[], None] = lambda: None,
    ) -> None:
        """Report on `channels` of the folder `data`, which are served on `public_port`.

        `guard` says who may ask; `access` who may play, by channel; `hand_on` is called before
        metrics are read, so that they have what this process has counted.
        """
        self._channels = channels
        self._data = data
        self._public_port = public_port
        self._clock = clock
        self._guard = guard
        self._access = access
        self._hand_on = hand_on
        self._version = version("ringside")

    def application(self) -> web.Application:
        """What the port serves."""
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
        if file not in _PAGE_FILES:
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
        """Hand an order to the packager, which alone writes the journal."""
        names = request.match_info["channel"], request.match_info["event"]
        if not all(map(is_name, names)):
            return _refusal(400, "a channel's or event's name is at most 32 of a-z, 0-9, - and _")
        url = "http://packager/api/channels/{}/events/{}".format(*names)
        try:
            with control_address(self._data) as path:
                async with (
                    ClientSession(connector=UnixConnector(path), timeout=_PATIENCE) as session,
                    session.request(request.method, url, data=await request.read()) as answer,
                ):
                    if answer.content_type != "application/json":
                        return _refusal(502, "the packager failed: its log says how")
                    return _json(answer.status, await answer.read())
        except TimeoutError:
            return _refusal(503, "the packager does not answer")
        except (ClientError, OSError) as error:
            return _refusal(503, f"no packager is at work on this machine: {error}")

    async def _metrics(self, _: web.Request) -> web.Response:
        self._hand_on()
        collector = TimelineCollector(self._channels, self._clock.now)
        text = exposition(collector)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n", headers={"Cache-Control": "no-store"})

    async def _readiness(self, _: web.Request) -> web.Response:
        """Whether there is anything to be served that is not stale."""
        now = self._clock.now()
        stale = sum(is_stale(channel.timeline, now) for channel in self._channels.values())
        ready = stale < len(self._channels)
        return web.Response(
            status=200 if ready else 503,
            text=f"{stale} of {len(self._channels)} channels have no live edge, or none of late\n",
            headers={"Cache-Control": "no-store"},
        )

    async def _status(self, request: web.Request) -> web.Response:
        now = self._clock.now()
        # Who may give orders may look on: a token for others would be theirs to pass on.
        trusted = self._guard.check_order(request.headers) is None
        body = {
            "version": self._version,
            "now": iso8601(now),
            "public_port": self._public_port,
            "channels": [
                _channel(channel, now, self._root(channel.name, now) if trusted else "")
                for channel in self._channels.values()
            ],
        }
        response = web.json_response(body=msgspec.json.encode(body))
        response.headers["Cache-Control"] = "no-store"
        response.enable_compression()
        return response

    def _root(self, channel: str, now: UtcMicros) -> str:
        """What stands before the paths of a channel for the players of the page.

        It is the same for an hour, and good for some more.
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


def _denial(request: web.Request, denied: Denied) -> web.Response:
    """Programs read JSON, and Prometheus a line."""
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
    """Answer programs in JSON, whatever is wrong."""
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return _refusal(413, f"an order is no longer than {LONGEST_ORDER} bytes")
    except web.HTTPException as refusal:
        if refusal.status < 400 or not request.path.startswith("/api/"):  # noqa: PLR2004 - HTTP's
            raise
        return _refusal(refusal.status, refusal.reason.lower())


def _read_status(channel: FollowedChannel) -> ChannelStatus | None:
    try:
        return decode((channel.folder / STATUS).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def _channel(channel: FollowedChannel, now: UtcMicros, root: str) -> dict[str, object]:
    status = _read_status(channel)
    timeline = channel.timeline
    edge = live_edge(timeline)
    base = f"{root}/live/{channel.name}"
    said = msgspec.to_builtins(status) if status else {"state": "unknown"}
    if status is not None:
        said["since"] = iso8601(UtcMicros(status.since))
        if status.problem_at is not None:
            said["problem_at"] = iso8601(UtcMicros(status.problem_at))
    return {
        "name": channel.name,
        **said,
        "segment_duration": float(timeline.grid.duration),
        "live_edge": None if edge is None else iso8601(edge),
        "live_edge_age": None if edge is None else round((now - edge) / MICROS, 2),
        "period": timeline.period.index if timeline.period else None,
        "urls": {
            "hls": f"{base}/index.m3u8",
            "dash": f"{base}/index.mpd",
            "smooth": f"{base}/index.ism/Manifest",
        },
        "views": _views(timeline),
        "tracks": list(_tracks(timeline)),
    }


def _views(timeline: Timeline) -> dict[str, str]:
    """What stands behind the channel in the addresses of each stretch, by a name for people."""
    views = {"live": ""}
    if timeline.edge < 0:
        return views
    oldest = [t.segments[0].number for t in timeline.tracks.values() if t.segments]
    first = max(first_named(timeline), min(oldest, default=0))
    views["all that is kept"] = path_of(canonical(timeline.grid.micros(first), None, timeline.grid))
    newest_first = sorted(timeline.events.values(), key=lambda event: event.start, reverse=True)
    for event in newest_first[:_MOST_EVENTS]:
        views[f"event {event.name}"] = path_of(OfEvent(event.name))
    return views


def _tracks(timeline: Timeline) -> Iterator[dict[str, object]]:
    for track in timeline.tracks.values():
        measured = window_track(timeline, track.id, track.segments[-_HISTORY:])
        if measured is None:
            continue
        latest = measured.latest
        yield {
            "id": track.id,
            "kind": latest.kind,
            "codecs": latest.codecs,
            "width": latest.width,
            "height": latest.height,
            "frame_rate": str(latest.frame_rate or ""),
            "bitrate": latest.bitrate,
            "average": measured.average,
            "peak": measured.bandwidth,
            "segments": len(track.segments),
            "history": list(_history(track, latest.timescale)),
        }


def _history(track: TrackTimeline, timescale: int) -> Iterator[tuple[float, int]]:
    for segment in track.segments[-_HISTORY:]:
        if segment.duration:
            rate = Fraction(segment.size * 8 * timescale, segment.duration)
            yield micros_of(segment.end, timescale) / MICROS, round(rate)
