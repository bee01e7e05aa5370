"""Schedules whose bytes are changed unit by unit."""

from collections.abc import Callable, Iterator

from packager.feed.container import Container
from packager.feed.schedule import Connected, Event, Received
from packager.feed.units import Cutter, cutter

Change = Callable[[int, Container, bytes], bytes]
"""From the instant, the container and a unit to what comes in its place: nothing, maybe."""


def changed(events: Iterator[Event], change: Change) -> Iterator[Event]:
    """`events` with each unit changed; a unit comes when its last byte does."""
    cut: Cutter | None = None
    container = Container.TS
    last = 0
    for event in events:
        last = event.at
        if isinstance(event, Received):
            units = [] if cut is None else cut.push(event.data)
            data = b"".join(change(event.at, container, unit) for unit in units)
            if data:
                yield Received(event.at, data)
            continue
        if cut is not None and (rest := change(event.at, container, cut.rest())):
            yield Received(event.at, rest)
        cut = None
        if isinstance(event, Connected):
            container = event.container
            cut = cutter(container)
        yield event
    if cut is not None and (rest := change(last, container, cut.rest())):
        yield Received(last, rest)
