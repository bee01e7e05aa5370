"""A channel that switches among sources: the best one is on air, or the filler.

    on air          condition                                       next
    nothing         no source is healthy, and there is no filler    nothing
    any             another source is better, or streams changed    that one, at a segment's end
    a live source   it is lost                                      the best other one, at once
    a live source   it gave no media                                it is shunned, then as above

`SourceFailover` decides which source is better.
"""

import asyncio

from packager.diagnostics.status import ChannelState
from packager.runtime.channel.encoder_run import (
    EncoderRun,
    Outcome,
    RunDisconnected,
    RunEnded,
    RunFailed,
    RunLeft,
)
from packager.runtime.channel.failover import GLANCE, SourceFailover
from packager.runtime.channel.maintenance import HOUSEKEEPING
from packager.runtime.channel.program import ChannelContext, OnAirSource, ProgramSelector
from packager.runtime.storage.publisher import Publisher
from packager.timing.ticks import UtcMicros

_ON_AIR = (ChannelState.LIVE, ChannelState.DEGRADED, ChannelState.FILLER)


class FailoverRun:
    """Puts the best source of a channel on air, one run of ffmpeg after the other."""

    def __init__(self, context: ChannelContext, failover: SourceFailover) -> None:
        self._context = context
        self._failover = failover
        self._program = ProgramSelector(context)

    async def run(self, publisher: Publisher) -> RunFailed:
        """Send the best source at any time, until a run of it fails.

        Raises:
            DiskError: media could not be published.
        """
        last_arrival: UtcMicros | None = None
        while True:
            place = await self._wait_for_source(publisher)
            source = await self._program.select(
                self._failover, place, publisher.timeline, last_arrival
            )
            if source is None:
                await asyncio.sleep(GLANCE)
                continue
            match await self._put_on_air(source, publisher):
                case RunFailed() as failed:
                    self._avoid(source, failed)
                    return failed
                case RunLeft(arrival) | RunDisconnected(arrival) | RunEnded(arrival):
                    last_arrival = arrival

    async def _wait_for_source(self, publisher: Publisher) -> int | None:
        """The place of the best source, once there is one; None for the filler."""
        best = self._failover.best(None)
        while best is None and not self._failover.has_filler:
            self._note_sources(None)
            problem = self._failover.complaint
            self._context.reporter.set_state(ChannelState.WAITING, problem=problem)
            self._context.maintenance.check(publisher)
            try:
                async with asyncio.timeout(HOUSEKEEPING):
                    best = await self._failover.first()
            except TimeoutError:
                continue
        return best

    async def _put_on_air(self, source: OnAirSource, publisher: Publisher) -> Outcome:
        reporter = self._context.reporter
        reporter.note(source=source.name)
        reporter.log.info("source.chosen", source=source.name)
        if reporter.status.state not in _ON_AIR:
            reporter.set_state(ChannelState.STARTING)
        run = EncoderRun(self._context, source, publisher, lambda: self._note_sources(source.place))
        async with asyncio.TaskGroup() as tasks:
            switching = tasks.create_task(self._end_in_time(run, source, publisher))
            outcome = await run.run()
            switching.cancel()
        return outcome

    async def _end_in_time(
        self, run: EncoderRun, source: OnAirSource, publisher: Publisher
    ) -> None:
        """End the run when another source is to go on air: at a segment's end if it is healthy."""
        while True:
            await asyncio.sleep(GLANCE)
            if self._is_to_change(source):
                break
        if source.feed is None or source.feed.healthy_since is not None:
            await run.leave_after(publisher.timeline.last_occupied)
        else:
            problem = f"{source.label}: {source.feed.complaint}"
            self._context.reporter.report_problem("source.lost", problem)
            await run.leave_at_once()

    def _is_to_change(self, source: OnAirSource) -> bool:
        best = self._failover.best(source.place)
        feed = source.feed
        if feed is not None and not feed.is_connected:
            return True
        if feed is not None and feed.info not in (None, source.streams):
            return True
        return best != source.place and (best is not None or self._failover.has_filler)

    def _avoid(self, source: OnAirSource, failed: RunFailed) -> None:
        """Choose another source for a while if this one gave no media."""
        if failed.has_media:
            return
        if source.place is None:
            self._program.replace_filler()
        elif source.feed is None:
            self._failover.shun(source.place)
        elif source.feed.is_connected:
            source.feed.shun(failed.reason, source.connection)

    def _note_sources(self, on_air: int | None) -> None:
        statuses = self._failover.statuses(self._context.config.name, on_air)
        self._context.reporter.note(feeds=statuses)
