"""Schedules sent to real receivers, and errors when a receiver is missing or refuses."""

import asyncio
import random
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import imageio_ffmpeg
import pytest
from aiohttp import web

from packager.errors import FeedError, SetupError
from packager.feed.report import Container
from packager.impairment.faults import with_faults
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from packager.impairment.syntax import parse_fault
from packager.runtime.tools.feed_url import receiver_for
from packager.runtime.tools.media_file import schedule_of
from packager.runtime.tools.progress import TransferCount
from packager.runtime.tools.sending.sender import send
from packager.runtime.tools.sending.targets import target_of
from tests.paths import EXTRA_FEEDS
from tests.support import footage, programs
from tests.support.service import free_port

TRAIN = footage.train()
FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
FAST = Fraction(20)
KEY = "correct-horse-battery-staple"


def faulty(*faults: str, feed: Path = TRAIN) -> Sequence[Event]:
    chance = random.Random(1).random
    return list(with_faults(schedule_of(feed), [parse_fault(text) for text in faults], chance))


def bytes_of(events: Sequence[Event]) -> list[bytes]:
    """Of each connection."""
    found: list[bytearray] = []
    for event in events:
        if isinstance(event, Connected):
            found.append(bytearray())
        elif isinstance(event, Received):
            found[-1] += event.data
    return list(map(bytes, found))


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.all: list[bytes] = []
        self.grown = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        self.all.append(data)
        self.grown.set()


@asynccontextmanager
async def udp_receiver() -> AsyncIterator[tuple[int, Datagrams]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        Datagrams, local_addr=("127.0.0.1", 0)
    )
    receiving = transport.get_extra_info("socket")
    receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    yield receiving.getsockname()[1], protocol
    transport.close()


async def until_whole(protocol: Datagrams, size: int, head: int = 0) -> bytes:
    async with asyncio.timeout(20):
        while sum(len(one) - head for one in protocol.all) < size:
            await protocol.grown.wait()
            protocol.grown.clear()
    return b"".join(one[head:] for one in protocol.all)


async def test_datagrams_have_seven_packets_and_all_of_it_arrives() -> None:
    async with udp_receiver() as (port, protocol):
        count = TransferCount()
        target = target_of(f"udp://127.0.0.1:{port}", FFMPEG)
        await send(schedule_of(TRAIN), target, speed=FAST, count=count)
        assert await until_whole(protocol, TRAIN.stat().st_size) == TRAIN.read_bytes()
        assert max(map(len, protocol.all)) == 1316
        assert count == TransferCount(1, TRAIN.stat().st_size)


async def test_rtp_headers_have_sequence_numbers_and_timestamps() -> None:
    async with udp_receiver() as (port, protocol):
        target = target_of(f"rtp://127.0.0.1:{port}", FFMPEG)
        await send(schedule_of(TRAIN), target, speed=FAST)
        data = await until_whole(protocol, TRAIN.stat().st_size, head=12)
        assert data == TRAIN.read_bytes()
        heads = [one[:12] for one in protocol.all]
        assert {head[:2] for head in heads} == {b"\x80\x21"}
        assert [int.from_bytes(head[2:4]) for head in heads] == list(range(len(heads)))
        assert len({head[8:] for head in heads}) == 1
        times = [int.from_bytes(head[4:8]) for head in heads]
        assert times[0] == 0
        assert 9 * 90_000 < max(times) < 11 * 90_000


class Pushes:
    """An HTTP server that takes bodies."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.types: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        if request.match_info["key"] != KEY:
            raise web.HTTPForbidden(text="no such stream key")
        self.types.append(request.content_type)
        self.bodies.append(b"")
        async for data in request.content.iter_any():
            self.bodies[-1] += data
        return web.Response(status=204)


@asynccontextmanager
async def http_receiver() -> AsyncIterator[tuple[int, Pushes]]:
    pushes = Pushes()
    application = web.Application()
    application.router.add_put("/push/{key}", pushes.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    yield runner.addresses[0][1], pushes
    await runner.cleanup()


async def test_each_connection_is_a_request_of_its_own() -> None:
    events = faulty("reconnect=3s+2s", "mute=6s")
    async with http_receiver() as (port, pushes):
        await send(events, target_of(f"http://127.0.0.1:{port}/push/{KEY}", FFMPEG), speed=FAST)
        assert pushes.bodies == bytes_of(events)
        assert len(pushes.bodies) == 2
        assert set(pushes.types) == {"video/mp2t"}


async def test_a_refusal_is_one_line_without_the_key() -> None:
    async with http_receiver() as (port, _):
        target = target_of(f"http://127.0.0.1:{port}/push/wrong-key", FFMPEG)
        with pytest.raises(FeedError, match="403 no such stream key") as error:
            await send(schedule_of(TRAIN, loop=True), target, speed=FAST)
        assert "wrong-key" not in str(error.value)


@pytest.mark.parametrize("scheme", ["http", "rtmp"])
async def test_a_missing_receiver_is_one_line_without_the_key(scheme: str) -> None:
    target = target_of(f"{scheme}://127.0.0.1:{free_port()}/live/{KEY}", FFMPEG)
    with pytest.raises(FeedError) as error:
        await send(schedule_of(TRAIN, loop=True), target, speed=FAST)
    assert str(error.value).startswith(f"{scheme}://127.0.0.1:")
    assert KEY not in str(error.value)
    assert "\n" not in str(error.value)


async def test_a_cancelled_sender_breaks_the_connection() -> None:
    async with http_receiver() as (port, pushes):
        target = target_of(f"http://127.0.0.1:{port}/push/{KEY}", FFMPEG)
        task = asyncio.create_task(send(schedule_of(TRAIN, loop=True), target))
        async with asyncio.timeout(20):
            while not pushes.bodies or not pushes.bodies[0]:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert TRAIN.read_bytes().startswith(pushes.bodies[0])


class CollectingSink:
    def __init__(self) -> None:
        self.connections: list[bytes] = []
        self.over = 0

    def connected(self, container: Container, peer: str) -> None:
        assert container is Container.TS
        assert peer
        self.connections.append(b"")

    def received(self, data: bytes) -> None:
        self.connections[-1] += data

    def disconnected(self, reason: str) -> None:
        assert reason
        self.over += 1

    def problem_reported(self, problem: str) -> None:
        raise AssertionError(problem)


async def until(condition: object, what: str) -> None:
    assert callable(condition)
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)
    assert what


async def test_srt_carries_the_bytes_as_they_are() -> None:
    port = free_port()
    sink = CollectingSink()
    line = asyncio.create_task(receiver_for(f"srt://:{port}", FFMPEG).run(sink))
    data = b"".join(bytes_of(list(islice(schedule_of(TRAIN), 400))))
    schedule = [*islice(schedule_of(TRAIN), 400), Disconnected(10**6, "over")]
    await send(schedule, target_of(f"srt://127.0.0.1:{port}", FFMPEG), speed=Fraction(2))
    await until(lambda: sink.over, "the end")
    line.cancel()
    with suppress(asyncio.CancelledError):
        await line
    assert sink.connections == [data]


async def test_rtmp_carries_the_pictures(tmp_path: Path) -> None:
    port = free_port()
    out = tmp_path / "out.flv"
    listening = subprocess.Popen(
        [FFMPEG, "-loglevel", "error", "-nostdin", "-listen", "1",
         "-i", f"rtmp://127.0.0.1:{port}/live/{KEY}", "-c", "copy", "-f", "flv", str(out)],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        await until(lambda: _listens(port), "a receiver")
        target = target_of(f"rtmp://127.0.0.1:{port}/live/{KEY}", FFMPEG)
        await send(schedule_of(TRAIN), target, speed=Fraction(8))
        _, output = await asyncio.to_thread(listening.communicate, timeout=20)
    finally:
        listening.kill()
    assert programs.complaints_about(out) == "", output
    # The last few may go with the connection.
    assert 285 < programs.frames_of(str(out), 20) <= 300
    again = list(schedule_of(out))
    assert isinstance(again[0], Connected)
    assert again[0].container is Container.FLV
    assert 9_500_000 < again[-1].at < 10_500_000


def _listens(port: int) -> bool:
    """Whether a TCP port is listened on: looked up, for a listener takes one visitor only."""
    wanted = f":{port:04X} "
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return any(wanted in line and line.split()[3] == "0A" for line in lines)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/b",
        "udp://",
        "udp://127.0.0.1",
        "rtmp:///live/x",
        "srt://[::",
        "http://a:99999/",
    ],
)
def test_a_wrong_target_is_an_error(url: str) -> None:
    with pytest.raises(SetupError, match="not a target"):
        target_of(url, FFMPEG)


async def test_udp_takes_no_flv() -> None:
    with pytest.raises(SetupError, match="an FLV"):
        await send([Connected(0, Container.FLV, "")], target_of("udp://127.0.0.1:9", FFMPEG))


def test_a_file_that_is_not_a_feed_is_an_error(tmp_path: Path) -> None:
    other = tmp_path / "x.mp4"
    other.write_bytes(b"\0\0\0\x18ftypisom" + bytes(2000))
    for path, message in ((other, "neither"), (tmp_path, "a folder"), (tmp_path / "no", "No such")):
        with pytest.raises(SetupError, match=message):
            schedule_of(path)


@pytest.mark.parametrize("feed", [*footage.EVERY, *EXTRA_FEEDS])
def test_every_feed_is_paced_by_its_clock(feed: footage.Feed | Path) -> None:
    path = feed if isinstance(feed, Path) else feed()
    events = list(schedule_of(path))
    assert b"".join(bytes_of(events)) == path.read_bytes()
    if path.stat().st_size > 10**6:
        assert 7_500_000 < events[-1].at < 10_500_000
