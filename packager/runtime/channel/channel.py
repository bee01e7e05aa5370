"""One channel: its journal, its sources, and the restarts of what publishes them.

    state                          event                                    next
    starting                       media is published                       live, degraded or filler
    starting, waiting              no source is healthy                     waiting
    live, degraded, filler         another source goes on air               live, degraded or filler
    starting, live, ...            a run fails                              backing-off
    backing-off                    the wait is over                         starting
    starting, live, degraded       a source that is played once has ended   ended
    any                            cancelled, or the journal is unusable    stopped

`channel.state_changed` logs each change, and the status file has the current state.
"""

import asyncio
from pathlib import Path
from typing import Protocol

from packager.config.schema.channel import ChannelConfig
from packager.config.sources import (
    CmafSource,
    Fed,
    FileSource,
    PatternSource,
    described,
)
from packager.diagnostics.status import ChannelState, ChannelStatus
from packager.errors import JournalError, RingsideError
from packager.feed.advice import facts_of
from packager.ffmpeg.tracks import COPYABLE
from packager.journal.missing_media import summary
from packager.runtime.channel.direct_run import DirectRun
from packager.runtime.channel.encoder_run import Outcome, RunFailed, first_reason
from packager.runtime.channel.event_book import EventBook
from packager.runtime.channel.failover import Direct, SourceFailover
from packager.runtime.channel.failover_run import FailoverRun
from packager.runtime.channel.live_source import LiveSource
from packager.runtime.channel.maintenance import StorageMaintenance
from packager.runtime.channel.program import ChannelContext
from packager.runtime.channel.pushed_ladder import PushedLadderRun
from packager.runtime.channel.reporter import FfmpegWarnings, StatusReporter
from packager.runtime.ffmpeg.local import LocalFfmpeg
from packager.runtime.ingest.cmaf_push import CmafKeys
from packager.runtime.ingest.receiver import Receiver
from packager.runtime.storage.fsync_queue import FsyncQueue
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.runtime.telemetry import metrics
from packager.timing.backoff import Backoff
from packager.timing.clock import Clock, monotonic

_SHORTEST_WAIT = 0.25
_LONGEST_WAIT = 15.0
"""Seconds between two runs; the wait doubles with each failure in a row."""
_HEALTHY = 20.0
"""Seconds that a run lasts before its failure counts as the first one again."""


class IngestListeners(Protocol):
    """The ports that encoders connect to, and the connections that the packager makes."""

    @property
    def cmaf(self) -> CmafKeys:
        """The keys of encoders that push CMAF."""
        ...

    def receiver_for(self, source: Fed) -> Receiver:
        """The receiver of a source."""
        ...


class ChannelRun(Protocol):
    """Publishes a channel's media."""

    async def run(self, publisher: Publisher) -> Outcome:
        """Publish until the source ends or a run fails.

        Raises:
            RingsideError: the source cannot be opened, or media could not be published.
        """
        ...


class Channel:
    """Keeps one channel running."""

    def __init__(
        self,
        config: ChannelConfig,
        data: Path,
        ffmpeg: LocalFfmpeg,
        clock: Clock,
        ingest: IngestListeners | None,
    ) -> None:
        """Publish `config` below `data`; `ingest` is None if no source needs it."""
        metrics.begin(config.name)
        self._config = config
        self._folder = data / config.name
        self._clock = clock
        status = ChannelStatus(
            state=ChannelState.STARTING,
            since=clock.now(),
            source=described(config.sources[0]),
            ladder=config.ladder_name,
        )
        self._reporter = reporter = StatusReporter(config.name, self._folder, status, clock)
        self._log = reporter.log
        self._maintenance = StorageMaintenance(config, reporter)
        self._context = ChannelContext(
            config=config,
            folder=self._folder,
            ffmpeg=ffmpeg,
            clock=clock,
            reporter=reporter,
            maintenance=self._maintenance,
            warnings=FfmpegWarnings(config.name, reporter),
        )
        self.events = EventBook(config, reporter, clock)
        """Takes orders for events."""
        self._failover = _failover(config, ffmpeg.path, ingest)
        self._channel_run = _channel_run(self._context, self._failover, ingest)

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            DiskError: the channel's journal or store cannot be used.
        """
        try:
            journal = JournalWriter(self._folder, self._config.name, self._config.segment)
        except JournalError as error:
            self._reporter.set_state(ChannelState.STOPPED, problem=str(error))
            raise
        flusher = FsyncQueue(self._config.name)
        try:
            publisher = self._recovered(journal, flusher)
            self._reporter.use_reserve(journal.give_up_reserve)
            self.events.open(publisher)
            await self._publish(publisher)
        finally:
            self.events.close()
            self._reporter.use_reserve(None)
            if self._reporter.status.state is not ChannelState.ENDED:
                self._reporter.set_state(ChannelState.STOPPED)
            journal.close()
            await asyncio.to_thread(flusher.close)

    def _recovered(self, journal: JournalWriter, flusher: FsyncQueue) -> Publisher:
        """A publisher whose journal and store agree, after a crash or a power loss too.

        Raises:
            DiskError: the store cannot be read, or the loss cannot be written down.
        """
        if journal.set_aside is not None:
            problem = (
                f"damaged: {journal.cut_off} bytes are ignored; the whole file is at "
                f"{journal.set_aside}"
            )
            self._reporter.report_problem("journal.damage_found", problem)
        elif journal.cut_off:
            self._log.warning("journal.repaired", dropped_bytes=journal.cut_off)
        publisher = Publisher(
            self._config.name, self._folder, journal, makes_room=True, flush=flusher.flush
        )
        if missing := publisher.missing_inits():
            # The source sends the same init sections again.
            problem = f"init sections are not whole: {', '.join(missing)}"
            self._reporter.report_problem("store.lost", problem)
        if lost := publisher.record_losses():
            self._reporter.report_problem("store.lost", summary(lost))
        # Media that only a damaged journal names stays as long as that file does.
        if not journal.damaged.exists() and (strays := publisher.sweep()):
            self._log.info("store.swept", files=strays)
        return publisher

    async def _publish(self, publisher: Publisher) -> None:
        """Keep publishing, and receive all live sources meanwhile."""
        tasks = [asyncio.create_task(self._keep_running(publisher))]
        if self._failover is not None:
            tasks.append(asyncio.create_task(self._failover.run()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _keep_running(self, publisher: Publisher) -> None:
        """Start the run again whenever it fails.

        Raises:
            JournalError: another program has changed or removed the journal.
        """
        backoff = Backoff(_SHORTEST_WAIT, _LONGEST_WAIT, healthy=_HEALTHY)
        while True:
            started = monotonic()
            publisher.journal.check_in_place()
            problem = await self._attempt(publisher)
            wait = backoff.after(monotonic() - started)
            self._log.error("channel.failed", problem=problem, retry_seconds=wait)
            restarts = self._reporter.status.restarts + 1
            self._reporter.set_state(ChannelState.BACKING_OFF, problem=problem, restarts=restarts)
            metrics.RESTARTS.labels(self._config.name).inc()
            await asyncio.sleep(wait)

    async def _attempt(self, publisher: Publisher) -> str:
        """Run until a failure; returns its reason. A source that has ended is maintained."""
        problem = ""
        try:
            self._maintenance.trim(publisher)
            publisher.end_open_segments(self._clock.now())
            outcome = await self._channel_run.run(publisher)
            if isinstance(outcome, RunFailed):
                return outcome.reason
            self._reporter.set_state(ChannelState.ENDED)
            await self._maintenance.run(publisher)
        except* RingsideError as group:
            problem = first_reason(group)
        return problem


def _failover(
    config: ChannelConfig, ffmpeg: str, ingest: IngestListeners | None
) -> SourceFailover | None:
    """The sources to choose among; None if ffmpeg reads the only one, or encoders push a ladder."""
    sources: list[LiveSource | Direct] = []
    for source in config.sources:
        match source:
            case PatternSource() | FileSource():
                sources.append(source)
            case CmafSource():
                return None
            case _:
                facts = facts_of(config.ladder, config.segment, frozenset(COPYABLE))
                receiver = _needed(ingest).receiver_for(source)
                sources.append(
                    LiveSource(source, receiver, config.loss, facts, ffmpeg, config.name)
                )
    if len(sources) == 1 and not isinstance(sources[0], LiveSource):
        return None
    return SourceFailover(sources, config.loss)


def _channel_run(
    context: ChannelContext, failover: SourceFailover | None, ingest: IngestListeners | None
) -> ChannelRun:
    if failover is not None:
        return FailoverRun(context, failover)
    first = context.config.sources[0]
    if isinstance(first, CmafSource):
        return PushedLadderRun(context, first, _needed(ingest).cmaf)
    return DirectRun(context, first)


def _needed(ingest: IngestListeners | None) -> IngestListeners:
    if ingest is None:
        raise AssertionError("a source of this type has listeners")
    return ingest
