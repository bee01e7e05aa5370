"""Runs a ladder on this machine for some seconds, as a channel would, and measures it."""

import asyncio
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from packager.cmaf.boxes import Buffer
from packager.cmaf.demuxer import Init
from packager.config.ladder import EncodeLadder, Ladder, may_copy
from packager.config.sources import FileSource, PatternSource, described
from packager.diagnostics.ladder_trial import (
    SETTLES,
    MediaArrival,
    ProcessUsage,
    TrialMeasurement,
    TrialResult,
    judge,
)
from packager.errors import FeedError, SetupError
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import Pace
from packager.ffmpeg.progress import Progress
from packager.ffmpeg.tracks import track_specs
from packager.host.ladder_files import load_ladder
from packager.runtime.channel.pipeline import Pipeline, PipelineInput
from packager.runtime.ffmpeg import encoder_check
from packager.runtime.ffmpeg.session import FfmpegSession, SessionOutputs
from packager.runtime.inputs.files import open_recording
from packager.runtime.inputs.opened import OpenedInput
from packager.runtime.inputs.pattern import open_pattern
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.runtime.tools.process_usage import CpuReading, peak_memory
from packager.runtime.tools.progress import MEDIA, bar
from packager.timeline.model import Timeline
from packager.timing.clock import SystemClock, monotonic
from packager.track import TrackKind, TrackSpec

_CHANNEL = "trial"
_POLL = 0.1
"""Seconds between two checks of the progress."""
_FEWEST_SEGMENTS = 3
"""Shortest trial in segments: some are complete after the start."""
_LONGEST = 600
"""Seconds of media."""
_START_TIMEOUT = 15.0
"""Seconds for the first media."""


@dataclass(frozen=True, slots=True)
class TrialJob:
    """The ladder to try."""

    ladder: str
    source: str | None
    """A file, which is looped; None for the test pattern."""
    seconds: int
    """Seconds of media."""
    program: str
    """Path of ffmpeg."""


@dataclass(frozen=True, slots=True)
class _Setup:
    """A ladder and its source, ready for ffmpeg."""

    program: str
    ladder: Ladder
    source: str
    """Name of the source."""
    opened: OpenedInput
    folder: Path


@dataclass(slots=True)
class _Run:
    """The output of a running trial so far."""

    specs: tuple[TrackSpec, ...]
    pipeline: Pipeline
    publisher: Publisher
    arrivals: dict[str, list[MediaArrival]] = field(default_factory=dict[str, list[MediaArrival]])
    timescales: dict[int, int] = field(default_factory=dict[int, int])
    problems: list[str] = field(default_factory=list[str])
    progress: Progress = field(default_factory=lambda: Progress(0, None, 0, 0))

    def take(self, track: int, data: Buffer) -> None:
        """Publish the bytes of a track."""
        for item in self.pipeline.demux(track, data):
            if isinstance(item, Init):
                self.timescales[track] = item.facts.timescale
            else:
                end = Fraction(item.start + item.duration, self.timescales[track])
                arrivals = self.arrivals.setdefault(self.specs[track].id, [])
                arrivals.append(MediaArrival(monotonic(), end))
            self.problems += [broken.reason for broken in self.pipeline.take(track, item)]

    @property
    def videos(self) -> list[str]:
        """Tracks of video renditions."""
        return [spec.id for spec in self.specs if spec.kind is TrackKind.VIDEO]

    @property
    def media(self) -> float:
        """Seconds of media in the video rendition that has the least."""
        spans = [
            self.arrivals[track][-1].media - self.arrivals[track][0].media
            if track in self.arrivals
            else Fraction(0)
            for track in self.videos
        ]
        return float(min(spans, default=Fraction(0)))

    def keep_progress(self, progress: Progress) -> None:
        # The last block, which ffmpeg writes as it ends, has no speed.
        if progress.speed is not None:
            self.progress = progress


@dataclass(frozen=True, slots=True)
class _Observation:
    """The state at the end of a trial, before ffmpeg is ended: its last output is no result."""

    before: CpuReading
    after: CpuReading
    ffmpeg_memory: int
    timeline: Timeline
    arrivals: dict[str, list[MediaArrival]]


async def run(job: TrialJob) -> TrialResult:
    """Run the ladder and judge it.

    Raises:
        ConfigError: the ladder cannot be used.
        SetupError: the machine or the source cannot be used.
        FeedError: ffmpeg failed.
    """
    ladder = load_ladder(job.ladder, Path(), "PROFILE")
    encoder_check.check(job.program, [ladder])
    least = -(-_FEWEST_SEGMENTS * ladder.segment // 1) + int(SETTLES)
    if not least <= job.seconds <= _LONGEST:
        raise SetupError(
            f"--seconds {job.seconds}: not between {least} and {_LONGEST} for this ladder"
        )
    with TemporaryDirectory(prefix="ringside-ladder-") as temporary:
        return judge(await _measure(await _open(job, ladder, Path(temporary)), job.seconds))


def _looped_file(path: str) -> FileSource:
    if not Path(path).is_file():
        raise SetupError(f"{path}: no such file")
    return FileSource(files=(os.path.abspath(path),), loop=True)  # noqa: PTH100 - links stay


async def _open(job: TrialJob, ladder: Ladder, folder: Path) -> _Setup:
    if job.source is not None:
        file = _looped_file(job.source)
        encoded = not may_copy(ladder)
        opened = await open_recording(file, folder, job.program, encoded=encoded)
        return _Setup(job.program, ladder, described(file), opened, folder)
    if not isinstance(ladder, EncodeLadder):
        raise SetupError("a ladder that copies needs a source: name a file with --source")
    largest = max(ladder.video, key=lambda rendition: rendition.width * rendition.height)
    pattern = PatternSource(width=largest.width, height=largest.height)
    opened = open_pattern(pattern, ladder.frame_rate)
    return _Setup(job.program, ladder, described(pattern), opened, folder)


async def _measure(setup: _Setup, seconds: int) -> TrialMeasurement:
    started = monotonic()
    with _new_run(setup) as run_:
        seen = await _observe(setup, run_, seconds)
    lasted = seen.after.at - seen.before.at
    busy, idle = seen.after.busy - seen.before.busy, seen.after.idle - seen.before.idle
    return TrialMeasurement(
        ladder=setup.ladder,
        source=setup.source,
        timeline=seen.timeline,
        arrivals=seen.arrivals,
        progress=run_.progress,
        seconds=seen.after.at - started,
        cores=len(os.sched_getaffinity(0)),
        ffmpeg=ProcessUsage(
            cpu=round((seen.after.ffmpeg - seen.before.ffmpeg) / lasted, 3),
            memory=seen.ffmpeg_memory,
        ),
        packager=ProcessUsage(
            cpu=round((seen.after.packager - seen.before.packager) / lasted, 3),
            memory=peak_memory(os.getpid()),
        ),
        busy=busy / (busy + idle) if busy + idle else 0.0,
        problems=tuple(run_.problems),
    )


@contextmanager
def _new_run(setup: _Setup) -> Generator[_Run]:
    folder = setup.folder / _CHANNEL
    journal = JournalWriter(folder, _CHANNEL, setup.ladder.segment)
    publisher = Publisher(_CHANNEL, folder, journal, makes_room=False)
    specs = track_specs(setup.ladder, setup.opened.info)
    media = PipelineInput(specs)
    pipeline = Pipeline(_CHANNEL, media, publisher, SystemClock())
    try:
        yield _Run(specs, pipeline, publisher)
    finally:
        pipeline.finish()
        journal.close()


async def _observe(setup: _Setup, run_: _Run, seconds: int) -> _Observation:
    """Run ffmpeg for `seconds` of media."""

    def command(ends: Sequence[int]) -> list[str]:
        opened, ladder = setup.opened, setup.ladder
        words = arguments(
            opened.feed, ladder, ladder.segment, opened.info, ends, pace=Pace.REAL_TIME
        )
        return [setup.program, *words]

    outputs = SessionOutputs(on_bytes=run_.take, on_progress=run_.keep_progress)
    async with FfmpegSession(command, len(run_.specs), outputs) as session:
        before = await _wait_for_start(run_, session)
        await _wait_for_media(run_, session, seconds)
        return _Observation(
            before,
            CpuReading.of(session.pid),
            peak_memory(session.pid),
            run_.publisher.timeline,
            {track: list(arrivals) for track, arrivals in run_.arrivals.items()},
        )


async def _wait_for_start(run_: _Run, session: FfmpegSession) -> CpuReading:
    """Wait until every video rendition has media; return the CPU time up to then."""
    end = monotonic() + _START_TIMEOUT
    while not set(run_.videos) <= run_.arrivals.keys():
        await session.check_running()
        if monotonic() > end:
            raise FeedError(f"no media within {_START_TIMEOUT:.0f} s")
        await asyncio.sleep(_POLL)
    return CpuReading.of(session.pid)


async def _wait_for_media(run_: _Run, session: FfmpegSession, seconds: int) -> None:
    """Wait for `seconds` of media, at most for twice that time."""
    end = monotonic() + 2 * seconds
    with bar("trying", float(seconds), MEDIA) as advance:
        while run_.media < seconds and monotonic() < end:
            await session.check_running()
            advance(run_.media)
            await asyncio.sleep(_POLL)
