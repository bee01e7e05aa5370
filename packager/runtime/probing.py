"""`ringside probe`: how a feed is, and what is wrong with it, before a channel is made of it.

Files of transport streams and FLV are read as they are; so are transport streams that come over
UDP, SRT or TCP. Anything else ffmpeg reads and packs into a transport stream. Where media does not
come at its own pace, the clock is the feed's.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table

from packager.clock import monotonic
from packager.errors import FeedError, SetupError
from packager.feed.advice import Facts, advice, facts_of
from packager.feed.container import Container, Inspector, Report
from packager.feed.flv import FlvInspector
from packager.feed.inspect import inspector
from packager.feed.ts import TsInspector
from packager.ffmpeg.command import COPYABLE
from packager.ffmpeg.probe import SourceInfo, read_banner
from packager.profile import Ladder
from packager.runtime.ffmpeg_program import probe
from packager.runtime.process import Child
from packager.ticks import MICROS
from packager.track import UNDETERMINED

_USUAL = 10
"""Seconds of what is not a file."""
_PATIENCE = 15.0
"""Seconds for the first byte, or from one byte to the next where there is no picture to miss."""
_READ = 1 << 16
_STEP = 7 * 188
"""Bytes after which the feed's clock is looked at again."""
_HEAD = 1 << 20
"""Bytes in which it must be seen what a file is, and of which ffmpeg is asked what they are."""
_MOST = 1 << 30
"""Bytes that are read of what has no clock."""
_MAX_SAID = 1 << 16
_RAW = ("udp", "srt", "tcp")
"""Schemes that bring the bytes of a transport stream as they were sent."""
_PACED = (*_RAW, "rtp", "rtsp", "rtmp", "rtmps", "rtmpt", "rtmpe")
"""Schemes of media that comes at its own pace."""

_Looking = TsInspector | FlvInspector


@dataclass(frozen=True, slots=True)
class Job:
    """What to look at."""

    target: str
    """A file or a URL."""
    seconds: int | None
    """Of it; where not given, ten, or all of a file that is read as it is."""
    ladder: Ladder | None
    """Of the channel that it is for."""
    program: int | None
    """Of a transport stream with several."""
    ffmpeg: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was to be seen."""

    name: str
    """Of the feed, without its secrets."""
    info: SourceInfo | None
    """Its streams; None where ffmpeg does not find a picture among them."""
    report: Report
    advice: list[str]


@dataclass(slots=True)
class _Look:
    """A look at the bytes of a feed, as they come."""

    inspector: _Looking
    paced: bool
    """They come at their own pace; else the clock is the feed's."""
    seconds: int | None
    head: bytearray = field(default_factory=bytearray)
    size: int = 0
    begin: float | None = None
    now: int = 0

    def take(self, data: bytes) -> bool:
        """Take in what has come. Returns: whether more is wanted."""
        self.head += data[: _HEAD - len(self.head)]
        self.size += len(data)
        if self.paced:
            self.tick()
            self.inspector.push(data, self.now)
        else:
            for at in range(0, len(data), _STEP):
                self.inspector.push(data[at : at + _STEP], self.now)
                self.now = max(self.now, self.inspector.elapsed)
        over = self.seconds is not None and self.now >= self.seconds * MICROS
        return not over and (self.seconds is None or self.size < _MOST)

    def tick(self) -> None:
        """Let time go on, without a byte."""
        moment = monotonic()
        self.begin = moment if self.begin is None else self.begin
        self.now = int((moment - self.begin) * MICROS)


async def run(job: Job) -> Found:
    """Look at a feed.

    Raises:
        SetupError: it cannot be read.
    """
    scheme = urlsplit(job.target).scheme if "://" in job.target else ""
    if scheme not in ("", "file"):
        return await _bridged(job, _spoken(job.target), scheme)
    path = Path(job.target.removeprefix("file://"))
    try:
        head = await asyncio.to_thread(_head, path)
    except OSError as error:
        raise SetupError(f"{job.target}: {error.strerror}") from error
    container = _container(head)
    if container is None:
        return await _bridged(job, job.target, scheme)
    return await _read(job, path, container)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _spoken(url: str) -> str:
    """A URL without what may be a secret: of it is left where it leads to."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _container(head: bytes) -> Container | None:
    """What a file begins as, or None where it is neither."""
    if head.startswith(b"FLV"):
        return Container.FLV
    looking = TsInspector()
    looking.push(head, 0)
    return Container.TS if looking.revision else None


async def _read(job: Job, path: Path, container: Container) -> Found:
    """Look at a file that needs no bridge."""
    look = _Look(_inspector(container, job.program), paced=False, seconds=job.seconds)
    await asyncio.to_thread(_through, path, look)
    info = await _asked(job, str(path), "-i", str(path))
    return _found(job, str(path), look, info, bridged=False)


def _through(path: Path, look: _Look) -> None:
    with path.open("rb") as file:
        while (data := file.read(_READ)) and look.take(data):
            pass


def _inspector(container: Container, program: int | None) -> _Looking:
    looking: Inspector = inspector(container, program)
    assert isinstance(looking, _Looking)  # noqa: S101 - there is no other
    return looking


async def _asked(job: Job, name: str, *options: str) -> SourceInfo | None:
    try:
        return await probe(job.ffmpeg, name, *options)
    except FeedError:
        return None


async def _bridged(job: Job, name: str, scheme: str) -> Found:
    """Look at what ffmpeg brings."""
    raw = scheme in _RAW
    program = job.program if raw else None
    paced = scheme in _PACED
    look = _Look(TsInspector(program), paced=paced, seconds=job.seconds or _USUAL)
    said = bytearray()
    await _bridge(_command(job, raw=raw), look, said)
    text = said.decode(errors="replace").replace(job.target, name)
    if not look.inspector.prelude:
        raise SetupError(_reason(text, name, look))
    if raw:
        with tempfile.NamedTemporaryFile(prefix="ringside-probe-") as file:
            await asyncio.to_thread(file.write, look.head)
            file.flush()
            info = await _asked(job, name, "-f", "mpegts", "-i", file.name)
    else:
        info = _listed(text, name)
    return _found(job, name, look, info, bridged=not raw)


def _command(job: Job, *, raw: bool) -> list[str]:
    beginning = [job.ffmpeg, "-hide_banner", "-nostdin", "-nostats"]
    if raw:
        form = ["-f", "data", "-i", job.target, "-map", "0", "-c", "copy", "-f", "data"]
    else:
        streams = "0" if job.program is None else f"0:p:{job.program}"
        maps = ["-map", f"{streams}:V:0?", "-map", f"{streams}:a:0?"]
        form = ["-i", job.target, *maps, "-c", "copy", "-f", "mpegts"]
    return [*beginning, *form, "-flush_packets", "1", "pipe:1"]


async def _bridge(command: list[str], look: _Look, said: bytearray) -> None:
    """Bring to `look` what it wants, or what there is."""
    async with Child(command, []) as child:
        listening = asyncio.create_task(_hear(child.process.stderr, said))
        try:
            while data := await _come(child.process.stdout, look):
                if not look.take(data):
                    return
            await listening
        except TimeoutError:
            if look.paced and look.begin is not None:
                look.tick()
        finally:
            listening.cancel()


async def _come(stream: asyncio.StreamReader | None, look: _Look) -> bytes:
    """What comes next; nothing at the end.

    Raises:
        TimeoutError: it is time to say how the feed is.
    """
    left = _PATIENCE
    if look.paced and look.begin is not None and look.seconds is not None:
        left = look.begin + look.seconds - monotonic()
    async with asyncio.timeout(max(left, 0)):
        return b"" if stream is None else await stream.read(_READ)


async def _hear(stream: asyncio.StreamReader | None, said: bytearray) -> None:
    while stream is not None and (text := await stream.read(_READ)):
        said += text[: _MAX_SAID - len(said)]


def _reason(text: str, name: str, look: _Look) -> str:
    """Why there is nothing to look at, in one line."""
    try:
        read_banner(_input(text), name)
    except FeedError as error:
        if look.size or "rror" in str(error):
            return str(error)
    return f"{name}: nothing that can be read came in {_PATIENCE:.0f} s"


def _input(text: str) -> str:
    """What ffmpeg says of an input, without what it says of the output."""
    return text.partition("\nStream mapping:")[0].partition("\nOutput #0")[0]


def _listed(text: str, name: str) -> SourceInfo | None:
    try:
        return read_banner(_input(text), name)
    except FeedError:
        return None


def _found(job: Job, name: str, look: _Look, info: SourceInfo | None, *, bridged: bool) -> Found:
    looking = look.inspector
    if not looking.prelude:
        raise SetupError(f"{name}: no transport stream, and no FLV")
    if job.program is not None and isinstance(looking, TsInspector) and not bridged:
        known = looking.programs
        if job.program not in known:
            listed = ", ".join(map(str, known))
            raise SetupError(f"{name}: no programme {job.program}: there are {listed}")
    report = looking.report(look.now)
    if not look.paced:
        # By its own clock nothing is late, and no clock wrong.
        report = msgspec.structs.replace(report, clock_ppm=None, late_frames=0)
    if bridged and info is not None:
        report = msgspec.structs.replace(
            report, video=info.video[0].codec, audio=tuple(one.codec for one in info.audio)
        )
    facts = Facts()
    if job.ladder is not None:
        facts = facts_of(job.ladder, job.ladder.segment, frozenset(COPYABLE))
    return Found(name, info, report, advice(report, facts))


def as_json(found: Found) -> bytes:
    """All of it, for machines."""
    said = {
        "source": found.name,
        "streams": found.info,
        "report": msgspec.structs.asdict(found.report),
        "advice": found.advice,
    }
    return msgspec.json.encode(said, enc_hook=str)


def show(found: Found, console: Console) -> None:
    """All of it, for people."""
    table = Table(title=found.name, title_justify="left", show_header=False)
    for what, how in (*_streams(found.info), *_lines(found.report)):
        table.add_row(what, how)
    console.print(table, markup=False, highlight=False)
    for sentence in found.advice or ("nothing is wrong",):
        console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)


def _streams(info: SourceInfo | None) -> Iterator[tuple[str, str]]:
    if info is None:
        return
    for one in info.video:
        rate = "" if one.frame_rate is None else f", {float(one.frame_rate):.5g} frames/s"
        yield f"stream {one.index}", f"{one.codec}, {one.width}x{one.height}{rate}"
    for sound in info.audio:
        language = "" if sound.language == UNDETERMINED else f", {sound.language}"
        of = f"{sound.codec}, {sound.sample_rate} Hz, {sound.layout}{language}"
        yield f"stream {sound.index}", of


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    yield "picture", report.video or "none"
    yield "sound", ", ".join(report.audio) or "none"
    for what, value, unit in (
        ("bit rate", None if report.bitrate is None else f"{report.bitrate / 1e6:.3g}", "Mbit/s"),
        ("frame rate", report.frame_rate, "frames/s"),
        ("keyframe interval", report.keyframe_interval, "s"),
        ("sound before picture", report.skew_ms, "ms"),
        ("clock", report.clock_ppm, "ppm fast"),
        ("last picture", report.still_ms, "ms ago"),
        ("last sound", report.mute_ms, "ms ago"),
    ):
        yield what, "not known" if value is None else f"{value} {unit}"
    for what, count in (
        ("packets lost or damaged", report.continuity_errors),
        ("pictures left out", report.dropped_frames),
        ("pictures late", report.late_frames),
        ("jumps of timestamps", report.jumps),
        ("bytes between packets", report.junk_bytes),
    ):
        yield what, str(count)
