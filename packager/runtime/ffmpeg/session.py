"""One run of ffmpeg: callbacks get its tracks' bytes, its log and its progress."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from packager.cmaf.boxes import Buffer
from packager.errors import FeedError
from packager.ffmpeg.progress import FfmpegMessage, Progress, ProgressReader, read_message
from packager.runtime.ffmpeg.process import FfmpegProcess, TrackPipe, lines
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe

_FAILED = ("error", "fatal")


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class SessionOutputs:
    """Takes the outputs of one run; an exception of a callback ends the run."""

    on_bytes: Callable[[int, Buffer], None] = lambda _, __: None
    """Gets the number of a track and bytes, or no bytes at the track's end. The buffer is reused
    after the call."""
    on_line: Callable[[str], None] = _ignore
    """Gets each line of the log."""
    on_message: Callable[[FfmpegMessage], None] = _ignore
    """Gets each line of the log that is not empty, parsed."""
    on_progress: Callable[[Progress], None] = _ignore


class FfmpegSession:
    """A running ffmpeg; leaving the `async with` ends it."""

    def __init__(
        self,
        command: Callable[[Sequence[int]], Sequence[str]],
        tracks: int,
        outputs: SessionOutputs,
        *,
        stdin: StdinPipe | None = None,
        grace: float = 2.0,
        pause: float = 0.0,
    ) -> None:
        """Run the words that `command` gives for the descriptors of `tracks` pipes.

        Args:
            command: the program and its arguments.
            tracks: how many pipes ffmpeg writes to.
            outputs: takes all that ffmpeg writes.
            stdin: the standard input; None for an empty one.
            grace: seconds between SIGTERM and SIGKILL on leaving.
            pause: seconds between two reads of a pipe, for fewer and larger reads.
        """
        self._outputs = outputs
        self._progress = ProgressReader()
        self._pipes = [
            TrackPipe(partial(outputs.on_bytes, track), pause) for track in range(tracks)
        ]
        try:
            words = command([pipe.write_end for pipe in self._pipes])
        except BaseException:
            for pipe in self._pipes:
                pipe.close()
            raise
        self._child = FfmpegProcess(words, self._pipes, grace, stdin)
        self._readers: list[asyncio.Task[None]] = []
        self.complaint = ""
        """The first error in the log: later errors follow from it."""

    async def __aenter__(self) -> Self:
        """Start ffmpeg.

        Raises:
            OSError: the program cannot be run.
        """
        await self._child.__aenter__()
        process = self._child.process
        self._readers = [
            asyncio.create_task(_read(process.stderr, self._log_line)),
            asyncio.create_task(_read(process.stdout, self._progress_line)),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.cancel()
        await self._child.__aexit__()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.process.pid

    async def ended(self) -> int:
        """The exit code, once ffmpeg has ended and all its output was taken.

        Raises:
            Exception: one of a callback.
        """
        await asyncio.gather(*(pipe.done for pipe in self._pipes), *self._readers)
        return await self._child.process.wait()

    async def check_running(self) -> None:
        """See that ffmpeg still runs and that its output can be taken.

        Raises:
            FeedError: it has ended.
            Exception: one of a callback.
        """
        for pipe in self._pipes:
            if pipe.done.done():
                pipe.done.result()
        code = self._child.process.returncode
        if code is not None:
            await self.ended()
            raise FeedError(self.reason(code))

    def reason(self, code: int) -> str:
        """Why ffmpeg ended with an exit code."""
        return f"ffmpeg: {self.complaint or f'exit code {code}'}"

    async def end_within(self, seconds: float) -> None:
        """Wait for the end for some seconds, then kill ffmpeg."""
        try:
            async with asyncio.timeout(seconds):
                await self._child.process.wait()
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """Kill ffmpeg; it may have ended already."""
        self._child.kill()

    def _log_line(self, line: str) -> None:
        self._outputs.on_line(line)
        message = read_message(line)
        if message is None:
            return
        if not self.complaint and message.level in _FAILED:
            self.complaint = message.text
        self._outputs.on_message(message)

    def _progress_line(self, line: str) -> None:
        if (progress := self._progress.line(line)) is not None:
            self._outputs.on_progress(progress)


async def _read(stream: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> None:
    async for line in lines(stream):
        on_line(line)
