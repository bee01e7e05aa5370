"""`ringside replay`: recorded files packaged on a virtual clock, as fast as the machine allows.

The same files give the same bytes every time: tracks are taken in the order of their media times,
not of their arrival, and every instant that is written down comes from the virtual clock.
"""

import asyncio
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Self

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from packager.clock import ManualClock
from packager.cmaf.boxes import Buffer
from packager.cmaf.demuxer import Init
from packager.cmaf.run import Run
from packager.errors import FeedError, SetupError
from packager.ffmpeg.command import arguments, track_specs
from packager.latency import parts_of
from packager.layout import is_name
from packager.profile import EncodeLadder, Ladder
from packager.records import Ended
from packager.runtime import encoders
from packager.runtime.config_file import load_ladder
from packager.runtime.intake import Intake
from packager.runtime.journal_writer import JournalWriter
from packager.runtime.process import Child, TrackPipe, complaint, drained
from packager.runtime.publisher import Publisher
from packager.runtime.sources.recording import open_recording
from packager.runtime.still import write_manifests
from packager.source import FileSource
from packager.ticks import MICROS, UtcMicros, round_half_up
from packager.window import rolling

_MAX_HELD = 512 << 20
"""Bytes of demuxed media held while one track trails the others."""
_EVERYTHING = 1 << 62
"""Segments in the window of a replay."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to replay."""

    files: tuple[str, ...]
    channel: str
    start: UtcMicros
    """The instant that the media is put at: moved to the segment boundary at or before it."""
    out: Path
    ladder: str
    program: str
    """ffmpeg."""


@dataclass(slots=True)
class _Merge:
    """Puts the items of several tracks in the order of their media times."""

    deliver: Callable[[int, Init | Run], None]
    tracks: int
    queues: list[deque[Init | Run]] = field(init=False)
    timescales: list[int] = field(init=False)
    ended: list[bool] = field(init=False)
    held: int = 0
    """Bytes of media in the queues."""

    def __post_init__(self) -> None:
        """Start with nothing of any track."""
        self.queues = [deque() for _ in range(self.tracks)]
        self.timescales = [1] * self.tracks
        self.ended = [False] * self.tracks

    def put(self, track: int, items: Iterator[Init | Run]) -> None:
        for item in items:
            if isinstance(item, Init):
                self.timescales[track] = item.facts.timescale
            else:
                self.held += len(item.payload)
            self.queues[track].append(item)
        if self.held > _MAX_HELD:
            raise FeedError(f"one track trails the others by {_MAX_HELD >> 20} MiB")
        self._deliver()

    def end(self, track: int) -> None:
        self.ended[track] = True
        self._deliver()

    def _deliver(self) -> None:
        while all(queue or over for queue, over in zip(self.queues, self.ended, strict=True)):
            track = min(
                (track for track, queue in enumerate(self.queues) if queue),
                key=lambda track: (self.end_of(track), track),
                default=None,
            )
            if track is None:
                return
            item = self.queues[track].popleft()
            if isinstance(item, Run):
                self.held -= len(item.payload)
            self.deliver(track, item)

    def end_of(self, track: int) -> Fraction:
        """Seconds of source time at which the next item of a track is over."""
        item = self.queues[track][0]
        if isinstance(item, Init):
            return Fraction(-(1 << 40))
        return Fraction(item.start + item.duration, self.timescales[track])


@dataclass(slots=True)
class _Output:
    """Where a replay goes, and how far it is."""

    job: Job
    intake: Intake
    clock: ManualClock
    advance: Callable[[Fraction], None]
    timescales: dict[int, int] = field(default_factory=dict[int, int])

    def take(self, track: int, item: Init | Run) -> None:
        if isinstance(item, Init):
            self.timescales[track] = item.facts.timescale
        else:
            end = Fraction(item.start + item.duration, self.timescales[track])
            self.clock.advance_to(UtcMicros(self.job.start + round_half_up(end * MICROS)))
            self.advance(end)
        for broken in self.intake.take(track, item):
            structlog.get_logger().warning("timeline.broken", problem=broken.reason)


async def run(job: Job) -> None:
    """Replay, then write the HLS and DASH manifests beside the media.

    Raises:
        SetupError: the name or the folder cannot be used.
        ConfigError: the ladder cannot be used.
        FeedError: the files cannot be packaged.
    """
    ladder = load_ladder(job.ladder, Path(), "--ladder", "")
    encoders.check(job.program, [ladder])
    folder = _fresh_folder(job)
    try:
        await _package(job, ladder, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # or the next try would find it in its way
        raise


async def _package(job: Job, ladder: Ladder, folder: Path) -> None:
    source = FileSource(files=tuple(map(os.path.abspath, job.files)))
    encoded = isinstance(ladder, EncodeLadder)
    opened = await open_recording(source, folder, job.program, encoded=encoded)
    journal = JournalWriter(folder, job.channel, ladder.segment)
    publisher = Publisher(job.channel, folder, journal, makes_room=False)
    clock = ManualClock(job.start)
    specs = track_specs(ladder, opened.info)
    parts = parts_of(ladder, ladder.segment)
    intake = Intake(job.channel, specs, publisher, clock, encoded=encoded, parts=parts)
    with _Bar(opened.info.duration) as bar:
        output = _Output(job, intake, clock, bar.advance)
        merge = _Merge(output.take, len(specs))
        pipes = [TrackPipe(_taker(merge, intake, track)) for track in range(len(specs))]
        ends = [pipe.write_end for pipe in pipes]
        command = arguments(opened.feed, ladder, ladder.segment, opened.info, ends, real_time=False)
        await _run_to_the_end([job.program, *command], pipes)
    intake.finish()
    journal.append([Ended(clock.now())])
    journal.close()
    window = rolling(publisher.timeline, _EVERYTHING)
    if window is None:
        raise FeedError("nothing in the files could be packaged")
    write_manifests(window, folder)


def _fresh_folder(job: Job) -> Path:
    if not is_name(job.channel):
        raise SetupError(f"--channel {job.channel}: at most 32 of a-z, 0-9, - and _")
    for file in job.files:
        if not Path(file).is_file():
            raise SetupError(f"{file}: no such file")
    folder = job.out / job.channel
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise SetupError(f"{folder} exists: a replay starts with nothing") from None
    except OSError as error:
        raise SetupError(f"{folder}: {error.strerror}") from error
    return folder


def _taker(merge: _Merge, intake: Intake, track: int) -> Callable[[Buffer], None]:
    def take(data: Buffer) -> None:
        if data:
            merge.put(track, intake.demux(track, data))
        else:
            merge.end(track)

    return take


class _Bar:
    """A progress bar in seconds of media."""

    def __init__(self, total: Fraction | None) -> None:
        columns = (
            TextColumn("replay"),
            BarColumn(),
            TextColumn("{task.completed:.1f} s of media"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(
            "replay", total=None if total is None else float(total)
        )

    def advance(self, media: Fraction) -> None:
        """Show that `media` seconds are done."""
        self._progress.update(self._task, completed=float(media))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


async def _run_to_the_end(command: list[str], pipes: list[TrackPipe]) -> None:
    async with Child(command, pipes) as child:
        said = asyncio.create_task(complaint(child.process.stderr))
        quiet = asyncio.create_task(drained(child.process.stdout))
        await asyncio.gather(*(pipe.done for pipe in pipes))
        code = await child.process.wait()
        await quiet
        reason = await said or f"exit code {code}"
    if code:
        raise FeedError(f"ffmpeg: {reason}")
