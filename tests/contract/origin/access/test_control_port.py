"""Access to the control port; `ringside event` and `ringside token` as typed in a shell."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from origin.access.control_port import ControlGuard
from origin.access.playback import AccessPolicy, split_token
from origin.runtime.control.api import ControlAccess, ControlHandlers
from origin.runtime.journal.follower import FollowedChannel
from origin.urls.request import parse
from packager.config.access import AccessConfig
from packager.config.secret import Secret
from packager.runtime.service.control_api import ControlSocket, listen
from packager.timeline.events import EventOrder, ordered
from packager.timeline.records import EventSet
from packager.timing.clock import ManualClock, SystemClock
from packager.timing.ticks import MICROS, UtcMicros
from tests.paths import ROOT

NOW = UtcMicros(1_767_225_600_000_000)
TOKEN = "correct-horse-battery"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LOCKED = ControlGuard("0.0.0.0", Secret(TOKEN.encode()))
ACCESS = AccessConfig(token_keys=(Secret(b"key-that-signs-first"), Secret(b"key-that-signed-once")))
ORDER = "/api/channels/tv/events/fight"


@pytest.fixture(autouse=True)
def _counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somewhere for metrics to be read from: a service has its own."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))


class Channel:
    """Events and no media."""

    def __init__(self) -> None:
        self.known: dict[str, EventSet] = {}

    def set_event(self, name: str, order: EventOrder) -> EventSet:
        self.known[name] = ordered(name, order, self.known, NOW)
        return self.known[name]

    def remove_event(self, name: str) -> bool:
        return self.known.pop(name, None) is not None


class Port:
    """A control port and its client."""

    def __init__(self, server: TestServer, session: ClientSession, channel: Channel) -> None:
        self.number = server.port
        self.channel = channel
        self._server, self._session = server, session

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], str]:
        url = self._server.make_url(path)
        data = b'{"start": "now"}' if method == "PUT" else None
        async with self._session.request(method, url, data=data, headers=headers) as answer:
            return answer.status, answer.headers, await answer.text()


@asynccontextmanager
async def port(folder: Path, guard: ControlGuard) -> AsyncIterator[Port]:
    channel = Channel()
    at_work = await listen(ControlSocket({"tv": channel}), folder)  # type: ignore[dict-item]
    followed = FollowedChannel("tv", folder / "tv", Fraction(60), Fraction(600))
    access = ControlAccess(guard, {"tv": ACCESS})
    handlers = ControlHandlers({"tv": followed}, folder, 8080, ManualClock(NOW), access)
    try:
        async with TestServer(handlers.application()) as server, ClientSession() as session:
            yield Port(server, session, channel)
    finally:
        await at_work.cleanup()


async def test_the_page_and_health_are_free(tmp_path: Path) -> None:
    async with port(tmp_path, LOCKED) as control:
        for path in ("/", "/healthz", "/page/page.js", "/page/page.css"):
            assert (await control.ask("GET", path))[0] == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": f"Bearer {TOKEN}x"}])
async def test_all_else_wants_the_token(tmp_path: Path, headers: Mapping[str, str]) -> None:
    async with port(tmp_path, LOCKED) as control:
        for method, path in [
            ("GET", "/api/status"),
            ("HEAD", "/api/status"),
            ("GET", "/%61pi/status"),
            ("GET", "/api/channels/tv/events"),
            ("GET", "/api/none"),
            ("PUT", ORDER),
            ("DELETE", ORDER),
            ("POST", ORDER),
        ]:
            status, response_headers, text = await control.ask(method, path, headers)
            assert status == 401
            assert response_headers["WWW-Authenticate"] == 'Bearer realm="ringside"'
            assert response_headers["Content-Type"] == "application/json"
            assert method == "HEAD" or list(msgspec.json.decode(text)) == ["error"]
            assert TOKEN not in text
        status, response_headers, text = await control.ask("GET", "/metrics", headers)
        assert status == 401
        assert response_headers["WWW-Authenticate"] == 'Bearer realm="ringside"'
        assert response_headers["Content-Type"].startswith("text/plain")
        assert text.count("\n") == 1
        assert not control.channel.known


async def test_the_token_permits_every_request(tmp_path: Path) -> None:
    async with port(tmp_path, LOCKED) as control:
        for path in ("/api/status", "/metrics"):
            assert (await control.ask("GET", path, BEARER))[0] == 200
        assert (await control.ask("PUT", ORDER, BEARER | {"Host": "control.example"}))[0] == 200
        assert list(control.channel.known) == ["fight"]
        assert (await control.ask("DELETE", ORDER, BEARER))[0] == 200
        assert (await control.ask("GET", "/api/none", BEARER))[0] == 404


async def test_orders_from_everywhere_are_refused_without_a_token(tmp_path: Path) -> None:
    async with port(tmp_path, ControlGuard("0.0.0.0")) as control:
        for method in ("PUT", "DELETE", "POST"):
            status, _, text = await control.ask(method, ORDER)
            error = "no orders where the control port is not on loopback: set origin.control_token"
            assert (status, msgspec.json.decode(text)) == (403, {"error": error})
        for path in ("/api/status", "/metrics"):
            assert (await control.ask("GET", path))[0] == 200
        assert not control.channel.known


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example:8081"},
        {"Host": "rebound.example:8081", "Origin": "http://rebound.example:8081"},
        {"Host": "rebound.example:8081", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://other.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_pages_of_others_give_no_orders(tmp_path: Path, headers: Mapping[str, str]) -> None:
    async with port(tmp_path, ControlGuard()) as control:
        for method in ("PUT", "DELETE"):
            status, response_headers, text = await control.ask(method, ORDER, headers)
            assert status == 403
            assert list(msgspec.json.decode(text)) == ["error"]
            assert "Access-Control-Allow-Origin" not in response_headers
        assert not control.channel.known
        own = {"Origin": f"http://127.0.0.1:{control.number}"}
        for method in ("PUT", "DELETE"):
            assert (await control.ask(method, ORDER, own))[0] == 200
            assert (await control.ask("PUT", ORDER))[0] == 200


async def test_a_preflight_is_no_leave(tmp_path: Path) -> None:
    asked = {"Origin": "https://other.example", "Access-Control-Request-Method": "PUT"}
    for guard in (LOCKED, ControlGuard()):
        async with port(tmp_path, guard) as control:
            status, response_headers, _ = await control.ask("OPTIONS", ORDER, asked)
            assert status >= 400
            assert not [
                name for name in response_headers if name.lower().startswith("access-control")
            ]


async def test_the_players_of_the_page_have_a_token(tmp_path: Path) -> None:
    async def urls(control: Port, headers: Mapping[str, str]) -> dict[str, str]:
        status, _, text = await control.ask("GET", "/api/status", headers)
        assert status == 200
        assert "key-that" not in text
        found: dict[str, str] = msgspec.json.decode(text)["channels"][0]["urls"]
        return found

    async with port(tmp_path, LOCKED) as control:
        for url in (await urls(control, BEARER)).values():
            token, path = split_token(url)
            gate = AccessPolicy.of(ACCESS)
            assert gate.check(token, parse(path), path, NOW) is None
            later = UtcMicros(NOW + 12 * 3600 * MICROS)
            assert gate.check(token, parse(path), path, later) is None
            assert gate.check(token, parse(path), path, UtcMicros(later + 2 * 3600 * MICROS))
    async with port(tmp_path, ControlGuard()) as control:
        assert (await urls(control, {}))["hls"].startswith("/t/")
        # A client without permission for orders gets no token.
        assert (await urls(control, {"Host": "x.example"}))["hls"] == "/live/tv/index.m3u8"
    async with port(tmp_path, ControlGuard("0.0.0.0")) as control:
        assert (await urls(control, {}))["hls"] == "/live/tv/index.m3u8"


CONFIG = """\
data: data
origin: {{host: 127.0.0.1, control_port: {port}, control_token: $TOKEN}}
channels:
  tv: {{source: {{type: pattern}}, ladder: demo, access: {{token_keys: [$NEW, $OLD]}}}}
  free: {{source: {{type: pattern}}, ladder: demo}}
"""


async def ringside(folder: Path, port: int, *words: str, token: str = TOKEN) -> tuple[int, str]:
    """The exit code and the output of a command."""
    path = folder / "ringside.yaml"
    path.write_text(CONFIG.format(port=port))
    new, old = (key.value.decode() for key in ACCESS.token_keys)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "packager", *words, "-c", str(path)],
        cwd=ROOT,
        env={"TOKEN": token, "NEW": new, "OLD": old},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stdout or not done.stderr
    return done.returncode, done.stdout or done.stderr


async def test_ringside_event_shows_the_token(tmp_path: Path) -> None:
    async with port(tmp_path, LOCKED) as control:
        assert control.number
        order = "event", "start", "tv", "fight"
        code, output = await ringside(tmp_path, control.number, *order)
        assert (code, output) == (0, "fight: 2026-01-01T00:00:00.000Z to ...\n")
        code, output = await ringside(tmp_path, control.number, *order, token="y" * 16)
        assert (code, output) == (2, "ringside: not the control token\n")


async def test_ringside_token(tmp_path: Path) -> None:
    words = "token", "tv", "--for", "90m", "--prefix", "/event/fight"
    code, output = await ringside(tmp_path, 8081, *words)
    assert code == 0
    token, url = output.splitlines()
    path = "/live/tv/event/fight/index.m3u8"
    assert url == f"http://127.0.0.1:8080/t/{token}{path}"
    grant = AccessPolicy(ACCESS.token_keys[:1]).verify(token)
    assert grant is not None
    assert grant.prefix == "/live/tv/event/fight"
    left = grant.expires - SystemClock().now() // MICROS
    assert 0 < left <= 90 * 60


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["free"], "channels.free.access.token_keys: none in "),
        (["none"], "'none': no such channel in "),
        (["tv", "--for", "soon"], "--for: not a duration: 'soon'"),
        (["tv", "--for", "999999999d"], "a token expires between the years"),
        (["tv", "--prefix", "2"], "--prefix '2': does not start with /"),
        (["tv", "--prefix", "/event/"], "a prefix is /live/{channel}, or a view or track below it"),
    ],
)
async def test_invalid_token_requests_are_refused_in_one_line(
    tmp_path: Path, words: list[str], reason: str
) -> None:
    code, output = await ringside(tmp_path, 8081, "token", *words)
    assert code == 2
    assert output.startswith(f"ringside: {reason}"), output
    assert output.count("\n") == 1
