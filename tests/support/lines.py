"""What a line brings, written down; and who sends it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import imageio_ffmpeg

from packager.feed.container import Container
from packager.runtime.sources.line import Line

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
_PATIENCE = 20.0


class Taken:
    """A taker that writes down what it is told; `said` has one word for all bytes of a stretch."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.data = bytearray()
        """Of the newest connection."""
        self.container: Container | None = None
        self.peer = ""
        self.troubles: list[str] = []
        self.reasons: list[str] = []
        self._grown = asyncio.Event()

    def connected(self, container: Container, peer: str) -> None:
        self.container, self.peer = container, peer
        self.data.clear()
        self._say("connected")

    def received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self.data += data
        if self.said[-1] != "received":
            self._say("received")
        self._grown.set()

    def disconnected(self, reason: str) -> None:
        self.reasons.append(reason)
        self._say("disconnected")

    def trouble(self, problem: str) -> None:
        assert "\n" not in problem
        self.troubles.append(problem)
        self._say("trouble")

    def _say(self, word: str) -> None:
        self.said.append(word)
        self._grown.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not condition():
                    self._grown.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._grown.wait(), 0.02)
        except TimeoutError:
            raise AssertionError(f"{self.said[-9:]} {len(self.data)} {self.troubles}") from None

    async def until_said(self, *words: str) -> None:
        """Wait until exactly this was said, troubles left out."""
        await self.until(lambda: [w for w in self.said if w != "trouble"] == [*words])

    async def until_trouble(self, part: str) -> None:
        """Wait until there was trouble with these words in it."""
        await self.until(lambda: any(part in problem for problem in self.troubles))


@asynccontextmanager
async def running(line: Line, port: int | None = None) -> AsyncIterator[Taken]:
    """A line at work, once it has its UDP `port` of 127.0.0.1, and what it brings."""
    taken = Taken()
    task = asyncio.create_task(line.run(taken))
    try:
        await taken.until(lambda: port is None or _used(port))
        yield taken
        assert not task.done(), task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A sender; ended when left."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def ffmpeg_sends(*arguments: str) -> tuple[str, ...]:
    """The words of an ffmpeg that sends."""
    return (FFMPEG, "-hide_banner", "-nostdin", "-loglevel", "error", *arguments)


def _used(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
