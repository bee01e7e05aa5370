"""A channel whose encoders push a finished CMAF ladder: no ffmpeg runs."""

import asyncio
from typing import NoReturn

from packager.config.sources import CmafSource, source_label
from packager.diagnostics.status import ChannelState, FeedStatus
from packager.feed.report import Report
from packager.runtime.channel.encoder_run import STALL_SEGMENTS
from packager.runtime.channel.maintenance import HOUSEKEEPING
from packager.runtime.channel.program import ChannelContext
from packager.runtime.ingest.cmaf_push import CmafKeys, CmafReceiver
from packager.runtime.storage.publisher import Publisher
from packager.timing.clock import monotonic, monotonic_micros


class PushedLadderRun:
    """Publishes what encoders push with the source's key."""

    def __init__(self, context: ChannelContext, source: CmafSource, keys: CmafKeys) -> None:
        self._context = context
        self._source = source
        self._keys = keys

    async def run(self, publisher: Publisher) -> NoReturn:
        """Publish until cancelled.

        Raises:
            DiskError: media could not be published.
        """
        receiver = CmafReceiver(self._context.config.name, publisher, self._context.clock)
        key = self._keys.add(self._source.key)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(receiver.run(key))
                tasks.create_task(self._keep_house(receiver, publisher))
        finally:
            self._keys.remove(self._source.key)
        raise AssertionError("both tasks run until they are cancelled")

    async def _keep_house(self, receiver: CmafReceiver, publisher: Publisher) -> NoReturn:
        """Maintain the stored media and report the state."""
        reporter = self._context.reporter
        stall = float(STALL_SEGMENTS * self._context.config.segment)
        while True:
            publisher.count()
            self._context.maintenance.check(publisher)
            for end in receiver.breaks():
                reporter.report_problem("timeline.broken", end.reason)
            is_live = publisher.timeline.edge >= 0 and monotonic() - receiver.newest < stall
            if problem := receiver.health.take_problem():
                reporter.note(problem=problem)
            reporter.note(feeds=(feed_status(receiver, is_live=is_live),))
            reporter.set_state(ChannelState.LIVE if is_live else ChannelState.WAITING)
            await asyncio.sleep(HOUSEKEEPING)


def feed_status(receiver: CmafReceiver, *, is_live: bool) -> FeedStatus:
    """The status of the encoders that push to `receiver`; `is_live` if their media is on air."""
    now, health = monotonic_micros(), receiver.health
    return FeedStatus(
        name="cmaf",
        label=source_label(0, "cmaf"),
        active=is_live,
        connected=is_live or receiver.request_count > 0,
        peer=health.peer,
        report=Report(bitrate=health.bitrate(now), silent_ms=health.silent_ms(now) or 0),
    )
