"""Keeps the stored media of a channel within its retention and within the disk."""

import asyncio
from typing import NoReturn

from packager.config.schema.channel import ChannelConfig
from packager.errors import DiskError
from packager.runtime.channel.reporter import StatusReporter
from packager.runtime.storage.publisher import Publisher
from packager.runtime.telemetry import metrics
from packager.timeline.records import EventRemoved
from packager.timeline.retention import STAY, expired_events, first_within
from packager.timing.clock import monotonic

HOUSEKEEPING = 2.0
"""Seconds between two checks of status, stall and retention."""
_DEGRADED = 60.0
"""Seconds that a channel is degraded after segments were removed early."""


class StorageMaintenance:
    """The storage maintenance of one channel."""

    def __init__(self, config: ChannelConfig, reporter: StatusReporter) -> None:
        """Keep what `config` wants; report problems to `reporter`."""
        self._config = config
        self._reporter = reporter
        self._evicted = 0
        """Segments that were removed for want of room and are in the metric."""
        self._last_evicted = float("-inf")
        """Monotonic time of the last such removal that was seen."""

    @property
    def is_short_of_room(self) -> bool:
        """Whether segments were removed early within the last minute."""
        return monotonic() - self._last_evicted < _DEGRADED

    async def run(self, publisher: Publisher) -> NoReturn:
        """Maintain the storage of a channel whose source has ended.

        Raises:
            JournalError: another program has changed or removed the journal.
        """
        while True:
            self.check(publisher)
            await asyncio.sleep(HOUSEKEEPING)

    def check(self, publisher: Publisher) -> None:
        """Check the journal, trim, and report segments that were removed early.

        Raises:
            JournalError: another program has changed or removed the journal.
        """
        publisher.journal.check_in_place()
        self.trim(publisher)
        if publisher.evicted > self._evicted:
            removed = publisher.evicted - self._evicted
            self._evicted = publisher.evicted
            self._last_evicted = monotonic()
            metrics.EVICTED_SEGMENTS.labels(self._config.name).inc(removed)
            problem = f"the disk is full: {removed} segments were removed early"
            self._reporter.report_problem("disk.filled", problem)

    def trim(self, publisher: Publisher) -> None:
        """Remove the segments and events that the retention has passed."""
        timeline = publisher.timeline
        before = timeline.edge - self._config.retention // self._config.segment
        if self._config.retention_size:
            before = max(before, first_within(timeline, self._config.retention_size))
        try:
            removed = publisher.trim(min(before, timeline.edge - STAY))
            if expired := expired_events(timeline):
                publisher.note([EventRemoved(name) for name in expired])
        except DiskError as error:
            # Old media stays longer; new media is still published.
            self._reporter.report_problem("retention.failed", str(error))
        else:
            metrics.TRIMMED_SEGMENTS.labels(self._config.name).inc(removed)
