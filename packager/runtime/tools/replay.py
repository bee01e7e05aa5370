"""Packages recorded files on a virtual clock, as fast as the machine allows.

The same files give the same bytes each time. Tracks are merged in the order of their media times,
not of their arrival. Every recorded instant is read from the virtual clock.
"""

import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

import structlog

from packager.cmaf.boxes import Buffer
from packager.cmaf.demuxer import Init
from packager.cmaf.samples import SampleRun
from packager.config.ladder import Ladder, may_copy
from packager.config.parts import parts_of
from packager.config.sources import FileSource
from packager.errors import FeedError, SetupError
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import Pace
from packager.ffmpeg.tracks import track_specs
from packager.host.ladder_files import load_ladder
from packager.layout import is_name
from packager.manifest.window import rolling
from packager.runtime.channel.pipeline import Pipeline, PipelineInput
from packager.runtime.ffmpeg import encoder_check
from packager.runtime.ffmpeg.session import FfmpegSession, SessionOutputs
from packager.runtime.inputs.files import open_recording
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.runtime.storage.static_manifests import write_manifests
from packager.runtime.tools.progress import MEDIA, bar
from packager.timeline.records import SourceEnded
from packager.timing.clock import ManualClock
from packager.timing.ticks import MICROS, UtcMicros, round_half_up

_MAX_QUEUED = 512 << 20
"""Bytes of demuxed media that wait while one track is behind the others."""
_ALL_SEGMENTS = 1 << 62
"""Depth of the window of a replay."""


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """The files to replay."""

    files: tuple[str, ...]
    channel: str
    start: UtcMicros
    """UTC of the media's start; moved to the segment boundary at or before it."""
    out: Path
    ladder: str
    program: str
    """Path of ffmpeg."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """The folder with media and manifests, and the seconds of media in it."""

    folder: Path
    seconds: float


@dataclass(slots=True)
class _Merge:
    """Puts the items of several tracks in the order of their media times."""

    deliver: Callable[[int, Init | SampleRun], None]
    tracks: int
    queues: list[deque[Init | SampleRun]] = field(init=False)
    timescales: list[int] = field(init=False)
    ended: list[bool] = field(init=False)
    queued: int = 0
    """Bytes of media in the queues."""

    def __post_init__(self) -> None:
        """Make an empty queue for each track."""
        self.queues = [deque() for _ in range(self.tracks)]
        self.timescales = [1] * self.tracks
        self.ended = [False] * self.tracks

    def put(self, track: int, items: Iterator[Init | SampleRun]) -> None:
        for item in items:
            if isinstance(item, Init):
                self.timescales[track] = item.facts.timescale
            else:
                self.queued += len(item.payload)
            self.queues[track].append(item)
        if self.queued > _MAX_QUEUED:
            raise FeedError(f"one track is {_MAX_QUEUED >> 20} MiB behind the others")
        self._deliver()

    def end(self, track: int) -> None:
        self.ended[track] = True
        self._deliver()

    def _deliver(self) -> None:
        while all(queue or ended for queue, ended in zip(self.queues, self.ended, strict=True)):
            track = min(
                (track for track, queue in enumerate(self.queues) if queue),
                key=lambda track: (self.end_of(track), track),
                default=None,
            )
            if track is None:
                return
            item = self.queues[track].popleft()
            if isinstance(item, SampleRun):
                self.queued -= len(item.payload)
            self.deliver(track, item)

    def end_of(self, track: int) -> Fraction:
        """Seconds of source time at which the next item of a track ends."""
        item = self.queues[track][0]
        if isinstance(item, Init):
            return Fraction(-(1 << 40))
        return Fraction(item.start + item.duration, self.timescales[track])


@dataclass(slots=True)
class _Output:
    """Publishes the merged items and advances the virtual clock."""

    start: UtcMicros
    pipeline: Pipeline
    clock: ManualClock
    advance: Callable[[float], None]
    """Takes the seconds of media that are done."""
    timescales: dict[int, int] = field(default_factory=dict[int, int])

    def take(self, track: int, item: Init | SampleRun) -> None:
        if isinstance(item, Init):
            self.timescales[track] = item.facts.timescale
        else:
            end = Fraction(item.start + item.duration, self.timescales[track])
            self.clock.advance_to(UtcMicros(self.start + round_half_up(end * MICROS)))
            self.advance(float(end))
        for broken in self.pipeline.take(track, item):
            structlog.get_logger().warning("timeline.broken", problem=broken.reason)


async def run(job: ReplayJob) -> ReplayResult:
    """Package the files, and write HLS and DASH manifests beside the media.

    Raises:
        SetupError: the name or the folder cannot be used.
        ConfigError: the ladder cannot be used.
        FeedError: the files cannot be packaged.
    """
    ladder = load_ladder(job.ladder, Path(), "--ladder")
    encoder_check.check(job.program, [ladder])
    folder = _new_folder(job)
    try:
        return ReplayResult(folder, await _package(job, ladder, folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # so that a repetition finds no folder
        raise


async def _package(job: ReplayJob, ladder: Ladder, folder: Path) -> float:
    """Package the files into `folder`; return the seconds of media."""
    source = FileSource(files=tuple(map(os.path.abspath, job.files)))
    encoded = not may_copy(ladder)
    opened = await open_recording(source, folder, job.program, encoded=encoded)
    journal = JournalWriter(folder, job.channel, ladder.segment)
    publisher = Publisher(job.channel, folder, journal, makes_room=False)
    clock = ManualClock(job.start)
    specs = track_specs(ladder, opened.info)
    parts = parts_of(ladder, ladder.segment)
    media = PipelineInput(specs, parts=parts)
    pipeline = Pipeline(job.channel, media, publisher, clock)
    duration = opened.info.duration
    with bar("replay", None if duration is None else float(duration), MEDIA) as advance:
        merge = _Merge(_Output(job.start, pipeline, clock, advance).take, len(specs))

        def command(ends: Sequence[int]) -> list[str]:
            words = arguments(
                opened.feed, ladder, ladder.segment, opened.info, ends, pace=Pace.UNLIMITED
            )
            return [job.program, *words]

        outputs = SessionOutputs(on_bytes=partial(_take, merge, pipeline))
        await _run_to_end(FfmpegSession(command, len(specs), outputs))
    pipeline.finish()
    journal.append([SourceEnded(clock.now())])
    journal.close()
    window = rolling(publisher.timeline, _ALL_SEGMENTS)
    if window is None:
        raise FeedError("the files have no media that can be packaged")
    write_manifests(window, folder)
    return (window.end - window.begin) / MICROS


def _take(merge: _Merge, pipeline: Pipeline, track: int, data: Buffer) -> None:
    """Take bytes of a track from its pipe; no bytes are its end."""
    if data:
        merge.put(track, pipeline.demux(track, data))
    else:
        merge.end(track)


def _new_folder(job: ReplayJob) -> Path:
    if not is_name(job.channel):
        raise SetupError(f"--channel {job.channel}: at most 32 of a-z, 0-9, - and _")
    for file in job.files:
        if not Path(file).is_file():
            raise SetupError(f"{file}: no such file")
    folder = job.out / job.channel
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise SetupError(f"{folder} exists: remove it, or name another folder") from None
    except OSError as error:
        raise SetupError(f"{folder}: {error.strerror}") from error
    return folder


async def _run_to_end(session: FfmpegSession) -> None:
    async with session:
        code = await session.ended()
    if code:
        raise FeedError(session.reason(code))
