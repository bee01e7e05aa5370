"""A running origin, and what it answers."""

import asyncio
import re
import sys
from asyncio import StreamReader
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from socket import create_server

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from origin.runtime.app import serve
from packager.config.parse import parse_served_config
from packager.host.sockets import Listeners
from packager.timing.clock import ManualClock
from packager.timing.ticks import UtcMicros
from tests.support.channel import Packager

SOON = 5.0
"""Seconds in which anything that is to happen has happened; a long segment is held for longer."""
OURS = {"Date", "X-Request-ID"}
"""Headers that two equal answers differ in."""


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    def one(self, name: str) -> str:
        """The value of a header that is there exactly once."""
        values = self.headers.getall(name, [])
        assert len(values) == 1, (name, values)
        return values[0]

    @property
    def lasting(self) -> dict[str, str]:
        """The headers that are those of every equal answer."""
        return {name: value for name, value in self.headers.items() if name not in OURS}

    @property
    def tag(self) -> str:
        return self.one("ETag")


@dataclass
class Site:
    """A running origin."""

    port: int
    clock: ManualClock
    session: aiohttp.ClientSession

    async def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask for `path` below the channel, or for one that starts at the root."""
        full = path if path.startswith("/") else f"/live/tv/{path}"
        url = URL(f"http://127.0.0.1:{self.port}{full}", encoded=True)
        async with self.session.request(method, url, headers=headers) as response:
            return Answer(response.status, response.headers, await response.read())

    async def until(self, path: str, status: int = 200) -> Answer:
        """The first answer to `path` with this status."""
        async with asyncio.timeout(SOON):
            while (answer := await self.ask(path)).status != status:
                await asyncio.sleep(0.005)
        return answer

    async def held(self, file: str) -> "asyncio.Task[Answer]":
        """Ask for a file that is not there; return once the origin holds the request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        # A connection that was answered on is one that the origin reads from: bytes written
        # to it is there before the requests below.
        writer.write(request("GET /healthz"))
        await read_answer(reader, bare=False)
        writer.write(request(f"GET /live/tv/{file}"))

        async def answer() -> Answer:
            try:
                return await read_answer(reader, bare=False)
            finally:
                writer.close()

        asking = asyncio.create_task(answer())
        for _ in range(3):
            assert (await self.ask("/healthz")).status == 200
        assert not asking.done(), asking.result()
        return asking

    async def raw(self, *requests: bytes) -> list[Answer]:
        """Send bytes as they are on one connection; returns the response to each."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"".join(requests))
            async with asyncio.timeout(SOON):
                return [await read_answer(reader, bare=r.startswith(b"HEAD")) for r in requests]
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def read_answer(reader: StreamReader, *, bare: bool) -> Answer:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    named = (line.partition(": ") for line in lines)
    headers = CIMultiDict((name, value) for name, _, value in named)
    code = int(status.split()[1])
    if headers.get("Transfer-Encoding") == "chunked":
        body = b"" if bare else await _chunked(reader)
    else:
        length = 0 if bare or code in (204, 304) else int(headers["Content-Length"])
        body = await reader.readexactly(length)
    return Answer(code, CIMultiDictProxy(headers), body)


async def _chunked(reader: StreamReader) -> bytes:
    """A body in chunks (RFC 9112 section 7.1)."""
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        assert await reader.readexactly(2) == b"\r\n"
    assert await reader.readexactly(2) == b"\r\n"
    return body


def write_log(block: bytes) -> None:
    """Take a block of the access log."""
    sys.stderr.write(block.decode())


@asynccontextmanager
async def origin(
    data: Path, now: UtcMicros, cdn: str = "generic", options: str = "", access: str = ""
) -> AsyncIterator[Site]:
    """The origin process of a data folder, in this one.

    `options` are more of its configuration, `access` is the channel's, in YAML's flow style.
    """
    access = f", access: {access}" if access else ""
    config = parse_served_config(
        f"data: unused\norigin: {{cdn: {cdn}{options}}}\nchannels:\n"
        f"  tv: {{source: {{type: pattern}}, ladder: hd, window: 20s{access}}}\n",
        "ringside.yaml",
    )
    clock = ManualClock(now)
    with create_server(("127.0.0.1", 0)) as public, create_server(("127.0.0.1", 0)) as control:
        port = public.getsockname()[1]
        listeners = Listeners((public,), control)
        running = asyncio.create_task(serve(config, data, listeners, clock, write_log))
        session = aiohttp.ClientSession(
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=2 * SOON),
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
        )
        try:
            async with session:
                site = Site(port, clock, session)
                await site.ask("/healthz")
                yield site
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


@asynccontextmanager
async def serving(
    made: Packager, cdn: str = "generic", options: str = "", access: str = ""
) -> AsyncIterator[Site]:
    """The origin of a channel, at a moment when its edge is fresh."""
    edge = max(made.journal.timeline.edge, made.first)
    async with origin(made.folder.parent, made.grid.micros(edge + 2), cdn, options, access) as site:
        yield site


def request(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


def check(answer: Answer, *, bare: bool = False) -> None:
    """Check the rules for every response."""
    assert re.fullmatch(
        r"no-store|public, max-age=\d+(, immutable)?", answer.one("Cache-Control")
    ), answer.headers
    assert answer.one("Access-Control-Allow-Origin") == "*"
    assert parsedate_to_datetime(answer.one("Date")).tzinfo is not None
    assert re.fullmatch(r"[\x21-\x7e]{1,128}", answer.one("X-Request-ID"))
    if answer.body or (bare and answer.status not in (204, 304)):
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", answer.one("Content-Type"))
        assert bare or int(answer.one("Content-Length")) == len(answer.body)
    if answer.status >= 400 and not bare:
        assert answer.body.decode().rstrip("\n").isprintable()
        assert answer.body.count(b"\n") <= 1
        assert "immutable" not in answer.one("Cache-Control")
