"""The sources of a channel, in the order of preference, and which of them is to be on air."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from packager.clock import monotonic_micros
from packager.feed.preference import preferred
from packager.runtime import metrics
from packager.runtime.feed import Feed, penalty
from packager.source import FileSource, LossConfig, PatternSource
from packager.status import FeedStatus
from packager.ticks import MICROS, round_half_up

GLANCE = 0.05
"""Seconds between two looks at the sources."""

Direct = PatternSource | FileSource
"""A source that ffmpeg reads by itself: there all the time."""


class Feeds:
    """The sources of one channel."""

    def __init__(self, sources: Sequence[Feed | Direct], config: LossConfig) -> None:
        """Choose among `sources`, the first of them preferred."""
        self.sources = tuple(sources)
        self.has_filler = config.filler != "none"
        """Whether something is sent while there is none."""
        self._back_after = round_half_up(config.back_after * MICROS)
        self._direct_since = dict.fromkeys(range(len(self.sources)), monotonic_micros())
        """Of those that ffmpeg reads by itself, from when on they can be had."""
        self._shunned = Counter[int]()

    @property
    def fed(self) -> list[tuple[int, Feed]]:
        """Those that come through here, with their places."""
        return [(at, one) for at, one in enumerate(self.sources) if isinstance(one, Feed)]

    async def run(self) -> None:
        """Take what comes, from all of them at once, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _, feed in self.fed:
                tasks.create_task(feed.run())

    def best(self, active: int | None) -> int | None:
        """The place of the one to take while `active` is on air; None where none is healthy."""
        now = monotonic_micros()
        since: list[int | None] = []
        for at, source in enumerate(self.sources):
            if isinstance(source, Feed):
                source.look(now)
                since.append(source.healthy_since)
            else:
                there = self._direct_since[at]
                since.append(there if there <= now else None)
        return preferred(since, active, now, self._back_after)

    def shun(self, place: int) -> None:
        """One that ffmpeg reads by itself cannot be had: leave it alone for a while."""
        self._direct_since[place] = monotonic_micros() + penalty(self._shunned[place])
        self._shunned[place] += 1

    async def first(self) -> int | None:
        """The place of one that is healthy, once there is one; None where there is a filler."""
        while True:
            best = self.best(None)
            if best is not None or self.has_filler:
                return best
            await asyncio.sleep(GLANCE)

    def statuses(self, channel: str, active: int | None) -> tuple[FeedStatus, ...]:
        """How they are, and count it as of `channel`; the one at the place `active` is on air."""
        said = [(at, feed.status(active=at == active)) for at, feed in self.fed]
        for at, status in said:
            metrics.feed(channel, at, status)
        return tuple(status for _, status in said)

    @property
    def complaint(self) -> str:
        """What is wrong with the first of them that something is wrong with."""
        return next(
            (f"{feed.name}: {feed.complaint}" for _, feed in self.fed if feed.complaint), ""
        )
