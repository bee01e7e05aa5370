"""Receives SRT: an ffmpeg passes on the bytes of one connection after the other.

A call, which is one run of ffmpeg, has these states:

    WAITING    a caller is accepted (listener only) -> ACCEPTED
    WAITING, ACCEPTED      the first bytes arrive   -> RECEIVING
    any        ffmpeg exits, or bytes do not arrive in time -> the call ends

The first bytes arrive after the latency that both sides have agreed on: the larger of the two. Only
SRT knows that of the encoder.
"""

import asyncio
from enum import IntEnum

from packager.config.sources import SrtSource
from packager.errors import FeedError
from packager.feed.report import Container
from packager.ffmpeg.srt import (
    CallerAccepted,
    CallerRefused,
    SrtFailed,
    SrtWarning,
    read_srt,
    srt_address,
    srt_arguments,
)
from packager.runtime.ingest.ffmpeg_pull import relay
from packager.runtime.ingest.receiver import FeedSink, ProblemReporter
from packager.timing.backoff import Backoff

_MIN_WAIT = 0.25
_MAX_WAIT = 5.0
_SILENCE = 3.0
"""Seconds without a byte after which a connection ends. SRT itself detects a dead peer."""
_FIRST_BYTES = 30.0
"""Seconds for the first bytes, after the latency of the source: an encoder may ask for more."""


class SrtReceiver:
    """Listens for callers at a port, or calls a listener; one connection at a time."""

    def __init__(self, source: SrtSource, program: str) -> None:
        """`program` is an ffmpeg with SRT."""
        self._source = source
        self._program = program

    async def run(self, sink: FeedSink) -> None:
        """See `Receiver`."""
        problems = ProblemReporter(sink)
        backoff = Backoff(_MIN_WAIT, _MAX_WAIT)
        while True:
            call = _Call(self._source, sink, problems)
            await call.run(self._program)
            if call.state > _State.WAITING and self._source.url is None:
                # The next caller may be waiting already.
                backoff.reset()
                continue
            if call.state is _State.RECEIVING:
                backoff.reset()
            await asyncio.sleep(backoff.step())


class _State(IntEnum):
    """The states of a call, in their order."""

    WAITING = 0
    ACCEPTED = 1
    RECEIVING = 2


class _Call:
    """One run of ffmpeg: at most one connection."""

    def __init__(self, source: SrtSource, sink: FeedSink, problems: ProblemReporter) -> None:
        self._source = source
        self._sink = sink
        self._problems = problems
        self._reason = ""
        """Why the call failed or ended."""
        self._warning = ""
        """The first error of ffmpeg without a known meaning."""
        self.state = _State.WAITING
        self._deadline = asyncio.timeout(None)

    async def run(self, program: str) -> None:
        code: int | None = None
        try:
            async with self._deadline:
                if self._source.url is not None:
                    self._expect_bytes(self._first_bytes)
                code = await relay(program, self._arguments, self._received, self._read_line)
        except TimeoutError:
            receiving = self.state is _State.RECEIVING
            limit = _SILENCE if receiving else self._first_bytes
            self._reason = f"no bytes for {limit:g} s"
        except FeedError as error:
            self._reason = str(error)
        finally:
            if self.state is _State.RECEIVING:
                closed = (
                    "the connection has ended" if code is not None else "the receiver is closed"
                )
                self._sink.disconnected(self._reason or closed)
        if self.state is not _State.RECEIVING:
            self._report(self._reason or self._warning or self._unknown_reason(code))

    @property
    def _first_bytes(self) -> float:
        """Seconds for the first bytes."""
        return _FIRST_BYTES + float(self._source.latency)

    def _expect_bytes(self, within: float) -> None:
        """End the call if no byte arrives within so many seconds."""
        self._deadline.reschedule(asyncio.get_running_loop().time() + within)

    def _arguments(self, write_end: int) -> list[str]:
        return srt_arguments(self._source, write_end)

    def _unknown_reason(self, code: int | None) -> str:
        if self.state is _State.ACCEPTED:
            return "a caller connected and sent nothing"
        return f"ffmpeg exited with code {code}"

    def _received(self, data: bytes) -> None:
        self._expect_bytes(_SILENCE)
        if self.state is not _State.RECEIVING:
            self.state = _State.RECEIVING
            self._problems.clear()
            self._sink.connected(Container.TS, self._peer())
        self._sink.received(data)

    def _peer(self) -> str:
        # ffmpeg does not log the caller's address.
        source = self._source
        return f"a caller at port {source.port}" if source.url is None else srt_address(source)

    def _read_line(self, line: str) -> None:
        match read_srt(self._without_passphrase(line)):
            case CallerAccepted():
                if self.state is _State.WAITING:
                    self._expect_bytes(self._first_bytes)
                self.state = max(self.state, _State.ACCEPTED)
            case CallerRefused(reason):
                self._report(f"a caller was refused: {reason}")
            case SrtFailed(reason):
                # The first reason is the nearest to the cause.
                self._reason = self._reason or reason
            case SrtWarning(text):
                self._warning = self._warning or text
            case None:
                pass

    def _without_passphrase(self, line: str) -> str:
        """`line` without the passphrase, in case ffmpeg ever logs it."""
        secret = self._source.passphrase
        return line if secret is None else line.replace(secret.value.decode(), "(secret)")

    def _report(self, reason: str) -> None:
        self._problems.report(f"{self._address()}: {reason}")

    def _address(self) -> str:
        if self._source.url is None:
            return f"srt port {self._source.port}"
        try:
            return srt_address(self._source)
        except FeedError:
            # An invalid address may contain a secret.
            return "srt"
