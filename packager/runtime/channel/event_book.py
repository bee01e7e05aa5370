"""The events of one channel: its schedule, and the orders of the control API."""

import msgspec

from packager.config.schema.channel import ChannelConfig
from packager.errors import DiskError
from packager.runtime.channel.reporter import StatusReporter
from packager.runtime.storage.publisher import Publisher
from packager.timeline.events import EventOrder, ordered, schedule_of, status_of
from packager.timeline.records import EventRemoved, EventSet
from packager.timing.clock import Clock
from packager.timing.ticks import MICROS


class EventBook:
    """Writes events to the journal of a channel while that is open."""

    def __init__(self, config: ChannelConfig, reporter: StatusReporter, clock: Clock) -> None:
        self._config = config
        self._log = reporter.log
        self._clock = clock
        self._publisher: Publisher | None = None

    def open(self, publisher: Publisher) -> None:
        """Take orders, and write the scheduled events that are new or changed.

        An order outlasts the schedule: an event that the schedule has not changed stays as it is.

        Raises:
            DiskError: an event could not be written.
        """
        self._publisher = publisher
        forgotten = self._clock.now() - round(self._config.retention * MICROS)
        for event in self._config.events:
            is_over = event.end is not None and event.end < forgotten and not event.pinned
            schedule = schedule_of(event)
            if not is_over and publisher.timeline.scheduled.get(event.name) != schedule:
                publisher.note([msgspec.structs.replace(event, schedule=schedule)])
                self._log.info("event.scheduled", **msgspec.to_builtins(status_of(event)))

    def close(self) -> None:
        """Refuse orders: the journal is about to be closed."""
        self._publisher = None

    def set_event(self, name: str, order: EventOrder) -> EventSet:
        """Begin, change or end an event.

        Raises:
            ValueError: the order cannot be carried out.
            DiskError: the event could not be written.
        """
        publisher = self._opened()
        event = ordered(name, order, publisher.timeline.events, self._clock.now())
        publisher.note([event])
        self._log.info("event.changed", **msgspec.to_builtins(status_of(event)))
        return event

    def remove_event(self, name: str) -> bool:
        """Remove an event; its pinned media leaves with the next trim. False if it is unknown.

        Raises:
            DiskError: the removal could not be written.
        """
        publisher = self._opened()
        if name not in publisher.timeline.events:
            return False
        publisher.note([EventRemoved(name)])
        self._log.info("event.removed", name=name)
        return True

    def _opened(self) -> Publisher:
        if self._publisher is None:
            raise DiskError("the channel's journal cannot be used now")
        return self._publisher
