"""The sources of a channel in the order of preference, and which of them should be on air."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from packager.config.sources import FileSource, LossConfig, PatternSource, source_label
from packager.diagnostics.status import FeedStatus
from packager.feed.failover import preferred
from packager.runtime.channel.live_source import LiveSource, shun_backoff
from packager.runtime.telemetry import metrics
from packager.timing.backoff import Backoff
from packager.timing.clock import monotonic_micros
from packager.timing.ticks import MICROS, round_half_up

GLANCE = 0.05
"""Seconds between two checks of the sources."""

Direct = PatternSource | FileSource
"""A source that ffmpeg reads by itself: healthy unless it was shunned."""


class SourceFailover:
    """The sources of one channel."""

    def __init__(self, sources: Sequence[LiveSource | Direct], config: LossConfig) -> None:
        """Choose among `sources`, in the order of preference."""
        self.sources = tuple(sources)
        self.has_filler = config.filler != "none"
        """Whether a filler goes on air while no source is healthy."""
        self._back_after = round_half_up(config.back_after * MICROS)
        self._direct_since = dict.fromkeys(range(len(self.sources)), monotonic_micros())
        """From when on each direct source may be used, by its place."""
        self._shunned = defaultdict[int, Backoff[int]](shun_backoff)

    @property
    def live(self) -> list[tuple[int, LiveSource]]:
        """The sources whose bytes pass through this process, with their places."""
        return [(at, one) for at, one in enumerate(self.sources) if isinstance(one, LiveSource)]

    async def run(self) -> None:
        """Receive all live sources at once, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _, source in self.live:
                tasks.create_task(source.run())
            while self.live:
                await asyncio.sleep(GLANCE)
                for _, source in self.live:
                    source.tick()

    def best(self, on_air: int | None) -> int | None:
        """The place of the source that should replace `on_air`; None if no source is healthy."""
        now = monotonic_micros()
        since: list[int | None] = []
        for at, source in enumerate(self.sources):
            if isinstance(source, LiveSource):
                source.check(now)
                since.append(source.healthy_since)
            else:
                usable = self._direct_since[at]
                since.append(usable if usable <= now else None)
        return preferred(since, on_air, now, self._back_after)

    def shun(self, place: int) -> None:
        """Do not choose a direct source for a while: it could not be opened."""
        self._direct_since[place] = monotonic_micros() + self._shunned[place].step()

    async def first(self) -> int | None:
        """The place of a healthy source, once there is one; None if there is a filler."""
        while True:
            best = self.best(None)
            if best is not None or self.has_filler:
                return best
            await asyncio.sleep(GLANCE)

    def statuses(self, channel: str, on_air: int | None) -> tuple[FeedStatus, ...]:
        """The status of each live source, which is added to the metrics of `channel` too."""
        statuses = [(at, source.status(at, active=at == on_air)) for at, source in self.live]
        for at, status in statuses:
            metrics.feed(channel, at, status)
        return tuple(status for _, status in statuses)

    @property
    def complaint(self) -> str:
        """The problem of the first live source that has one."""
        complaints = (
            f"{source_label(at, source.name)}: {source.complaint}"
            for at, source in self.live
            if source.complaint
        )
        return next(complaints, "")
