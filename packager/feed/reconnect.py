"""An encoder that loses its connection, and comes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from packager.feed.container import Container
from packager.feed.rewriting import changed
from packager.feed.schedule import Connected, Disconnected, Event, Received
from packager.feed.timestamps import COUNTERS, at_time, shift, tag_time, time_of
from packager.feed.units import Cutter, FlvCutter, Tag, cutter, is_keyframe, is_setup, tag_type
from packager.ticks import MICROS, round_half_up


class Clock(StrEnum):
    """What timestamps are after an encoder came back."""

    CONTINUE = "continue"
    """As if it had never been away."""
    RESTART = "restart"
    """From one second on."""
    ABSURD = "absurd"
    """From 20 hours on."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """The connection ends, and comes again later; what was sent meanwhile is lost."""

    at: Fraction
    after: Fraction
    """Seconds."""
    clock: Clock = Clock.CONTINUE


_FIRST = {Clock.RESTART: 1, Clock.ABSURD: 20 * 3600}
"""Seconds of the first timestamp."""


def reconnected(events: Iterator[Event], begin: int, fault: Reconnect) -> Iterator[Event]:
    """`events`, whose connection ends at the instant `begin`."""
    end = begin + round_half_up(fault.after * MICROS)
    state = _Reconnecting(begin, end, fault.clock)
    for event in changed(events, lambda _at, _container, unit: unit):
        yield from state.take(event)


@dataclass(slots=True)
class _Reconnecting:
    begin: int
    end: int
    clock: Clock
    there: Connected | None = None
    """Who is connected, as far as the schedule goes."""
    setup: dict[Tag | None, bytes] = field(default_factory=dict[Tag | None, bytes])
    """Of an FLV: its header, and what a decoder has to know first."""
    cutter: Cutter = field(default_factory=FlvCutter)
    cut_off: bool = False
    over: bool = False
    back: "_Back | None" = None
    """The connection that was made in place of the one that was cut off."""

    def take(self, event: Event) -> Iterator[Event]:
        if event.at < self.begin:
            self._note(event)
            yield event
            return
        if not self.cut_off:
            self.cut_off = True
            if self.there is not None:
                yield Disconnected(self.begin, "cut off")
        if event.at < self.end:
            self._note(event)
            return
        yield from self._come_back()
        if self.back is None:
            yield event
        elif isinstance(event, Received):
            if data := self.back.take(event.data):
                yield Received(event.at, data)
        else:
            if data := self.back.rest():
                yield Received(event.at, data)
            self.back = None
            yield event

    def _come_back(self) -> Iterator[Event]:
        if self.over:
            return
        self.over = True
        if self.there is not None:
            self.back = _Back(self.there.container, self.clock, self.setup)
            yield Connected(self.end, self.there.container, self.there.peer)

    def _note(self, event: Event) -> None:
        match event:
            case Connected():
                self.there = event
                self.setup.clear()
                self.cutter = FlvCutter()
            case Disconnected():
                self.there = None
            case Received():
                if self.there is not None and self.there.container is Container.FLV:
                    for unit in self.cutter.push(event.data):
                        note_setup(self.setup, unit)


def note_setup(setup: dict[Tag | None, bytes], unit: bytes) -> None:
    """Keep the header of an FLV, and the last tag of each type that says how to decode."""
    if unit.startswith(b"FLV") or is_setup(unit):
        setup[tag_type(unit)] = unit


class _Back:
    """The bytes of the connection that was made anew."""

    def __init__(self, container: Container, clock: Clock, setup: dict[Tag | None, bytes]) -> None:
        self._container = container
        self._first = _FIRST.get(clock)
        self._ticks: int | None = 0 if self._first is None else None
        self._setup = setup
        self._cutter = cutter(container)
        self._begun = container is Container.TS

    def take(self, data: bytes) -> bytes:
        """What is sent of `data`, which are whole units."""
        return b"".join(map(self._unit, self._cutter.push(data)))

    def rest(self) -> bytes:
        """What is left at the end."""
        return self._unit(rest) if (rest := self._cutter.rest()) else b""

    def _unit(self, unit: bytes) -> bytes:
        lead = b""
        if not self._begun:
            if is_setup(unit):
                note_setup(self._setup, unit)
                return b""
            # Without a picture any sound is a beginning.
            if tag_type(unit) is None or not (is_keyframe(unit) or Tag.VIDEO not in self._setup):
                return b""
            self._begun = True
            lead = self._lead(tag_time(unit))
        return lead + self._timed(unit)

    def _lead(self, millis: int) -> bytes:
        return b"".join(
            unit if kind is None else self._timed(at_time(unit, millis))
            for kind, unit in self._setup.items()
        )

    def _timed(self, unit: bytes) -> bytes:
        if self._ticks is None and self._first is not None:
            time = time_of(self._container, unit)
            if time is None:
                return unit
            self._ticks = self._first * COUNTERS[self._container].rate - time
        return shift(self._container, unit, self._ticks or 0)
