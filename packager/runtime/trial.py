"""`ringside ladder`: a ladder on this machine for some seconds, the way a channel would run it."""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from packager.clock import SystemClock, monotonic
from packager.cmaf.boxes import Buffer
from packager.cmaf.demuxer import Init
from packager.errors import FeedError, SetupError
from packager.ffmpeg import progress as said
from packager.ffmpeg.command import arguments, track_specs
from packager.profile import EncodeLadder, Ladder
from packager.runtime import encoders
from packager.runtime.config_file import load_ladder
from packager.runtime.intake import Intake
from packager.runtime.journal_writer import JournalWriter
from packager.runtime.process import Child, TrackPipe, complaint, lines
from packager.runtime.publisher import Publisher
from packager.runtime.sources import Opened
from packager.runtime.sources.pattern import open_pattern
from packager.runtime.sources.recording import open_recording
from packager.source import FileSource, PatternSource, described
from packager.track import TrackKind, TrackSpec
from packager.trial import SETTLES, Arrival, Measured, Rendition, Trial, Usage, judge

_CHANNEL = "trial"
_LOOK = 0.1
"""Seconds between two looks at how far it is."""
_FEWEST = 3
"""Segments that a trial must last for: some of them whole, after it has settled."""
_LONGEST = 600
"""Seconds of media."""
_SLOW_START = 15.0
"""Seconds that may pass before the first media."""
_NOTHING = said.Progress(0, None, 0, 0)
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Job:
    """What to try."""

    ladder: str
    source: str | None
    """A file, which is looped; None for the test pattern."""
    seconds: int
    """Of media."""
    program: str
    """ffmpeg."""


@dataclass(slots=True)
class _Run:
    """What is known of the run."""

    specs: tuple[TrackSpec, ...]
    intake: Intake
    arrivals: dict[str, list[Arrival]] = field(default_factory=dict[str, list[Arrival]])
    timescales: dict[int, int] = field(default_factory=dict[int, int])
    problems: list[str] = field(default_factory=list[str])
    progress: said.Progress = _NOTHING

    def take(self, track: int, data: Buffer) -> None:
        for item in self.intake.demux(track, data):
            if isinstance(item, Init):
                self.timescales[track] = item.facts.timescale
            else:
                end = Fraction(item.start + item.duration, self.timescales[track])
                came = self.arrivals.setdefault(self.specs[track].id, [])
                came.append(Arrival(monotonic(), end))
            self.problems += [broken.reason for broken in self.intake.take(track, item)]

    @property
    def media(self) -> float:
        """Seconds of media that there are of every rendition of the picture."""
        spans = [
            self.arrivals[spec.id][-1].media - self.arrivals[spec.id][0].media
            if spec.id in self.arrivals
            else Fraction(0)
            for spec in self.specs
            if spec.kind is TrackKind.VIDEO
        ]
        return float(min(spans, default=Fraction(0)))

    async def read_progress(self, stream: asyncio.StreamReader | None) -> None:
        reader = said.ProgressReader()
        async for line in lines(stream):
            block = reader.line(line)
            # The last one comes as ffmpeg is ended, and says less.
            if block is not None and block.speed is not None:
                self.progress = block


@dataclass(frozen=True, slots=True)
class _Watched:
    """An ffmpeg that shall not end by itself."""

    process: asyncio.subprocess.Process
    pipes: Sequence[TrackPipe]
    complaint: "asyncio.Task[str]"

    async def check(self) -> None:
        """See that it goes on, and that what it sends can be taken.

        Raises:
            FeedError: it has ended.
            RingsideError: what it sent cannot be published.
        """
        for pipe in self.pipes:
            if pipe.done.done():
                pipe.done.result()
        if self.process.returncode is not None:
            reason = await self.complaint or f"exit code {self.process.returncode}"
            raise FeedError(f"ffmpeg: {reason}")


@dataclass(frozen=True, slots=True)
class _Spent:
    """CPU seconds up to an instant."""

    at: float
    ffmpeg: float
    packager: float
    machine: float
    """By all processes, on all cores."""
    idle: float
    """By none."""


async def run(job: Job) -> Trial:
    """Run the ladder, and say how that went.

    Raises:
        ConfigError: the ladder cannot be used.
        SetupError: the machine or the source cannot.
        FeedError: ffmpeg failed.
    """
    ladder = load_ladder(job.ladder, Path(), "PROFILE", "")
    encoders.check(job.program, [ladder])
    least = -(-_FEWEST * ladder.segment // 1) + int(SETTLES)
    if not least <= job.seconds <= _LONGEST:
        raise SetupError(f"--seconds {job.seconds}: from {least}, for this ladder, to {_LONGEST}")
    with TemporaryDirectory(prefix="ringside-ladder-") as temporary:
        folder = Path(temporary)
        source, opened = await _open(job, ladder, folder)
        return judge(await _measure(job, ladder, source, opened, folder))


def _recording(file: str) -> FileSource:
    if not Path(file).is_file():
        raise SetupError(f"{file}: no such file")
    return FileSource(files=(os.path.abspath(file),), loop=True)  # noqa: PTH100 - links stay


async def _open(job: Job, ladder: Ladder, folder: Path) -> tuple[str, Opened]:
    """The source, in words and ready for ffmpeg."""
    if job.source is not None:
        file = _recording(job.source)
        encoded = isinstance(ladder, EncodeLadder)
        return described(file), await open_recording(file, folder, job.program, encoded=encoded)
    if not isinstance(ladder, EncodeLadder):
        raise SetupError("there is nothing to pass through in a test pattern: name a --source")
    largest = max(ladder.video, key=lambda rung: rung.width * rung.height)
    pattern = PatternSource(width=largest.width, height=largest.height)
    return described(pattern), open_pattern(pattern, ladder.frame_rate)


async def _measure(job: Job, ladder: Ladder, source: str, opened: Opened, folder: Path) -> Measured:
    journal = JournalWriter(folder / _CHANNEL, _CHANNEL, ladder.segment)
    publisher = Publisher(_CHANNEL, folder / _CHANNEL, journal, makes_room=False)
    specs = track_specs(ladder, opened.info)
    encoded = isinstance(ladder, EncodeLadder)
    run = _Run(specs, Intake(_CHANNEL, specs, publisher, SystemClock(), encoded=encoded))
    pipes = [TrackPipe(_taker(run, index)) for index in range(len(specs))]
    command = arguments(
        opened.feed,
        ladder,
        ladder.segment,
        opened.info,
        [pipe.write_end for pipe in pipes],
        real_time=True,
    )
    started = monotonic()
    try:
        async with Child([job.program, *command], pipes) as child:
            listening = asyncio.create_task(complaint(child.process.stderr))
            watched = _Watched(child.process, pipes, listening)
            reading = asyncio.create_task(run.read_progress(child.process.stdout))
            try:
                before = await _first(run, watched)
                await _last(run, watched, job.seconds)
                after = _spent(child.process.pid)
                memory = _peak(child.process.pid)
                # What comes from now on comes because it is told to end.
                timeline = publisher.timeline
                arrivals = {track: list(came) for track, came in run.arrivals.items()}
            finally:
                reading.cancel()
                listening.cancel()
    finally:
        run.intake.finish()
        journal.close()
    lasted = after.at - before.at
    worked, idled = after.machine - before.machine, after.idle - before.idle
    return Measured(
        ladder=ladder,
        source=source,
        timeline=timeline,
        arrivals=arrivals,
        progress=run.progress,
        seconds=after.at - started,
        cores=len(os.sched_getaffinity(0)),
        ffmpeg=Usage(cpu=round((after.ffmpeg - before.ffmpeg) / lasted, 3), memory=memory),
        packager=Usage(
            cpu=round((after.packager - before.packager) / lasted, 3), memory=_peak(os.getpid())
        ),
        busy=worked / (worked + idled) if worked + idled else 0.0,
        problems=tuple(run.problems),
    )


def _taker(run: _Run, track: int) -> Callable[[Buffer], None]:
    def take(data: Buffer) -> None:
        run.take(track, data)

    return take


async def _first(run: _Run, ffmpeg: _Watched) -> _Spent:
    """Wait for the first media of every rendition; what had been spent by then."""
    end = monotonic() + _SLOW_START
    pictures = {spec.id for spec in run.specs if spec.kind is TrackKind.VIDEO}
    while not pictures <= run.arrivals.keys():
        await ffmpeg.check()
        if monotonic() > end:
            raise FeedError(f"no media within {_SLOW_START:.0f} s")
        await asyncio.sleep(_LOOK)
    return _spent(ffmpeg.process.pid)


async def _last(run: _Run, ffmpeg: _Watched, seconds: int) -> None:
    """Wait for all the media that was wanted, or for twice its time."""
    columns = (TextColumn("trying"), BarColumn(), TextColumn("{task.completed:.1f} s of media"))
    end = monotonic() + 2 * seconds
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("trying", total=float(seconds))
        while run.media < seconds and monotonic() < end:
            await ffmpeg.check()
            bar.update(task, completed=run.media)
            await asyncio.sleep(_LOOK)


def _spent(ffmpeg: int) -> _Spent:
    own = os.times()
    busy, idle = _cpu_of_all()
    return _Spent(monotonic(), _cpu_of(ffmpeg), own.user + own.system, busy, idle)


def _cpu_of_all() -> tuple[float, float]:
    """CPU seconds that were used, and that were not (proc(5), the first line of `stat`)."""
    first = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, idle, waiting, *more = map(int, first.split()[1:9])
    return (user + nice + system + sum(more)) / _TICKS, (idle + waiting) / _TICKS


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process (proc(5), fields 14 and 15 of `stat`)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def _peak(pid: int) -> int:
    """Bytes of memory that a process had at most."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0


# For people.


def tell(trial: Trial, console: Console) -> None:
    """Print a table and the verdict."""
    table = Table(title=f"{trial.ladder}, {trial.source} (bit/s)", title_justify="left")
    for name in ("rendition", "segments", "nominal", "average", "maximum", "peak"):
        table.add_column(name, justify="left" if name == "rendition" else "right", no_wrap=True)
    remarked = any(map(_remarks, trial.renditions))
    if remarked:
        table.add_column("")
    for track in trial.renditions:
        table.add_row(
            track.id,
            str(track.segments),
            _rate(track.nominal),
            _rate(track.average),
            _rate(track.maxrate),
            _rate(track.peak),
            *([_remarks(track)] if remarked else []),
        )
    console.print(table)
    speed = "-" if trial.speed is None else f"{trial.speed:.2f}"
    console.print(
        f"pace {trial.pace:.2f} x real time over {trial.seconds:.0f} s (ffmpeg says {speed})\n"
        f"CPU seconds a second: ffmpeg {trial.ffmpeg.cpu:.2f}, packager {trial.packager.cpu:.2f}"
        f", all others {trial.others * trial.cores:.2f} (of {trial.cores})\n"
        f"memory at most: ffmpeg {trial.ffmpeg.memory >> 20} MiB,"
        f" packager {trial.packager.memory >> 20} MiB\n"
        f"frames {trial.frames}, dropped {trial.dropped}, duplicated {trial.duplicated};"
        f" renditions {'are' if trial.aligned else 'are NOT'} cut at the same instants",
        highlight=False,
    )
    colour = "green" if trial.holds else "red"
    console.print(trial.verdict, style=f"bold {colour}", highlight=False)


def _rate(rate: int) -> str:
    if not rate:
        return "-"
    return f"{rate / 1000:,.0f} k"


def _remarks(track: Rendition) -> str:
    remarks = [
        f"{count} {words}"
        for count, words in (
            (track.over, "over the buffer"),
            (track.missing, "missing"),
            (track.off_grid if track.kind is TrackKind.VIDEO else 0, "off the grid"),
        )
        if count
    ]
    return ", ".join(remarks)
