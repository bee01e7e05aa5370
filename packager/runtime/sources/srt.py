"""SRT, by an ffmpeg that hands on the bytes of one connection after the other."""

import asyncio

from packager.errors import FeedError
from packager.feed.container import Container
from packager.ffmpeg.srt import (
    Accepted,
    Complained,
    Failed,
    TurnedAway,
    read_srt,
    srt_address,
    srt_arguments,
)
from packager.runtime.sources.bridge import carry
from packager.runtime.sources.line import Taker
from packager.runtime.sources.once import Once
from packager.source import SrtSource

_SHORTEST_WAIT = 0.25
_LONGEST_WAIT = 5.0


class SrtLine:
    """Waits for callers at a port, or calls; one connection at a time."""

    def __init__(self, source: SrtSource, program: str) -> None:
        """`program` is the ffmpeg that has SRT."""
        self._source = source
        self._program = program

    async def run(self, taker: Taker) -> None:
        """Bring what comes to `taker` until cancelled."""
        once = Once(taker)
        wait = _SHORTEST_WAIT
        while True:
            call = _Call(self._source, taker, once)
            await call.run(self._program)
            if call.answered and self._source.url is None:
                # The next caller may be there already.
                wait = _SHORTEST_WAIT
                continue
            if call.brought:
                wait = _SHORTEST_WAIT
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)


class _Call:
    """One run of ffmpeg: at most one connection."""

    def __init__(self, source: SrtSource, taker: Taker, once: Once) -> None:
        self._source = source
        self._taker = taker
        self._once = once
        self._reason = ""
        self._complaint = ""
        self.answered = False
        """Somebody has called, and was let in."""
        self.brought = False
        """Bytes have come."""

    async def run(self, program: str) -> None:
        code: int | None = None
        try:
            code = await carry(program, self._arguments, self._received, self._line)
        except FeedError as error:
            self._reason = str(error)
        finally:
            if self.brought:
                ended = "the connection is over" if code is not None else "the line is closed"
                self._taker.disconnected(self._reason or ended)
        if not self.brought:
            self._trouble(self._reason or self._complaint or self._unnamed(code))

    def _arguments(self, write_end: int) -> list[str]:
        return srt_arguments(self._source, write_end)

    def _unnamed(self, code: int | None) -> str:
        return "a caller sent nothing" if self.answered else f"ffmpeg ended with code {code}"

    def _received(self, data: bytes) -> None:
        if not self.brought:
            self.brought = True
            self._once.over()
            self._taker.connected(Container.TS, self._peer())
        self._taker.received(data)

    def _peer(self) -> str:
        # ffmpeg knows the caller's address and keeps it to itself.
        source = self._source
        return f"a caller at port {source.port}" if source.url is None else srt_address(source)

    def _line(self, line: str) -> None:
        match read_srt(self._hidden(line)):
            case Accepted():
                self.answered = True
            case TurnedAway(reason):
                self._trouble(f"a caller was turned away: {reason}")
            case Failed(reason):
                # What comes first is nearest to the cause.
                self._reason = self._reason or reason
            case Complained(text):
                self._complaint = self._complaint or text
            case None:
                pass

    def _hidden(self, line: str) -> str:
        """`line` without the passphrase, should ffmpeg ever speak of it."""
        secret = self._source.passphrase
        return line if secret is None else line.replace(secret.octets.decode(), "(secret)")

    def _trouble(self, reason: str) -> None:
        self._once.trouble(f"{self._where()}: {reason}")

    def _where(self) -> str:
        if self._source.url is None:
            return f"srt port {self._source.port}"
        try:
            return srt_address(self._source)
        except FeedError:
            # Somebody may have put a secret into it.
            return "srt"
