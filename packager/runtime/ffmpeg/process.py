"""A child process that cannot outlive its parent, with a pipe for each track."""

import asyncio
import ctypes
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Protocol, Self

from packager.cmaf.boxes import Buffer
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe

_PR_SET_PDEATHSIG = 1
_PIPE_SIZE = 1 << 20
"""Bytes: the most that Linux gives to an unprivileged user. A second of 8 Mbit/s fits, so that
ffmpeg's encoder need not wait."""
_buffer = memoryview(bytearray(1 << 20))
"""Every pipe is read into this buffer; a callback copies the bytes that it keeps."""
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; runs between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and not _INIT_IS_PARENT:
        os._exit(1)


_INIT_IS_PARENT = os.getpid() == 1
"""True in a container, where the parent itself may be process 1."""


class SignalledProcess(Protocol):
    """A process of asyncio or of the subprocess module."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """The exit code; None while the process runs, or its status is unread."""
        ...


def signal_child(child: SignalledProcess, number: int) -> None:
    """Send a signal to a child process; it may have ended already.

    `Popen.send_signal` reads the exit status of a child that has just ended. asyncio then misses
    the status, logs "Unknown child process" and reports exit code 255.
    """
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, number)


class TrackPipe:
    """The reading end of one pipe: calls back with the bytes, and with no bytes at the end."""

    def __init__(self, on_bytes: Callable[[Buffer], None], pause: float = 0.0) -> None:
        """Wait `pause` seconds between two reads, for fewer and larger ones."""
        self._on_bytes = on_bytes
        self._pause = pause
        self._pausing: asyncio.TimerHandle | None = None
        self._reading, self.write_end = os.pipe()
        os.set_blocking(self._reading, False)
        fcntl.fcntl(self._reading, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """Close the writing end, which the child has inherited, and begin to read."""
        os.close(self.write_end)
        self.write_end = -1
        self._watch()

    def _watch(self) -> None:
        asyncio.get_running_loop().add_reader(self._reading, self._ready)

    def _ready(self) -> None:
        try:
            size = os.readv(self._reading, [_buffer])
            self._on_bytes(_buffer[:size])
        except BlockingIOError:
            if self._pausing is not None:
                self._pausing = None
                self._watch()
            return
        except Exception as error:  # noqa: BLE001 - awaiting `done` raises it
            self._finish(error)
        else:
            if not size:
                self._finish(None)
            elif self._pause and self._reading >= 0:
                self._read_later()

    def _read_later(self) -> None:
        """Read again after the pause; the loop watches the pipe once a read finds it empty."""
        loop = asyncio.get_running_loop()
        if self._pausing is None:
            loop.remove_reader(self._reading)
        self._pausing = loop.call_later(self._pause, self._ready)

    def _finish(self, error: Exception | None) -> None:
        self.close()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def close(self) -> None:
        """Stop reading."""
        if self._pausing is not None:
            self._pausing.cancel()
        if self._reading >= 0:
            asyncio.get_running_loop().remove_reader(self._reading)
            os.close(self._reading)
            self._reading = -1
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1


class FfmpegProcess:
    """A running ffmpeg; leaving the `async with` ends it."""

    def __init__(
        self,
        arguments: Sequence[str],
        pipes: Sequence[TrackPipe],
        grace: float = 2.0,
        stdin: StdinPipe | None = None,
    ) -> None:
        """Run `arguments`, with `stdin` as its standard input, or none.

        `grace` is the number of seconds between SIGTERM and SIGKILL.
        """
        self._arguments = arguments
        self._pipes = pipes
        self._grace = grace
        self._stdin = stdin
        self.process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=self._stdin.read_end if self._stdin else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=[pipe.write_end for pipe in self._pipes],
                preexec_fn=die_with_parent,
            )
        except BaseException:
            self._close_pipes()
            raise
        if self._stdin is not None:
            self._stdin.started()
        for pipe in self._pipes:
            pipe.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self.process.returncode is None:
                signal_child(self.process, signal.SIGTERM)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._grace):
                        await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.kill()
                await self.process.wait()
            self._close_pipes()

    def kill(self) -> None:
        """End it at once; it may have ended already."""
        signal_child(self.process, signal.SIGKILL)

    def _close_pipes(self) -> None:
        if self._stdin is not None:
            self._stdin.close()
        for pipe in self._pipes:
            pipe.close()


async def lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    """The lines of a pipe, without line ends; a line that is too long is skipped."""
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line.decode(errors="replace").rstrip()
