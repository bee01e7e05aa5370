"""An encoder that loses its connection and reconnects."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from packager.container.flv_tag import SIGNATURE, TagType, tag_time, tag_type, with_time
from packager.feed.report import Container
from packager.impairment.cutting import (
    Cutter,
    FlvCutter,
    cutter,
    is_keyframe,
    is_setup,
)
from packager.impairment.rewriting import changed
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from packager.impairment.timestamps import COUNTERS, shift, time_of
from packager.timing.ticks import MICROS, round_half_up


class RestartClock(StrEnum):
    """The timestamps after a reconnection."""

    CONTINUE = "continue"
    """As without the interruption."""
    RESTART = "restart"
    """From one second on."""
    ABSURD = "absurd"
    """From 20 hours on."""


@dataclass(frozen=True, slots=True)
class ReconnectFault:
    """The connection ends and resumes later; the bytes sent in between are lost."""

    at: Fraction
    after: Fraction
    """Seconds."""
    clock: RestartClock = RestartClock.CONTINUE


_FIRST_TIMES = {RestartClock.RESTART: 1, RestartClock.ABSURD: 20 * 3600}
"""Seconds of the first timestamp."""


def reconnected(events: Iterator[Event], begin: int, fault: ReconnectFault) -> Iterator[Event]:
    """`events`, with the connection interrupted from the instant `begin` on."""
    end = begin + round_half_up(fault.after * MICROS)
    state = _Interruption(begin, end, fault.clock)
    for event in changed(events, lambda _at, _container, unit: unit):
        yield from state.take(event)


class _Phase(StrEnum):
    """Phases of an interruption, in this order."""

    BEFORE = "before"
    INTERRUPTED = "interrupted"
    RESUMED = "resumed"


@dataclass(slots=True)
class _Interruption:
    begin: int
    end: int
    clock: RestartClock
    connection: Connected | None = None
    """The open connection of the original schedule."""
    setup: dict[TagType | None, bytes] = field(default_factory=dict[TagType | None, bytes])
    """Of an FLV: its header, and the tags that configure decoders."""
    cutter: Cutter = field(default_factory=FlvCutter)
    phase: _Phase = _Phase.BEFORE
    resumed: "_ResumedConnection | None" = None
    """The connection that replaces the interrupted one."""

    def take(self, event: Event) -> Iterator[Event]:
        if event.at < self.begin:
            self._note(event)
            yield event
            return
        if self.phase is _Phase.BEFORE:
            self.phase = _Phase.INTERRUPTED
            if self.connection is not None:
                yield Disconnected(self.begin, "interrupted")
        if event.at < self.end:
            self._note(event)
            return
        yield from self._resume()
        if self.resumed is None:
            yield event
        elif isinstance(event, Received):
            if data := self.resumed.take(event.data):
                yield Received(event.at, data)
        else:
            if data := self.resumed.rest():
                yield Received(event.at, data)
            self.resumed = None
            yield event

    def _resume(self) -> Iterator[Event]:
        if self.phase is _Phase.RESUMED:
            return
        self.phase = _Phase.RESUMED
        if self.connection is not None:
            self.resumed = _ResumedConnection(self.connection.container, self.clock, self.setup)
            yield Connected(self.end, self.connection.container, self.connection.peer)

    def _note(self, event: Event) -> None:
        match event:
            case Connected():
                self.connection = event
                self.setup.clear()
                self.cutter = FlvCutter()
            case Disconnected():
                self.connection = None
            case Received():
                if self.connection is not None and self.connection.container is Container.FLV:
                    for unit in self.cutter.push(event.data):
                        note_setup(self.setup, unit)


def note_setup(setup: dict[TagType | None, bytes], unit: bytes) -> None:
    """Keep the header of an FLV, and the last tag of each type that configures decoders."""
    if unit.startswith(SIGNATURE) or is_setup(unit):
        setup[tag_type(unit)] = unit


class _ResumedConnection:
    """The bytes of the connection after the interruption."""

    def __init__(
        self, container: Container, clock: RestartClock, setup: dict[TagType | None, bytes]
    ) -> None:
        self._container = container
        self._first_time = _FIRST_TIMES.get(clock)
        self._ticks: int | None = 0 if self._first_time is None else None
        self._setup = setup
        self._cutter = cutter(container)
        self._begun = container is Container.TS

    def take(self, data: bytes) -> bytes:
        """The bytes to send for `data`, which are whole units."""
        return b"".join(map(self._unit, self._cutter.push(data)))

    def rest(self) -> bytes:
        """The incomplete unit at the end."""
        return self._unit(rest) if (rest := self._cutter.rest()) else b""

    def _unit(self, unit: bytes) -> bytes:
        prelude = b""
        if not self._begun:
            if is_setup(unit):
                note_setup(self._setup, unit)
                return b""
            # A feed without video starts with any audio tag.
            has_video = TagType.VIDEO in self._setup
            if tag_type(unit) is None or (has_video and not is_keyframe(unit)):
                return b""
            self._begun = True
            prelude = self._prelude(tag_time(unit))
        return prelude + self._shifted(unit)

    def _prelude(self, millis: int) -> bytes:
        return b"".join(
            unit if kind is None else self._shifted(with_time(unit, millis))
            for kind, unit in self._setup.items()
        )

    def _shifted(self, unit: bytes) -> bytes:
        if self._ticks is None and self._first_time is not None:
            time = time_of(self._container, unit)
            if time is None:
                return unit
            self._ticks = self._first_time * COUNTERS[self._container].rate - time
        return shift(self._container, unit, self._ticks or 0)
