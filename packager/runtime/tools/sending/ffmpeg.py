"""Sends over SRT and RTMP, through an ffmpeg that reads the bytes from its standard input."""

import asyncio
import signal
from dataclasses import dataclass, field
from urllib.parse import SplitResult

from packager.errors import FeedError
from packager.feed.report import Container
from packager.ffmpeg.progress import read_message
from packager.runtime.ffmpeg.process import die_with_parent, signal_child
from packager.runtime.tools.sending.target import without_secret
from packager.runtime.tools.sending.udp import DATAGRAM

_END_TIMEOUT = 10.0
"""Seconds that ffmpeg gets to send its last bytes and exit."""
_LINGER = 0.5
"""Seconds from the last byte to the end of the connection.

An SRT receiver drops what its latency buffer holds when the connection ends. An RTMP server drops
the bytes that it has not read if ffmpeg has not read the server's replies.
"""
_MAX_STDERR = 4096
"""Bytes of ffmpeg's log that are kept."""


@dataclass(slots=True)
class FfmpegTarget:
    """An SRT target, whose bytes ffmpeg leaves unchanged, or an RTMP target, which it remuxes.

    Over RTMP, timestamps that go back or wrap do not arrive unchanged.
    """

    url: SplitResult
    program: str
    _process: asyncio.subprocess.Process | None = None
    _stderr: bytearray = field(default_factory=bytearray)
    _reading: "asyncio.Task[None] | None" = None

    async def begin(self, container: Container) -> None:
        """Start ffmpeg."""
        self._stderr.clear()
        self._process = await asyncio.create_subprocess_exec(
            self.program,
            *("-hide_banner", "-nostats", "-loglevel", "error"),
            *self._arguments(container),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        self._reading = asyncio.create_task(self._read_stderr(self._process))

    def _arguments(self, container: Container) -> list[str]:
        url = self.url.geturl()
        if self.url.scheme == "srt":
            # The data format neither demuxes nor muxes: messages of seven packets, unchanged.
            size = str(DATAGRAM)
            output = ["-map", "0", "-c", "copy", "-f", "data", "-flush_packets", "1"]
            return [
                *("-f", "data", "-raw_packet_size", size, "-i", "pipe:0"),
                *(*output, "-payload_size", size, url),
            ]
        quick = ["-probesize", "500000", "-analyzeduration", "1000000"]
        source = [*quick, "-copyts", "-f", container, "-i", "pipe:0"]
        streams = ["-map", "0:v?", "-map", "0:a?", "-c", "copy"]
        return [*source, *streams, "-f", "flv", "-flvflags", "no_duration_filesize", url]

    async def _read_stderr(self, process: asyncio.subprocess.Process) -> None:
        while process.stderr is not None and (data := await process.stderr.read(_MAX_STDERR)):
            self._stderr += data
            del self._stderr[_MAX_STDERR:]

    async def write(self, data: bytes, at: int) -> None:
        """Write to ffmpeg's standard input."""
        del at
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            process.stdin.write(data)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            await self._wait()
            raise FeedError(f"{without_secret(self.url)}: {self._reason()}") from None

    def _reason(self) -> str:
        """The first error in ffmpeg's log, without the parts of the URL that may be a key."""
        text = self._stderr.decode(errors="replace").replace(self.url.geturl(), "the target")
        for part in (self.url.path, self.url.path.rpartition("/")[2], self.url.query):
            text = text.replace(part, "...") if len(part) > 1 else text
        messages = map(read_message, text.splitlines())
        default = "the connection broke"
        return next((message.text for message in messages if message is not None), default)

    async def _wait(self) -> None:
        """Wait for the end of ffmpeg; kill it after a timeout."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            async with asyncio.timeout(_END_TIMEOUT):
                await process.wait()
        except TimeoutError:
            signal_child(process, signal.SIGKILL)
            await process.wait()
        if self._reading is not None:
            await self._reading

    async def end(self) -> None:
        """Let ffmpeg send its buffers and exit.

        Raises:
            FeedError: ffmpeg failed.
        """
        process = self._process
        if process is None or process.stdin is None:
            return
        await asyncio.sleep(_LINGER)
        process.stdin.close()
        await self._wait()
        if process.returncode:
            raise FeedError(f"{without_secret(self.url)}: {self._reason()}")

    async def abort(self) -> None:
        """Kill ffmpeg."""
        if self._process is not None:
            signal_child(self._process, signal.SIGKILL)
            await self._wait()
