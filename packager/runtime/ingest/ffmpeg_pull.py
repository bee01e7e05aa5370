"""Feeds that an ffmpeg fetches: it writes their bytes to a pipe and its messages to its log."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packager.cmaf.boxes import Buffer
from packager.errors import FeedError
from packager.feed.report import Container
from packager.ffmpeg.progress import read_message
from packager.runtime.ffmpeg.process import die_with_parent
from packager.runtime.ffmpeg.session import FfmpegSession, SessionOutputs
from packager.runtime.ingest.receiver import FeedSink

_PIECE = 1 << 16
_LOG_SIZE = 4096
"""Bytes of ffmpeg's log that are kept."""
_PAUSE = 1.0
"""Seconds between two connections."""
_POLL_INTERVAL = 0.01
"""Seconds between two reads of the pipe: ffmpeg writes each packet at once."""
_GRACE = 0.5


async def relay(
    program: str,
    arguments: Callable[[int], Sequence[str]],
    on_bytes: Callable[[bytes], None],
    on_line: Callable[[str], None],
) -> int:
    """Run ffmpeg to its end and pass on its output. Returns: its exit code.

    `arguments` gets the descriptor that ffmpeg shall write to.

    Raises:
        FeedError: `program` cannot be run.
    """

    def take(_: int, data: Buffer) -> None:
        if data:
            on_bytes(bytes(data))

    outputs = SessionOutputs(on_bytes=take, on_line=on_line)
    session = FfmpegSession(
        lambda ends: [program, *arguments(ends[0])], 1, outputs, grace=_GRACE, pause=_POLL_INTERVAL
    )
    try:
        async with session:
            return await session.ended()
    except OSError as error:
        raise FeedError(f"{program} cannot be run: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class FfmpegPullReceiver:
    """Reads a URL again and again, as one container."""

    program: str
    """ffmpeg."""
    url: str
    container: Container
    peer: str
    """The address without its secrets, for the log."""
    options: tuple[str, ...] = ()
    """Of the input."""

    async def run(self, sink: FeedSink) -> None:
        """See `Receiver`."""
        while True:
            await self._connection(sink)
            await asyncio.sleep(_PAUSE)

    async def _connection(self, sink: FeedSink) -> None:
        process = await asyncio.create_subprocess_exec(
            self.program,
            *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
            *self._arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        log = asyncio.create_task(_first_message(process.stderr))
        connected = False
        try:
            while process.stdout is not None and (data := await process.stdout.read(_PIECE)):
                if not connected:
                    connected = True
                    sink.connected(self.container, self.peer)
                sink.received(data)
            code = await process.wait()
            message = (await log).replace(self.url, self.peer)
        except BaseException:
            if connected:
                sink.disconnected("the receiver is closed")
            raise
        finally:
            log.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if connected:
            sink.disconnected(message or "the feed has ended")
        elif code or message:
            sink.problem_reported(message or f"ffmpeg: exit code {code}")

    def _arguments(self) -> list[str]:
        copied = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts"]
        return [*self.options, "-i", self.url, *copied, "-f", self.container,
                "-flush_packets", "1", "pipe:1"]  # fmt: skip


async def _first_message(stream: asyncio.StreamReader | None) -> str:
    """The first message of a log, after the log has been read to its end."""
    log = b""
    while stream is not None and (data := await stream.read(_LOG_SIZE)):
        log = (log + data)[:_LOG_SIZE]
    messages = map(read_message, log.decode(errors="replace").splitlines())
    return next((message.text for message in messages if message is not None), "")
