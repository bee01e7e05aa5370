"""Inspects a feed before it becomes the source of a channel.

Transport streams and FLV files are read directly, and so are transport streams over UDP, SRT or
TCP. For every other feed ffmpeg is the bridge: it remuxes the feed into a transport stream. A feed
that does not arrive in real time is timed by its own clock.
"""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from packager.config.ladder import Ladder
from packager.container.ts_packet import PACKET_SIZE
from packager.diagnostics.probe_report import ProbeResult
from packager.errors import FeedError, SetupError
from packager.feed.advice import FeedRequirements, advice, facts_of
from packager.feed.flv import FlvInspector
from packager.feed.inspect import inspector
from packager.feed.mpegts import TsInspector
from packager.feed.report import Container, Inspector, Report
from packager.ffmpeg.probe import SourceInfo, read_banner
from packager.ffmpeg.tracks import COPYABLE
from packager.runtime.ffmpeg.process import FfmpegProcess
from packager.runtime.ffmpeg.program import probe
from packager.timing.clock import monotonic
from packager.timing.ticks import MICROS

_DEFAULT_SECONDS = 10
"""How long a feed that is not a file is read."""
_TIMEOUT = 15.0
"""Seconds for the first byte, and between bytes of a feed that does not arrive in real time."""
_READ = 1 << 16
_STEP = 7 * PACKET_SIZE
"""Bytes between two readings of the feed's clock."""
_MAX_HEAD = 1 << 20
"""First bytes, by which the container is recognised and ffmpeg finds the streams."""
_MAX_SIZE = 1 << 30
"""Bytes that are read of a feed without a clock."""
_MAX_STDERR = 1 << 16
_RAW = ("udp", "srt", "tcp")
"""Schemes that carry the bytes of a transport stream unchanged."""
_REAL_TIME = (*_RAW, "rtp", "rtsp", "rtmp", "rtmps", "rtmpt", "rtmpe")
"""Schemes of feeds that arrive in real time."""

_FeedInspector = TsInspector | FlvInspector


@dataclass(frozen=True, slots=True)
class ProbeJob:
    """The feed to inspect."""

    target: str
    """A file or a URL."""
    seconds: int | None
    """How long to read; None for ten seconds, or for a file to its end."""
    ladder: Ladder | None
    """Ladder that the feed must serve; None to check no ladder."""
    program: int | None
    """Program number in a transport stream with several."""
    ffmpeg: str


@dataclass(slots=True)
class _Inspection:
    """The inspection of a feed's bytes as they arrive."""

    inspector: _FeedInspector
    is_real_time: bool
    """The feed is timed by arrival; otherwise by its own clock."""
    seconds: int | None
    head: bytearray = field(default_factory=bytearray)
    size: int = 0
    begin: float | None = None
    """Monotonic seconds of the first byte."""
    now: int = 0
    """Microseconds since the first byte."""

    def take(self, data: bytes) -> bool:
        """Inspect `data`. Returns: whether the inspection needs more."""
        self.head += data[: _MAX_HEAD - len(self.head)]
        self.size += len(data)
        if self.is_real_time:
            self.tick()
            self.inspector.push(data, self.now)
        else:
            for at in range(0, len(data), _STEP):
                self.inspector.push(data[at : at + _STEP], self.now)
                self.now = max(self.now, self.inspector.elapsed)
        is_over = self.seconds is not None and self.now >= self.seconds * MICROS
        return not is_over and (self.seconds is None or self.size < _MAX_SIZE)

    def tick(self) -> None:
        """Advance the time of a real-time feed."""
        moment = monotonic()
        self.begin = moment if self.begin is None else self.begin
        self.now = int((moment - self.begin) * MICROS)

    def remaining(self) -> float:
        """Seconds to wait for the next byte."""
        if self.is_real_time and self.begin is not None and self.seconds is not None:
            return max(0.0, self.begin + self.seconds - monotonic())
        return _TIMEOUT

    def report(self) -> Report:
        """The properties of the feed so far."""
        report = self.inspector.report(self.now)
        if self.is_real_time:
            return report
        # By the feed's own clock no frame is late and the clock is exact.
        return msgspec.structs.replace(report, clock_ppm=None, late_frames=0)


async def run(job: ProbeJob) -> ProbeResult:
    """Inspect a feed.

    Raises:
        SetupError: the feed cannot be read.
    """
    scheme = urlsplit(job.target).scheme if "://" in job.target else ""
    if scheme not in ("", "file"):
        return await _inspect_bridged(job, _without_secret(job.target), scheme)
    path = Path(job.target.removeprefix("file://"))
    try:
        head = await asyncio.to_thread(_head, path)
    except OSError as error:
        raise SetupError(f"{job.target}: {error.strerror}") from error
    container = _container(head)
    if container is None:
        return await _inspect_bridged(job, job.target, scheme)
    return await _inspect_file(job, path, container)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MAX_HEAD)


def _without_secret(url: str) -> str:
    """Scheme, host and port of a URL; user name, path and query may have a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _container(head: bytes) -> Container | None:
    """The container of a file that begins with `head`; None if it needs the bridge."""
    if head.startswith(b"FLV"):
        return Container.FLV
    found = TsInspector()
    found.push(head, 0)
    return Container.TS if found.revision else None


async def _inspect_file(job: ProbeJob, path: Path, container: Container) -> ProbeResult:
    feed_inspector: Inspector = inspector(container, job.program)
    assert isinstance(feed_inspector, _FeedInspector)  # noqa: S101 - there is no other class
    inspection = _Inspection(feed_inspector, is_real_time=False, seconds=job.seconds)
    await asyncio.to_thread(_read_through, path, inspection)
    info = await _streams(job, str(path), "-i", str(path))
    if job.program is not None and isinstance(feed_inspector, TsInspector):
        _check_program(feed_inspector, job.program, str(path))
    return _result(job, str(path), inspection, info)


def _read_through(path: Path, inspection: _Inspection) -> None:
    with path.open("rb") as file:
        while (data := file.read(_READ)) and inspection.take(data):
            pass


async def _streams(job: ProbeJob, name: str, *options: str) -> SourceInfo | None:
    try:
        return await probe(job.ffmpeg, name, *options)
    except FeedError:
        return None


async def _inspect_bridged(job: ProbeJob, name: str, scheme: str) -> ProbeResult:
    """Inspect the output of ffmpeg."""
    is_raw = scheme in _RAW
    inspector_ = TsInspector(job.program if is_raw else None)
    seconds = job.seconds or _DEFAULT_SECONDS
    inspection = _Inspection(inspector_, is_real_time=scheme in _REAL_TIME, seconds=seconds)
    log = await _read_bridge(_command(job, is_raw=is_raw), inspection)
    text = log.decode(errors="replace").replace(job.target, name)
    if not inspector_.prelude:
        raise SetupError(_reason(text, name, inspection))
    if not is_raw:
        return _result(job, name, inspection, _streams_in_log(text, name), is_remuxed=True)
    with tempfile.NamedTemporaryFile(prefix="ringside-probe-") as file:
        await asyncio.to_thread(file.write, inspection.head)
        file.flush()
        info = await _streams(job, name, "-f", "mpegts", "-i", file.name)
    if job.program is not None:
        _check_program(inspector_, job.program, name)
    return _result(job, name, inspection, info)


def _command(job: ProbeJob, *, is_raw: bool) -> list[str]:
    command = [job.ffmpeg, "-hide_banner", "-nostdin", "-nostats"]
    if is_raw:
        command += ["-f", "data", "-i", job.target, "-map", "0", "-c", "copy", "-f", "data"]
    else:
        streams = "0" if job.program is None else f"0:p:{job.program}"
        maps = ["-map", f"{streams}:V:0?", "-map", f"{streams}:a:0?"]
        command += ["-i", job.target, *maps, "-c", "copy", "-f", "mpegts"]
    return [*command, "-flush_packets", "1", "pipe:1"]


async def _read_bridge(command: list[str], inspection: _Inspection) -> bytes:
    """Give the output of `command` to `inspection`; return the log of `command`."""
    log = bytearray()
    async with FfmpegProcess(command, []) as child:
        reading = asyncio.create_task(_read_log(child.process.stderr, log))
        try:
            await _inspect_output(child.process.stdout, inspection)
        finally:
            child.kill()
            # asyncio closes the pipe of a process at its end of file. A pipe with unread bytes
            # would be closed after the event loop, with a traceback.
            while child.process.stdout is not None and await child.process.stdout.read(_READ):
                pass
            await reading
    return bytes(log)


async def _inspect_output(stream: asyncio.StreamReader | None, inspection: _Inspection) -> None:
    try:
        while data := await _read(stream, inspection):
            if not inspection.take(data):
                return
    except TimeoutError:
        if inspection.is_real_time and inspection.begin is not None:
            inspection.tick()


async def _read(stream: asyncio.StreamReader | None, inspection: _Inspection) -> bytes:
    """The next bytes; empty at the end.

    Raises:
        TimeoutError: the inspection must end.
    """
    async with asyncio.timeout(inspection.remaining()):
        return b"" if stream is None else await stream.read(_READ)


async def _read_log(stream: asyncio.StreamReader | None, log: bytearray) -> None:
    while stream is not None and (text := await stream.read(_READ)):
        log += text[: _MAX_STDERR - len(log)]


def _reason(text: str, name: str, inspection: _Inspection) -> str:
    """Why the feed cannot be inspected, in one line."""
    try:
        read_banner(_input_of(text), name)
    except FeedError as error:
        if inspection.size or "rror" in str(error):
            return str(error)
    return f"{name}: no readable media within {_TIMEOUT:.0f} s"


def _input_of(text: str) -> str:
    """The part of ffmpeg's log that describes the input."""
    return text.partition("\nStream mapping:")[0].partition("\nOutput #0")[0]


def _streams_in_log(text: str, name: str) -> SourceInfo | None:
    try:
        return read_banner(_input_of(text), name)
    except FeedError:
        return None


def _check_program(found: TsInspector, program: int, name: str) -> None:
    """Raise SetupError if the transport stream has no such program."""
    if program not in found.programs:
        programs = ", ".join(map(str, found.programs))
        raise SetupError(f"{name}: no program {program}: the transport stream has {programs}")


def _result(
    job: ProbeJob,
    name: str,
    inspection: _Inspection,
    info: SourceInfo | None,
    *,
    is_remuxed: bool = False,
) -> ProbeResult:
    if not inspection.inspector.prelude:
        raise SetupError(f"{name}: neither a transport stream nor an FLV file")
    report = inspection.report()
    if is_remuxed and info is not None:
        # The remuxed stream may name a codec differently.
        audio = tuple(stream.codec for stream in info.audio)
        report = msgspec.structs.replace(report, video=info.video[0].codec, audio=audio)
    requirements = FeedRequirements()
    if job.ladder is not None:
        requirements = facts_of(job.ladder, job.ladder.segment, frozenset(COPYABLE))
    interlaced = info is not None and info.is_interlaced
    report = msgspec.structs.replace(report, interlaced=interlaced)
    return ProbeResult(name, info, report, advice(report, requirements))
