"""One run of a channel's ffmpeg, from its start to an outcome.

    phase     event                                                next
    RUNNING   leave_after(segment)                                 LEAVING
    RUNNING   leave_at_once()                                      LEFT
    LEAVING   the tracks have ended that segment, or time is up    LEFT
    any       ffmpeg ends, or the run fails                        an outcome

The outcome is one of `RunLeft`, `RunDisconnected`, `RunEnded` and `RunFailed`.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

from packager.cmaf.boxes import Buffer
from packager.config.parts import parts_of
from packager.diagnostics.status import ChannelState
from packager.errors import DiskError, FeedError, MediaError
from packager.ffmpeg.command import arguments
from packager.ffmpeg.probe import SILENCE
from packager.ffmpeg.progress import Progress
from packager.ffmpeg.tracks import track_specs
from packager.runtime.channel.maintenance import HOUSEKEEPING
from packager.runtime.channel.pipeline import Pipeline, PipelineInput
from packager.runtime.channel.program import ChannelContext, OnAirSource
from packager.runtime.ffmpeg.session import FfmpegSession, SessionOutputs
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe
from packager.runtime.storage.publisher import Publisher
from packager.runtime.telemetry import metrics
from packager.timing.clock import monotonic
from packager.timing.media_watch import MediaWatch
from packager.timing.ticks import MICROS, UtcMicros

STALL_SEGMENTS = 3
"""Segment durations without a byte after which ffmpeg counts as dead. Another ffmpeg must run
before the live edge is stale."""
_SLOW_START = 15.0
"""Seconds that ffmpeg may take to its first bytes."""
_LATE_SEGMENTS = 4
"""Segment durations that media may be behind the clock. Further back the live edge would be stale,
and ffmpeg catches up with little of a delay."""
_FLUSH = 0.5
"""Seconds for ffmpeg to send its last media when another source is to go on air."""


class RunPhase(Enum):
    """See the table of this module."""

    RUNNING = "running"
    LEAVING = "leaving"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class RunLeft:
    """The run ended for the next choice of a source: on order, or its feed has moved on."""

    last_arrival: UtcMicros | None
    """When the end of the newest published video arrived."""


@dataclass(frozen=True, slots=True)
class RunDisconnected:
    """The encoder's connection ended."""

    last_arrival: UtcMicros | None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """ffmpeg read its source to the end."""

    last_arrival: UtcMicros | None


@dataclass(frozen=True, slots=True)
class RunFailed:
    """ffmpeg failed, stalled or was too slow, or its output could not be packaged."""

    reason: str
    has_media: bool
    """Whether any media was published before."""


Outcome = RunLeft | RunDisconnected | RunEnded | RunFailed


class EncoderRun:
    """Publishes what one ffmpeg makes of the source that is on air."""

    def __init__(
        self,
        context: ChannelContext,
        source: OnAirSource,
        publisher: Publisher,
        note_sources: Callable[[], None] = lambda: None,
        on_media: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `note_sources` to update the sources in the status before that is written.

        Call `on_media` whenever media is published.
        """
        self._context = context
        self._on_media = on_media
        self._source = source
        self._publisher = publisher
        self._note_sources = note_sources
        media = _pipeline_input(context, source)
        self._pipeline = Pipeline(context.config.name, media, publisher, context.clock)
        self._stdin = None if source.feed is None else StdinPipe()
        outputs = SessionOutputs(
            on_bytes=self._take, on_message=context.warnings.note, on_progress=self._note_progress
        )
        tracks = len(media.specs)
        self._session = FfmpegSession(self._command, tracks, outputs, stdin=self._stdin)
        self._started = asyncio.Event()
        self._phase = RunPhase.RUNNING
        self._has_left = asyncio.Event()
        self._watch = MediaWatch(context.config.segment, monotonic())
        self._counted_drops = 0
        self._changes = 0 if source.feed is None else source.feed.changes
        self._is_too_late = False
        """Whether the feed has gone on while ffmpeg started, and its first keyframe is gone."""

    def _command(self, write_ends: Sequence[int]) -> list[str]:
        opened = self._source.opened
        words = arguments(
            opened.feed,
            self._source.ladder,
            self._context.config.segment,
            opened.info,
            write_ends,
            pace=self._context.ffmpeg.pace,
        )
        return [self._context.ffmpeg.path, *words]

    async def run(self) -> Outcome:
        """Run ffmpeg to its end.

        Raises:
            DiskError: its media could not be published.
        """
        failure, code = "", 0
        try:
            async with self._session, asyncio.TaskGroup() as tasks:
                self._start_feeding()
                housekeeping = tasks.create_task(self._keep_house())
                code = await self._session.ended()
                housekeeping.cancel()
        except* (FeedError, MediaError) as group:
            failure = first_reason(group)
        finally:
            self._finish()
        return self._outcome(failure, code)

    def _start_feeding(self) -> None:
        reporter = self._context.reporter
        if all(audio.index == SILENCE for audio in self._source.opened.info.audio):
            reporter.report_problem("source.silence_added", "the feed has no audio")
        reporter.log.info("ffmpeg.started", pid=self._session.pid)
        if self._source.feed is not None and self._stdin is not None:
            self._is_too_late = not self._source.feed.attach(self._stdin, self._source.first_byte)
        self._started.set()

    def _finish(self) -> None:
        if self._source.feed is not None:
            self._source.feed.detach()
        try:
            self._pipeline.finish()
        except DiskError as error:
            self._context.reporter.report_problem("publish.failed", str(error))
        self._publisher.count()

    def _outcome(self, failure: str, code: int) -> Outcome:
        feed, has_media = self._source.feed, self._pipeline.is_anchored
        last_arrival = self._pipeline.last_arrival
        if failure:
            return RunFailed(failure, has_media)
        has_changed = self._has_changed and not code
        if self._phase is RunPhase.LEFT or self._is_too_late or has_changed:
            return RunLeft(last_arrival)
        if feed is not None and not feed.is_connected:
            return RunDisconnected(last_arrival)
        if code:
            return RunFailed(self._session.reason(code), has_media)
        if not has_media:
            reason = self._session.complaint or "the feed ended without a video frame"
            return RunFailed(reason, has_media)
        return RunEnded(last_arrival)

    @property
    def _has_changed(self) -> bool:
        """Whether streams of the feed have changed, so that another run has to follow."""
        feed = self._source.feed
        return feed is not None and feed.changes != self._changes

    # Leaving the air

    async def leave_after(self, segment: int) -> None:
        """End once all tracks have ended this segment, or after two segment durations."""
        await self._started.wait()
        self._phase = RunPhase.LEAVING
        self._pipeline.leave_after(segment)
        if not self._pipeline.has_left:
            with suppress(TimeoutError):
                async with asyncio.timeout(float(2 * self._context.config.segment)):
                    await self._has_left.wait()
        self._phase = RunPhase.LEFT
        self._session.kill()

    async def leave_at_once(self) -> None:
        """End with the media that ffmpeg has received."""
        await self._started.wait()
        self._phase = RunPhase.LEFT
        if self._source.feed is not None:
            self._source.feed.detach()
        await self._session.end_within(_FLUSH)

    # ffmpeg's outputs

    def _take(self, track: int, data: Buffer) -> None:
        now = monotonic()
        self._watch.arrived(now)
        for end in self._pipeline.feed(track, data):
            self._context.reporter.report_problem("timeline.broken", end.reason)
        self._watch.reached(self._pipeline.last_arrival, now)
        if self._pipeline.is_anchored:
            self._on_media()
        if self._pipeline.has_left:
            self._has_left.set()

    def _note_progress(self, progress: Progress) -> None:
        if progress.speed is not None:
            metrics.SPEED.labels(self._context.config.name).set(progress.speed)
        self._context.reporter.note(
            speed=progress.speed,
            frames=progress.frames,
            dropped=progress.dropped,
            duplicated=progress.duplicated,
        )

    async def _keep_house(self) -> NoReturn:
        """Watch the run and the stored media.

        Raises:
            FeedError: no media arrives, or media is too late.
            JournalError: another program has changed or removed the journal.
        """
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            self._check_alive()
            self._context.maintenance.check(self._publisher)
            self._note_sources()
            self._check_pace()
            if self._pipeline.is_anchored:
                self._report_state()

    def _check_alive(self) -> None:
        """Raises FeedError if ffmpeg stalls, or reads slower than the feed arrives."""
        segment = self._context.config.segment
        longest = float(STALL_SEGMENTS * segment) if self._pipeline.is_anchored else _SLOW_START
        if (silent := self._watch.silent(monotonic())) > longest:
            raise FeedError(f"no media for {silent:.0f} s")
        if self._stdin is not None and self._stdin.overrun:
            raise FeedError("ffmpeg reads the feed slower than it arrives")

    def _check_pace(self) -> None:
        """Count and measure the media.

        Raises:
            FeedError: it is too far behind the clock.
            JournalError: the record of a period's end could not be written.
        """
        pipeline, config = self._pipeline, self._context.config
        metrics.DROPPED_RUNS.labels(config.name).inc(pipeline.dropped - self._counted_drops)
        self._counted_drops = pipeline.dropped
        self._publisher.count()
        if pipeline.lag is not None and pipeline.anchor_lag is not None:
            self._measure(pipeline.lag, pipeline.lag - pipeline.anchor_lag)
        if (lag := pipeline.lag or 0) > _LATE_SEGMENTS * config.segment * MICROS:
            raise FeedError(f"too slow: media trails the clock by {lag / MICROS:.1f} s")
        for end in pipeline.keep_pace():
            self._context.reporter.report_problem("timeline.broken", end.reason)

    def _measure(self, lag: int, drift: int) -> None:
        name, rate = self._context.config.name, self._pipeline.clock_rate
        metrics.LAG_SECONDS.labels(name).set(lag / MICROS)
        metrics.DRIFT_SECONDS.labels(name).set(drift / MICROS)
        metrics.TIME_CORRECTION.labels(name).set(rate / 1_000_000)
        self._context.reporter.note(lag_ms=lag // 1000, drift_ms=drift // 1000, clock_ppm=rate)

    def _report_state(self) -> None:
        reporter = self._context.reporter
        if self._source.is_filler:
            reporter.set_state(ChannelState.FILLER)
            return
        overdue = self._watch.problem(monotonic())
        if overdue and reporter.status.state is not ChannelState.DEGRADED:
            reporter.report_problem("media.delayed", overdue)
        is_degraded = overdue or self._context.maintenance.is_short_of_room
        reporter.set_state(ChannelState.DEGRADED if is_degraded else ChannelState.LIVE)


def _pipeline_input(context: ChannelContext, source: OnAirSource) -> PipelineInput:
    config = context.config
    return PipelineInput(
        specs=track_specs(source.ladder, source.opened.info),
        first_arrival=source.first_visible,
        began_at=context.clock.now() if source.feed is None else None,
        is_filler=source.is_filler,
        parts=parts_of(source.ladder, config.segment),
    )


def first_reason(group: BaseExceptionGroup[Exception]) -> str:
    """The text of the first error in a group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
