"""A segment that is being written: both lanes stream it, with the same bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from packager.timing.clock import ManualClock
from tests.support.channel import LONG, QUICK, Packager, low
from tests.support.paths_in import Alone, ByPort, Client, Cold, State, connect, core
from tests.support.site import SOON, request

END = b"\r\n0\r\n\r\n"
Ways = list[Alone | ByPort]


@asynccontextmanager
async def lanes(data: Path, segment: Fraction = LONG) -> AsyncIterator[tuple[Packager, int, Ways]]:
    """A channel with the first part of a segment; aiohttp alone and both lanes of the port."""
    made = low(data, segment)
    number = made.first + 3
    made.chunk("v0", number, 0)
    cores = [core(data, ManualClock(made.grid.micros(number + 1))) for _ in range(3)]
    ways: Ways = [Alone(cores[0]), ByPort(cores[1], Cold), ByPort(cores[2])]
    for way in ways:
        await way.start()
    try:
        async with asyncio.timeout(2 * SOON):
            yield made, number, ways
    finally:
        for way in ways:
            await way.close()


async def until(client: Client, data: bytes) -> None:
    """Return once `client` has received `data`."""
    while data not in client.got:
        client.drain()
        await asyncio.sleep(0)


def grow(ways: Ways) -> None:
    for way in ways:
        way.core.catch_up()


STREAMED = {
    "plain": (),
    "with a range": ("Range: bytes=0-3",),
    "with a condition": ("If-None-Match: *",),
    "with gzip": ("Accept-Encoding: gzip",),
    "with an id": ("X-Request-ID: 7", "traceparent: 00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"),
    "with CMCD": ("CMCD-Request: bl=2900",),
    "with a header that only aiohttp reads": ("X-Any: \xe9",),
}


@pytest.mark.parametrize("name", STREAMED)
async def test_both_lanes_stream_a_segment(tmp_path: Path, name: str) -> None:
    async with lanes(tmp_path) as (made, number, ways):
        asked = request(f"GET /live/tv/v0/{number}.m4s", *STREAMED[name])
        clients = [await connect(way) for way in ways]
        first = made.path("v0", number).read_bytes()
        for client in clients:
            # The second request is answered after the segment.
            client.send(asked + request("GET /healthz", "X-Request-ID: 8"))
            await until(client, first + b"\r\n")
            assert b"Transfer-Encoding: chunked" in client.got
        assert [len(way.core.held) for way in ways] == [1, 1, 1]
        second = made.chunk("v0", number, 1)
        grow(ways)
        for client in clients:
            await until(client, second + b"\r\n")
            assert END not in client.got
        made.end("v0", number)
        grow(ways)
        for client in clients:
            await client.settle()
        responses = [client.received for client in clients]
        assert END in responses[0]
        assert responses[0].endswith(b"\r\n\r\nok\n")
        assert responses[1:] == responses[:1] * 2
        counted = [way.core.responder.counters.of("tv", "segment", 200) for way in ways]
        size = len(first + second)
        assert [(one.requests, one.body_bytes) for one in counted] == [(1, size)] * 3
        assert [len(way.core.held) for way in ways] == [0, 0, 0]
        for client in clients:
            client.close()


async def test_both_lanes_answer_head_at_once(tmp_path: Path) -> None:
    async with lanes(tmp_path) as (_, number, ways):
        responses = []
        for way in ways:
            client = await connect(way)
            client.send(request(f"HEAD /live/tv/v0/{number}.m4s") + request("GET /healthz"))
            await client.settle()
            responses.append(client.received)
            client.close()
        assert responses[0].startswith(b"HTTP/1.1 200 OK\r\n")
        assert responses[0].count(b"HTTP/1.1 200 OK\r\n") == 2
        assert responses[1:] == responses[:1] * 2


async def test_a_client_of_http_1_0_gets_the_whole_segment(tmp_path: Path) -> None:
    async with lanes(tmp_path) as (made, number, ways):
        clients = [await connect(way) for way in ways]
        for way, client in zip(ways, clients, strict=True):
            client.send(f"GET /live/tv/v0/{number}.m4s HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            while not len(way.core.held):
                await asyncio.sleep(0)
        made.chunk("v0", number, 1)
        made.end("v0", number)
        grow(ways)
        for client in clients:
            assert await client.until_closed()
        responses = [client.received for client in clients]
        assert responses[0].endswith(made.path("v0", number).read_bytes())
        assert responses[1:] == responses[:1] * 2
        for client in clients:
            client.close()


async def test_both_lanes_cut_a_segment_that_stops_growing(tmp_path: Path) -> None:
    async with lanes(tmp_path, QUICK) as (made, number, ways):
        clients = [await connect(way) for way in ways]
        for client in clients:
            client.send(request(f"GET /live/tv/v0/{number}.m4s"))
            await until(client, made.path("v0", number).read_bytes())
        for client in clients:
            assert await client.until_closed()
            assert END not in client.got
            client.close()


async def test_both_lanes_forget_a_client_that_leaves(tmp_path: Path) -> None:
    async with lanes(tmp_path) as (made, number, ways):
        for way in ways:
            client = await connect(way)
            client.send(request(f"GET /live/tv/v0/{number}.m4s"))
            await until(client, made.path("v0", number).read_bytes())
            assert len(way.core.held) == 1
            client.close()
            while way.state(client.peer) is not State.GONE:
                await asyncio.sleep(0)
        made.chunk("v0", number, 1)
        grow(ways)
        for way in ways:
            while len(way.core.held) or way.core.responder.load.making:
                await asyncio.sleep(0.01)
