"""Changes the bytes of a schedule unit by unit."""

from collections.abc import Callable, Iterator

from packager.feed.report import Container
from packager.impairment.cutting import Cutter, cutter
from packager.impairment.schedule import Connected, Event, Received

Change = Callable[[int, Container, bytes], bytes]
"""From the instant, the container and a unit to its replacement, which may be empty."""


def changed(events: Iterator[Event], change: Change) -> Iterator[Event]:
    """`events` with each unit changed; a unit arrives with its last byte."""
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
