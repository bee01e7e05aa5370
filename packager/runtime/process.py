"""A child process that cannot outlive its parent, with a pipe for each track."""

import asyncio
import ctypes
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Self

from packager.cmaf.boxes import Buffer
from packager.ffmpeg.progress import read_message
from packager.runtime.inlet import Inlet

_PR_SET_PDEATHSIG = 1
_PIPE_SIZE = 1 << 20
"""Bytes: what Linux lets anybody have. A burst of a second of 8 Mbit/s waits here, not in
ffmpeg's encoder."""
_buffer = memoryview(bytearray(1 << 20))
"""Where every pipe is read into: whoever is called back takes what it keeps."""
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent goes; runs between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and not _INIT_IS_PARENT:
        os._exit(1)


_INIT_IS_PARENT = os.getpid() == 1
"""In a container the parent may itself be process 1."""


class TrackPipe:
    """The reading end of one pipe: calls back with the bytes, and with none at the end."""

    def __init__(self, on_bytes: Callable[[Buffer], None], pause: float = 0.0) -> None:
        """`pause` is how many seconds bytes may gather in the pipe: fewer and larger readings."""
        self._on_bytes = on_bytes
        self._pause = pause
        self._pausing: asyncio.TimerHandle | None = None
        self._reading, self.write_end = os.pipe()
        os.set_blocking(self._reading, False)
        fcntl.fcntl(self._reading, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self) -> None:
        """The child has its end: let go of ours and read."""
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
        except Exception as error:  # noqa: BLE001 - whoever waits for `done` gets it
            self._finish(error)
        else:
            if not size:
                self._finish(None)
            elif self._pause and self._reading >= 0:
                self._look_later()

    def _look_later(self) -> None:
        """Look again after the pause; the kernel wakes us only after a look in vain."""
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


class Child:
    """A running ffmpeg; leaving the `async with` ends it."""

    def __init__(
        self,
        arguments: Sequence[str],
        pipes: Sequence[TrackPipe],
        grace: float = 2.0,
        inlet: Inlet | None = None,
    ) -> None:
        """Run `arguments`, with `inlet` as its standard input, or none.

        `grace` is how many seconds it gets to end when asked to.
        """
        self._arguments = arguments
        self._pipes = pipes
        self._grace = grace
        self._inlet = inlet
        self.process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=self._inlet.read_end if self._inlet else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=[pipe.write_end for pipe in self._pipes],
                preexec_fn=die_with_parent,
            )
        except BaseException:
            self._close_pipes()
            raise
        if self._inlet is not None:
            self._inlet.started()
        for pipe in self._pipes:
            pipe.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self.process.returncode is None:
                self.process.terminate()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._grace):
                        await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
            self._close_pipes()

    def kill(self) -> None:
        """End it at once; it may have ended already."""
        with suppress(ProcessLookupError):
            self.process.kill()

    def _close_pipes(self) -> None:
        if self._inlet is not None:
            self._inlet.close()
        for pipe in self._pipes:
            pipe.close()


async def lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    """The lines of a pipe, without what ends them; one that is too long is passed over."""
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:
            continue
        if not line:
            return
        yield line.decode(errors="replace").rstrip()


async def drained(stream: asyncio.StreamReader | None) -> None:
    """Read a pipe to its end, for nobody."""
    while stream is not None and await stream.read(1 << 16):
        pass


async def complaint(stream: asyncio.StreamReader | None) -> str:
    """The first error that ffmpeg names in its log, once that has ended."""
    first = ""
    async for line in lines(stream):
        message = read_message(line)
        if not first and message is not None and message.level in ("error", "fatal"):
            first = message.text
    return first
