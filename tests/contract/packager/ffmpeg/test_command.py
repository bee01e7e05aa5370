"""The encoder of the tests: what it sends is taken, and its ends are those of encoders."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import imageio_ffmpeg
import pytest
from aiohttp import web

from packager.feed.report import Container
from packager.runtime.ingest.ffmpeg_pull import FfmpegPullReceiver
from packager.runtime.ingest.receiver import Receiver
from packager.runtime.tools.feed_url import receiver_for
from tests.support.encoder import Look, encoder
from tests.support.service import free_port

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
ENCODED = Look(size="320x180", frame_rate="25", gop=12, audio_rate=44_100)


class Heard:
    def __init__(self) -> None:
        self.size = 0
        self.connections = 0
        self.over = 0
        self.containers: set[Container] = set()

    def connected(self, container: Container, peer: str) -> None:
        assert peer
        self.containers.add(container)
        self.connections += 1

    def received(self, data: bytes) -> None:
        self.size += len(data)

    def disconnected(self, reason: str) -> None:
        assert reason
        self.over += 1

    def problem_reported(self, problem: str) -> None:
        """It may not be there yet."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


@asynccontextmanager
async def heard_on(line: Receiver) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(line.run(heard))
    yield heard
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("look", [ENCODED, Look(pattern=True, audio=False)])
async def test_by_srt_it_sends_until_it_is_stopped(look: Look) -> None:
    port = free_port()
    async with heard_on(receiver_for(f"srt://:{port}", FFMPEG)) as heard:
        with encoder(f"srt://127.0.0.1:{port}?connect_timeout=20000", look) as running:
            await until(lambda: heard.size > 20_000)
            assert heard.containers == {Container.TS}
            assert running.running
            running.stop()
            await until(lambda: heard.over == 1)


async def test_an_rtmp_encoder_reconnects_after_a_restart() -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/key"
    options = ("-listen", "1", "-f", "flv", "-probesize", "100000")
    line = FfmpegPullReceiver(FFMPEG, url, Container.FLV, "rtmp", options=options)
    async with heard_on(line) as heard:
        while heard.connections < 2:
            # An encoder that starts before the listener is refused, and retries.
            with encoder(url) as running:
                before = heard.connections
                await until(lambda: heard.connections > before or not running.running)  # noqa: B023
        await until(lambda: heard.over == 2)
        assert heard.containers == {Container.FLV}


async def test_by_http_it_is_frozen_and_goes_on() -> None:
    size = 0

    async def take(request: web.Request) -> web.Response:
        nonlocal size
        assert request.method == "PUT"
        async for data in request.content.iter_any():
            size += len(data)
        return web.Response()

    application = web.Application()
    application.router.add_put("/push/key", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    with encoder(f"http://127.0.0.1:{runner.addresses[0][1]}/push/key") as running:
        await until(lambda: size > 10_000)
        running.freeze()
        assert running.running
        before = size
        running.thaw()
        await until(lambda: size > before + 10_000)
    await runner.cleanup()
