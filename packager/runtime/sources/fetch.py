"""What ffmpeg can read, as a line."""

import asyncio
from dataclasses import dataclass

from packager.feed.container import Container
from packager.ffmpeg.progress import read_message
from packager.runtime.process import die_with_parent
from packager.runtime.sources.line import Taker

_PIECE = 1 << 16
_SAID = 4096
_PAUSE = 1.0
"""Seconds before a connection is made again."""


@dataclass(frozen=True, slots=True)
class FetchLine:
    """Reads `url` again and again, as one container."""

    program: str
    """ffmpeg."""
    url: str
    container: Container
    peer: str
    """What the log calls it: the address without its secrets."""
    options: tuple[str, ...] = ()
    """Of the input."""

    async def run(self, taker: Taker) -> None:
        """Bring it to `taker` until cancelled."""
        while True:
            await self._connection(taker)
            await asyncio.sleep(_PAUSE)

    async def _connection(self, taker: Taker) -> None:
        process = await asyncio.create_subprocess_exec(
            self.program,
            *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "error"),
            *self._arguments(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent,
        )
        listening = asyncio.create_task(_first_words(process.stderr))
        there = False
        try:
            while process.stdout is not None and (data := await process.stdout.read(_PIECE)):
                if not there:
                    there = True
                    taker.connected(self.container, self.peer)
                taker.received(data)
            code = await process.wait()
            said = (await listening).replace(self.url, self.peer)
        except BaseException:
            if there:
                taker.disconnected("we left")
            raise
        finally:
            listening.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        if there:
            taker.disconnected(said or "it is over")
        elif code or said:
            taker.trouble(said or f"ffmpeg: exit code {code}")

    def _arguments(self) -> list[str]:
        kept = ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-copyts"]
        return [*self.options, "-i", self.url, *kept, "-f", self.container,
                "-flush_packets", "1", "pipe:1"]  # fmt: skip


async def _first_words(stream: asyncio.StreamReader | None) -> str:
    """The first line that is said; all of it is read."""
    said = b""
    while stream is not None and (data := await stream.read(_SAID)):
        said = (said + data)[:_SAID]
    messages = map(read_message, said.decode(errors="replace").splitlines())
    return next((message.text for message in messages if message is not None), "")
