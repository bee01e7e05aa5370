"""What a client can cost: every connection, head and answer has its bounds."""

import asyncio
import gc
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from origin.http.http1 import LONGEST_HEAD
from origin.runtime.server.connection import timeouts
from origin.runtime.server.connection.connection import READ, Connection
from origin.runtime.server.connection.state import ANSWERING, State
from origin.runtime.telemetry import metrics
from packager.timing.clock import monotonic
from tests.support.channel import FIRST, GRID, LONG, channel, packager, payload
from tests.support.metric_values import value_of
from tests.support.paths_in import ByPort, connect, exchange, hot_port
from tests.support.site import SOON, request

BIG = 4 << 20
"""Bytes of half a segment: more than the kernel takes for a client that does not read."""
HEALTH = request("GET /healthz")
SMALL = request(f"GET /live/tv/v0/{FIRST}.m4s")
LARGE = request(f"GET /live/tv/v0/{FIRST + 1}.m4s")


@asynccontextmanager
async def serving(tmp_path: Path, *, most: int = 1000) -> AsyncIterator[ByPort]:
    """A channel with a small and a large segment."""
    made = packager(tmp_path)
    made.begin(0, FIRST)
    made.whole(FIRST)
    made.whole(FIRST + 1, size=BIG)
    async with hot_port(tmp_path, GRID.micros(FIRST + 3), most=most) as way:
        yield way


def closed(reason: str) -> float:
    """How many connections were ended for a reason so far."""
    return value_of(metrics.CLOSED_CONNECTIONS.labels(reason))


def only(way: ByPort) -> Connection:
    (connection,) = way.connections
    return connection


async def until_forgotten(way: ByPort) -> None:
    async with asyncio.timeout(SOON):
        while way.connections:
            await asyncio.sleep(0)


# Time.


@pytest.mark.parametrize(
    "head",
    [
        request("GET /healthz", "User-Agent: slow"),
        request("HEAD /healthz"),
        request("POST /healthz", "User-Agent: slow"),
        b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        request("GET /healthz", "X-Any: \xe9"),
    ],
)
async def test_a_head_that_arrives_byte_by_byte_has_a_time_out(tmp_path: Path, head: bytes) -> None:
    before = closed("slow-request")
    async with serving(tmp_path) as way:
        client = await connect(way)
        for octet in head[:-2]:
            client.send(bytes([octet]))
            await client.settle()
        way.port.sweep(monotonic() + timeouts.SLOW_REQUEST - 1)
        only(way).since -= timeouts.SLOW_REQUEST - 1  # as if it had begun that much earlier
        client.send(head[-2:-1])
        await client.settle()
        assert not client.closed
        way.port.sweep(monotonic() + 2)
        assert await client.until_closed()
        assert closed("slow-request") == before + 1
        assert client.got == b""
        client.close()
        await until_forgotten(way)


async def test_the_time_of_a_head_begins_with_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        client = await connect(way)
        only(way).since -= timeouts.IDLE - 5
        client.send(HEALTH[:9])
        await client.settle()
        way.port.sweep(monotonic() + timeouts.SLOW_REQUEST - 1)
        client.send(HEALTH[9:])
        await client.settle()
        assert not client.closed
        for one in (HEALTH, SMALL, SMALL, request("POST /healthz"), request("GET /%41")):
            client.send(one[:9])
            await client.settle()
            client.send(one[9:])
            await client.settle()
            way.port.sweep(monotonic() + timeouts.SLOW_REQUEST + 1)
            await client.settle()
            assert not client.closed
        client.close()


@pytest.mark.parametrize(
    "ask",
    [HEALTH, SMALL, request("POST /healthz"), b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
)
async def test_a_connection_without_a_request_has_its_time(tmp_path: Path, ask: bytes) -> None:
    before = closed("idle")
    async with serving(tmp_path) as way:
        client = await connect(way)
        way.port.sweep(monotonic() + timeouts.IDLE - 1)
        client.send(ask)
        await client.settle()
        only(way).since -= timeouts.IDLE / 2  # it was asked that long ago
        client.send(ask)
        await client.settle()
        way.port.sweep(monotonic() + timeouts.IDLE - 1)
        assert not client.closed
        way.port.sweep(monotonic() + timeouts.IDLE + 1)
        assert await client.until_closed()
        assert closed("idle") == before + 1
        assert client.got.startswith(b"HTTP/1.")
        client.close()


@pytest.mark.parametrize("odd", [False, True])
async def test_a_held_request_is_not_idle(
    tmp_path: Path,
    odd: bool,  # noqa: FBT001
) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with hot_port(tmp_path, made.grid.micros(number + 1)) as way, asyncio.timeout(SOON):
        client = await connect(way)
        if odd:
            client.send(request("POST /healthz"))
            await client.settle()
        client.got.clear()
        client.send(request(f"GET /live/tv/v0/{number}.m4s"))
        while not len(way.core.held):
            await asyncio.sleep(0)
        way.port.sweep(monotonic() + 2 * timeouts.IDLE)
        made.whole(number, "v0")
        way.core.catch_up()
        await client.settle()
        assert not client.closed
        assert client.got.endswith(payload("v0", number, 0) + payload("v0", number, 1))
        client.close()


@pytest.mark.parametrize("warm", [False, True])
async def test_a_client_that_reads_nothing_is_cut(
    tmp_path: Path,
    warm: bool,  # noqa: FBT001
) -> None:
    before = closed("slow-reader")
    async with serving(tmp_path) as way:
        if warm:
            await exchange(way, [[LARGE]])
        client = await connect(way, receives=1 << 16)
        only(way).since -= timeouts.IDLE - 1  # it asks for the first time after a while
        client.send(LARGE)
        async with asyncio.timeout(SOON):
            while not only(way).queue:
                await asyncio.sleep(0)
        way.port.sweep(monotonic() + timeouts.SLOW_READER - 1)
        assert not only(way).is_closing()
        way.port.sweep(monotonic() + timeouts.SLOW_READER + 1)
        assert way.connections == []
        assert closed("slow-reader") == before + 1
        client.close()


async def test_a_client_that_reads_too_slowly_is_cut(tmp_path: Path) -> None:
    before = closed("slow-reader")
    async with serving(tmp_path) as way:
        await exchange(way, [[LARGE]])
        client = await connect(way, receives=1 << 16)
        client.send(LARGE)
        async with asyncio.timeout(SOON):
            while not only(way).queue:
                await asyncio.sleep(0)
        connection = only(way)
        patience = timeouts.SLOW_READER + connection.queue.size / timeouts.SLOWEST
        for instant in range(10, int(patience), 10):
            connection.queue.progress = connection.since + instant  # as if it had just taken some
            way.port.sweep(connection.since + instant)
            assert way.connections
        connection.queue.progress = connection.since + patience
        way.port.sweep(connection.since + patience + 1)
        assert way.connections == []
        assert closed("slow-reader") == before + 1
        client.close()


async def test_a_client_that_never_closes_is_cut(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        client = await connect(way)
        client.send(request("GET /healthz", "Connection: close"))
        assert await client.until_closed()
        assert only(way).state is State.SHUT
        client.send(HEALTH)
        way.port.sweep(monotonic() + timeouts.SHUT + 1)
        assert way.connections == []
        client.close()


@pytest.mark.parametrize(
    "asked", [HEALTH, request("POST /healthz"), HEALTH + HEALTH[:9], b"GET /", b"POST", b""]
)
async def test_an_end_behind_a_request_is_seen(tmp_path: Path, asked: bytes) -> None:
    async with serving(tmp_path) as way:
        client = await connect(way)
        # Both are there before the origin looks.
        client.send(asked)
        client.finish()
        assert await client.until_closed()
        await until_forgotten(way)
        whole = asked.startswith(HEALTH)
        assert client.got.startswith(b"HTTP/1.1 200 OK") if whole else True
        client.close()


async def test_a_long_answer_has_its_time_a_piece_at_a_time(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        client = await connect(way, receives=1 << 16)
        client.send(request(f"GET /live/tv/v0/{FIRST + 1}.m4s", "X-Any: \xe9"))
        connection = only(way)
        async with asyncio.timeout(SOON):
            while connection.state not in ANSWERING:
                await asyncio.sleep(0)
            connection.since -= 1000  # as if the response had begun that much earlier
            while not connection.queue:
                await asyncio.sleep(0)
            way.port.sweep(monotonic())
            assert not connection.is_closing()
            while len(client.got) < 2 * BIG:
                client.drain()
                await asyncio.sleep(0)
        client.close()


async def test_the_time_goes_on_where_nothing_comes(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        way.hot.tick -= 1000
        async with asyncio.timeout(SOON):
            while way.port.tick < monotonic() - 1:
                await asyncio.sleep(0)


# Room.


async def test_the_oldest_idle_connection_makes_room(tmp_path: Path) -> None:
    before = closed("full")
    async with serving(tmp_path, most=3) as way:
        odd, first, second = [await connect(way) for _ in range(3)]
        for client, ask in ((odd, b"POST /"), (first, HEALTH), (second, HEALTH)):
            client.send(ask)
            await client.settle()
        third = await connect(way)
        third.send(HEALTH)
        await third.settle()
        assert await first.until_closed()
        assert not odd.closed
        assert not second.closed
        assert third.got.startswith(b"HTTP/1.1 200")
        assert closed("full") == before + 1
        for client in (odd, first, second, third):
            client.close()


async def test_without_an_idle_connection_a_new_one_gets_503(tmp_path: Path) -> None:
    before = closed("full")
    async with serving(tmp_path, most=2) as way:
        clients = [await connect(way) for _ in range(2)]
        for client, begun in zip(clients, (b"GET /", b"POST /"), strict=True):
            client.send(begun)
            await client.settle()
        refused = await connect(way)
        assert await refused.until_closed()
        assert refused.got.startswith(b"HTTP/1.1 503 ")
        assert re.search(rb"\r\nRetry-After: \d+\r\n", refused.got)
        assert len(way.connections) == 2
        assert closed("full") == before + 1
        for client in (*clients, refused):
            client.close()


async def test_never_more_connections_than_that(tmp_path: Path) -> None:
    async with serving(tmp_path, most=8) as way:
        clients = []
        for _ in range(40):
            clients.append(await connect(way))
            assert len(way.connections) <= 8
        for client in clients:
            client.close()
        await until_forgotten(way)


@pytest.mark.parametrize(
    "asked",
    [
        LARGE,
        SMALL,
        request(f"HEAD /live/tv/v0/{FIRST}.m4s"),
        request(f"GET /live/tv/v0/{FIRST}.m4s", "X-Any: \xe9"),
        request("POST /healthz"),
        b"GET /%41",
    ],
)
async def test_a_client_that_sends_requests_and_reads_nothing_costs_little_memory(
    tmp_path: Path, asked: bytes
) -> None:
    most = 2 * READ + 4 * LONGEST_HEAD
    async with serving(tmp_path) as way:
        client = await connect(way, receives=1 << 12)
        connection = only(way)
        flood, sent, quiet = asked * (1 + READ // len(asked)), 0, 0
        async with asyncio.timeout(2 * SOON):
            # Until the kernel takes no more of it either.
            while quiet < 200:
                try:
                    sent += client.sock.send(flood)
                    quiet = 0
                except BlockingIOError:
                    quiet += 1
                except ConnectionError:
                    break
                await asyncio.sleep(0)
                assert len(connection.pending) <= most
                kept = sum(len(one) for one in connection.queue if isinstance(one, memoryview))
                assert kept <= most + BIG
                messages = getattr(connection.protocol, "_messages", ())
                assert len(messages) <= 100
        assert sent > 2 * READ
        client.close()


async def test_no_head_is_remembered_that_is_long(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        for number in range(12):
            long = f"x={number:04}" + "y" * 6000
            await exchange(
                way,
                [
                    [request(f"GET /healthz?{long}")],
                    [request(f"GET /live/tv/index.mpd?start=1&{long}")],
                    [request(f"GET /healthz/{long}")],
                    [request("GET /healthz", f"User-Agent: {long}")],
                ],
            )
        parser = way.hot.parser
        for memory in (way.hot.known.newest, parser.blocks.newest, parser.targets.newest):
            assert sum(len(key) for key in memory) < 40_000


# Clients that leave.


def _descriptors() -> int:
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


LEFT = {
    "before anything": b"",
    "in a head": b"GET /health",
    "in an odd head": b"POST /health",
    "in a body": b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
    "with a small answer under way": SMALL,
    "with a large answer under way": LARGE,
    "with many answers under way": LARGE * 3 + SMALL * 100,
    "with an answer under way from aiohttp": request(
        f"GET /live/tv/v0/{FIRST + 1}.m4s", "X-Any: \xe9"
    ),
    "while a request is held": request(f"GET /live/tv/v0/{FIRST + 2}.m4s"),
}


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_leaves_no_resources(
    tmp_path: Path,
    name: str,
    politely: bool,  # noqa: FBT001
) -> None:
    async with serving(tmp_path) as way, AsyncExitStack() as stack:
        for _ in ("cold", "warm"):
            await exchange(way, [[LARGE], [SMALL]])
        await until_forgotten(way)
        files, tasks = _descriptors(), len(asyncio.all_tasks())
        logs = stack.enter_context(capture_logs())
        for turn in range(12):
            client = await connect(way, receives=1 << 12)
            if not politely:
                linger = b"\x01\0\0\0" + bytes(4)
                client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            client.send(LEFT[name])
            for _ in range(turn):
                await asyncio.sleep(0)
            client.close()
        await until_forgotten(way)
        async with asyncio.timeout(SOON):
            # A held request stays until its time is up, also without its client. aiohttp closes
            # a file in a thread.
            while (
                len(asyncio.all_tasks()) > tasks
                or way.core.responder.load.making
                or way.core.server.connections
                or _descriptors() > files
            ):
                await asyncio.sleep(0.01)
        assert logs == []


async def test_a_segment_that_is_cut_while_it_is_sent_hangs_up(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        path = tmp_path / "tv" / "v0" / f"{FIRST + 1}.m4s"
        for warm in (False, True):
            if warm:
                await exchange(way, [[LARGE]])
            whole = path.read_bytes()
            client = await connect(way, receives=1 << 14)
            client.send(LARGE + SMALL)
            async with asyncio.timeout(SOON):
                while not only(way).queue:
                    await asyncio.sleep(0)
            os.truncate(path, 1 << 20)
            # Meanwhile, other clients are served.
            received, _ = await exchange(way, [[SMALL]])
            assert received.startswith(b"HTTP/1.1 200")
            assert await client.until_closed()
            head, _, body = bytes(client.got).partition(b"\r\n\r\n")
            assert b"Content-Length: %d" % (2 * BIG) in head
            # What the kernel had taken of the rest may be zeros now.
            assert body[: 1 << 20] == whole[: 1 << 20]
            assert len(body) < 2 * BIG
            client.close()
            await until_forgotten(way)
            path.write_bytes(whole)


async def test_a_segment_that_is_deleted_while_it_is_sent_is_sent(tmp_path: Path) -> None:
    async with serving(tmp_path) as way:
        await exchange(way, [[LARGE]])
        path = tmp_path / "tv" / "v0" / f"{FIRST + 1}.m4s"
        whole = path.read_bytes()
        client = await connect(way, receives=1 << 14)
        client.send(LARGE)
        path.unlink()
        await client.settle()
        assert bytes(client.got).partition(b"\r\n\r\n")[2] == whole
        client.close()
