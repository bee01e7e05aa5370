"""A sink that records the output of a receiver, and senders."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import imageio_ffmpeg

from packager.feed.report import Container
from packager.runtime.ingest.receiver import Receiver

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
_PATIENCE = 20.0


class Taken:
    """A sink that records its calls; `calls` has one word for consecutive calls with bytes."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.data = bytearray()
        """The bytes of the newest connection."""
        self.container: Container | None = None
        self.peer = ""
        self.problems: list[str] = []
        self.reasons: list[str] = []
        self._grown = asyncio.Event()

    def connected(self, container: Container, peer: str) -> None:
        self.container, self.peer = container, peer
        self.data.clear()
        self._record_call("connected")

    def received(self, data: bytes) -> None:
        assert type(data) is bytes
        assert data
        self.data += data
        if self.calls[-1] != "received":
            self._record_call("received")
        self._grown.set()

    def disconnected(self, reason: str) -> None:
        self.reasons.append(reason)
        self._record_call("disconnected")

    def problem_reported(self, problem: str) -> None:
        assert "\n" not in problem
        self.problems.append(problem)
        self._record_call("problem")

    def _record_call(self, word: str) -> None:
        self.calls.append(word)
        self._grown.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` is true."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not condition():
                    self._grown.clear()
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._grown.wait(), 0.02)
        except TimeoutError:
            raise AssertionError(f"{self.calls[-9:]} {len(self.data)} {self.problems}") from None

    async def until_calls(self, *words: str) -> None:
        """Wait until `calls` has exactly these words, problems left out."""
        await self.until(lambda: [w for w in self.calls if w != "problem"] == [*words])

    async def until_problem(self, part: str) -> None:
        """Wait until a problem contains `part`."""
        await self.until(lambda: any(part in problem for problem in self.problems))


@asynccontextmanager
async def running(line: Receiver, port: int | None = None) -> AsyncIterator[Taken]:
    """Run a receiver, once it has its UDP `port` of 127.0.0.1. Yields: its sink."""
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
    """Run a sender; it ends with the block."""
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
    """The command of an ffmpeg that sends."""
    return (FFMPEG, "-hide_banner", "-nostdin", "-loglevel", "error", *arguments)


def _used(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """An unused port of 127.0.0.1."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
