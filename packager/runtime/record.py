"""`ringside record`: what a source brings, to a file."""

import asyncio
import contextlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import structlog

from packager.errors import FeedError, SetupError, StoreError
from packager.feed.container import Container
from packager.runtime.recorder import Recorder
from packager.runtime.sources.line import Line
from packager.runtime.sources.lines import line_of, pulled_rtmp
from packager.secret import Secret
from packager.source import HlsSource, SrtSource, UdpSource
from packager.units import quoted

_FORMS = (
    "udp://host:port, srt://host:port, srt://:port to be called, rtmp://..., or HLS: http://..."
)


def line_for(url: str, program: str) -> Line:
    """The line that `url` names; `program` is ffmpeg.

    Raises:
        SetupError: none that is known.
    """
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise SetupError(f"not a source: {quoted(url)}") from None
    host = split.hostname or ""
    match split.scheme:
        case "udp" | "rtp" if host and port:
            return line_of(UdpSource(port=port, host=host), program)
        case "srt" if port:
            said = dict(parse_qsl(split.query))
            key = said.get("passphrase")
            source = SrtSource(
                port=None if host else port,
                url=f"srt://{split.netloc}" if host else None,
                stream_id=said.get("streamid"),
                passphrase=None if key is None else Secret(key.encode()),
            )
            return line_of(source, program)
        case "rtmp" | "rtmps" if host:
            return pulled_rtmp(url, f"{split.scheme}://{host}", program)
        case "http" | "https" if host:
            return line_of(HlsSource(url=url), program)
        case _:
            raise SetupError(f"not a source: {quoted(split.scheme or url)} (write {_FORMS})")


class _Said:
    """A taker that says who comes and goes."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def connected(self, container: Container, peer: str) -> None:
        self._log.info("feed.connected", container=str(container), peer=peer)

    def received(self, data: bytes) -> None:
        """Nothing is said of bytes."""

    def disconnected(self, reason: str) -> None:
        self._log.info("feed.disconnected", reason=reason)

    def trouble(self, problem: str) -> None:
        self._log.warning("feed.trouble", problem=problem)


@dataclass(slots=True)
class Recorded:
    """What was recorded."""

    connections: int = 0
    size: int = 0
    """Bytes that came."""


async def record(line: Line, out: Path, lasts: Fraction | None, done: Recorded) -> None:
    """Record to `out` for that many seconds, or until cancelled; `done` says what there is.

    Raises:
        SetupError: the file cannot be made.
        StoreError: the disk is full, or did not keep up; what was before is there.
    """
    async with Recorder(_Said(), out) as recorder:
        bringing = asyncio.create_task(line.run(recorder))
        stopped = asyncio.create_task(recorder.stopped())
        seconds = None if lasts is None else float(lasts)
        try:
            await asyncio.wait(
                {bringing, stopped}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            bringing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await bringing
            await recorder.close()
            await stopped
            done.connections, done.size = recorder.connections, recorder.size
            if not done.connections:
                await asyncio.to_thread(out.unlink, missing_ok=True)
    if recorder.problem is not None:
        raise StoreError(f"{out}: the recording stopped: {recorder.problem}")
    if not done.connections:
        raise FeedError("nothing came: nothing was recorded")
