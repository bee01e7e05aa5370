"""`ringside top` beside a real control port."""

import asyncio
import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from origin.access.control_port import ControlGuard
from origin.runtime.control.api import ControlAccess, ControlHandlers
from origin.runtime.journal.follower import FollowedChannel
from packager.config.secret import Secret
from packager.timing.clock import SystemClock
from tests.paths import ROOT
from tests.support.service import free_port
from tests.support.status import ADVICE, FED, PLAYED, write_status

TOKEN = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somewhere for metrics to be read from: a service has its own."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))


@asynccontextmanager
async def control(folder: Path, port: int) -> AsyncIterator[None]:
    """A control port with two channels, where the token is wanted."""
    channels: dict[str, FollowedChannel] = {}
    for name, status in (("fight", FED), ("harbour", PLAYED)):
        write_status(folder / name, status)
        channels[name] = FollowedChannel(name, folder / name, Fraction(60), Fraction(600))
    guard = ControlGuard("0.0.0.0", Secret(TOKEN.encode()))
    handlers = ControlHandlers(channels, folder, 1, SystemClock(), ControlAccess(guard))
    async with TestServer(handlers.application(), port=port):
        yield


def config(folder: Path, port: int, token: str = TOKEN) -> Path:
    """Its ladder and its source do not exist: a view needs neither."""
    path = folder / "ringside.yaml"
    path.write_text(
        f"data: data\norigin: {{control_port: {port}, control_token: {token}}}\n"
        "channels:\n  fight: {source: {type: file, file: none.ts}, ladder: none.yaml}\n"
    )
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "packager", "top", *map(str, arguments)]


async def ran(*arguments: object) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "140"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_one_view(tmp_path: Path) -> None:
    port = free_port()
    async with control(tmp_path, port):
        code, output, errors = await ran("-c", config(tmp_path, port), "--once")
    assert (code, errors) == (0, "")
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert "2 channels: 1 live, 1 backing-off" in lines[0]
    assert any(line.startswith("fight live rtmp sports-1080p25 1.00x") for line in lines)
    assert any(
        line.startswith("fight source 1 (rtmp) on air 192.0.2.7:50312 6.12 25.00") for line in lines
    )
    assert any(line.startswith("fight source 2 (srt on port 9000) away") for line in lines)
    assert lines[-2:] == [
        "harbour: ffmpeg: harbour.ts: no such file",
        f"fight, source 1 (rtmp): {ADVICE}",
    ]


async def test_a_view_that_fails_is_one_line(tmp_path: Path) -> None:
    port = free_port()
    away = await ran("-c", config(tmp_path, port), "--once")
    async with control(tmp_path, port):
        wrong = await ran("-c", config(tmp_path, port, "wrong-horse-battery"), "--once")
        no_terminal = await ran("-c", config(tmp_path, port))
    other_server = web.Application()
    other_server.router.add_get("/{any:.*}", _other_response)
    async with TestServer(other_server, port=port):
        strange = await ran("-c", config(tmp_path, port), "--once")
    for (code, output, errors), message in (
        (away, "refused"),
        (wrong, "token"),
        (no_terminal, "not a terminal: use --once"),
        (strange, "not Ringside"),
    ):
        assert (code, output) == (2, "")
        assert errors.startswith("ringside: ")
        assert message in errors
        assert errors.count("\n") == 1


async def _other_response(_: web.Request) -> web.Response:
    return web.Response(text="[1, 2]")


@contextmanager
def terminal(columns: int, rows: int) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal: the test's, and that of the program."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


class Screen:
    """The text on a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = ""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def _read(self) -> None:
        self._written += os.read(self._descriptor, 1 << 16).decode(errors="replace")
        self._more.set()

    async def until(self, text: str) -> None:
        """Wait for `text` after the text of the last wait."""
        async with asyncio.timeout(30):
            while text not in self._written:
                self._more.clear()
                await self._more.wait()
        self._written = self._written.partition(text)[2]

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)


async def test_it_goes_on_while_the_control_port_is_away(tmp_path: Path) -> None:
    port = free_port()
    path = config(tmp_path, port)
    with terminal(60, 16) as (ours, theirs):
        process = await asyncio.create_subprocess_exec(
            *command("-c", path), cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
        )
        screen = Screen(ours)
        try:
            await screen.until("trying again")
            async with control(tmp_path, port):
                await screen.until("backing-off")
                await screen.until("on air")
            await screen.until("trying again")
            await screen.until("on air")  # as it was
            async with control(tmp_path, port):
                await screen.until("2 channels")
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(30):
                assert await process.wait() == 0
        finally:
            screen.close()
            if process.returncode is None:
                process.kill()
                await process.wait()
