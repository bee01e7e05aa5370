"""What the control API answers to orders, right and wrong ones: JSON always."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
import pytest_asyncio
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from yarl import URL

from origin.runtime.control.api import ControlHandlers
from packager.runtime.service.control_api import ControlSocket, listen
from packager.timeline.events import LONGEST_ORDER, EventOrder, ordered
from packager.timeline.records import EventSet
from packager.timing.clock import ManualClock
from packager.timing.ticks import UtcMicros

NOW = UtcMicros(1_767_225_600_000_000)


class Channel:
    """Events and no media."""

    def __init__(self) -> None:
        self.known: dict[str, EventSet] = {}

    def set_event(self, name: str, order: EventOrder) -> EventSet:
        if name == "bug":
            raise RuntimeError
        self.known[name] = ordered(name, order, self.known, NOW)
        return self.known[name]

    def remove_event(self, name: str) -> bool:
        return self.known.pop(name, None) is not None


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[tuple[TestServer, ClientSession]]:
    channel = Channel()
    followed = SimpleNamespace(timeline=SimpleNamespace(events=channel.known))
    at_work = await listen(ControlSocket({"tv": channel}), tmp_path)  # type: ignore[dict-item]
    handlers = ControlHandlers({"tv": followed}, tmp_path, 1, ManualClock(NOW))  # type: ignore[dict-item]
    async with TestServer(handlers.application()) as server, ClientSession() as session:
        yield server, session
    await at_work.cleanup()


async def ask(
    api: tuple[TestServer, ClientSession], method: str, path: str, body: bytes = b""
) -> tuple[int, object]:
    server, session = api
    url = URL(str(server.make_url("/api/")) + path, encoded=True)
    async with session.request(method, url, data=body) as answer:
        assert answer.content_type == "application/json", await answer.text()
        return answer.status, msgspec.json.decode(await answer.read())


async def test_an_event_from_its_start_to_its_removal(
    api: tuple[TestServer, ClientSession],
) -> None:
    path = "channels/tv/events/fight"
    status, reported = await ask(api, "PUT", path, b'{"start": "begun", "pinned": true}')
    assert (status, reported) == (
        200,
        {"name": "fight", "start": "2026-01-01T00:00:00.000Z", "end": None, "pinned": True},
    )
    assert (await ask(api, "GET", "channels/tv/events"))[1] == [reported]
    assert (await ask(api, "DELETE", path)) == (200, {})
    assert (await ask(api, "DELETE", path)) == (404, {"error": "no such event"})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("PUT", "channels/tv/events/x", b'{"end": "now"}', 404, "no such event"),
        ("DELETE", "channels/tv/events/x", b"", 404, "no such event"),
        ("PUT", "channels/none/events/x", b"{}", 404, "channel is not running"),
        ("GET", "channels/none/events", b"", 404, "no such channel"),
        ("PUT", "channels/tv/events/%C3%BC", b"{}", 400, "at most 32 of a-z"),
        ("PUT", "channels/tv/events/a%2Fb", b"{}", 400, "at most 32 of a-z"),
        ("PUT", "channels/tv/events/a/b", b"{}", 404, "not found"),
        ("PUT", "channels/tv/events/", b"{}", 404, "not found"),
        ("POST", "channels/tv/events/x", b"{}", 405, "method not allowed"),
        ("GET", "none", b"", 404, "not found"),
        ("PUT", "channels/tv/events/bug", b"{}", 502, "the packager failed"),
        ("PUT", "channels/tv/events/x", b"no", 400, "malformed|truncated"),
        ("PUT", "channels/tv/events/x", b"\xff", 400, "malformed"),
        ("PUT", "channels/tv/events/x", b"", 400, "truncated"),
        ("PUT", "channels/tv/events/x", b'{"start": "9999-12-31T00:00:00Z"}', 400, "2286"),
        (
            "PUT",
            "channels/tv/events/x",
            b" " * (LONGEST_ORDER + 1),
            413,
            "no longer than",
        ),
        ("PUT", "channels/tv/events/x", b" " * (1 << 20), 413, "no longer than"),
    ],
)
async def test_a_refusal_is_one_line_of_json(
    api: tuple[TestServer, ClientSession],
    method: str,
    path: str,
    body: bytes,
    status: int,
    reason: str,
) -> None:
    found, reported = await ask(api, method, path, body)
    assert found == status, reported
    assert isinstance(reported, dict)
    assert list(reported) == ["error"]
    assert any(part in reported["error"] for part in reason.split("|")), reported
    assert "\n" not in reported["error"]
    assert (await ask(api, "GET", "channels/tv/events"))[1] == []
