"""Looks after what is kept of a channel: the retention, and room on the disk."""

import asyncio
from typing import NoReturn

from packager.clock import monotonic
from packager.errors import DiskError
from packager.records import EventRemoved
from packager.retention import STAY, first_within, over
from packager.runtime import metrics
from packager.runtime.config_file import LoadedChannel
from packager.runtime.publisher import Publisher
from packager.runtime.teller import Teller

HOUSEKEEPING = 2.0
"""Seconds between two looks at status, stall and retention."""
_DEGRADED = 60.0
"""Seconds that a channel is degraded after segments had to go early."""


class Upkeep:
    """The upkeep of one channel."""

    def __init__(self, config: LoadedChannel, teller: Teller) -> None:
        """Keep what `config` says; tell of what goes wrong."""
        self._config = config
        self._teller = teller
        self._evicted = 0
        """Segments that are known to have gone for want of room."""
        self._short_of_room = float("-inf")
        """Monotonic time at which some last had to."""

    @property
    def is_short_of_room(self) -> bool:
        """Whether segments had to go early of late."""
        return monotonic() - self._short_of_room < _DEGRADED

    async def go_on(self, publisher: Publisher) -> NoReturn:
        """Look after what is kept, though nothing more comes.

        Raises:
            JournalError: somebody has taken it away.
        """
        while True:
            self.look(publisher)
            await asyncio.sleep(HOUSEKEEPING)

    def look(self, publisher: Publisher) -> None:
        """Look after what is kept.

        Raises:
            JournalError: somebody has taken it away.
        """
        publisher.journal.check_in_place()
        self.trim(publisher)
        if publisher.evicted > self._evicted:
            gone = publisher.evicted - self._evicted
            self._evicted = publisher.evicted
            self._short_of_room = monotonic()
            metrics.EVICTED_SEGMENTS.labels(self._config.name).inc(gone)
            self._teller.problem("disk.full", f"the disk is full: {gone} segments went early")

    def trim(self, publisher: Publisher) -> None:
        """Let go of what the retention has passed."""
        timeline = publisher.timeline
        before = timeline.edge - self._config.retention // self._config.segment
        if self._config.retention_size:
            before = max(before, first_within(timeline, self._config.retention_size))
        try:
            gone = publisher.trim(min(before, timeline.edge - STAY))
            if past := over(timeline):
                publisher.note([EventRemoved(name) for name in past])
        except DiskError as error:
            # What has to go stays longer; the media goes on.
            self._teller.problem("retention.failed", str(error))
        else:
            metrics.RETENTION_SEGMENTS.labels(self._config.name).inc(gone)
