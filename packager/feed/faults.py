"""What goes wrong on the way from an encoder, on demand.

A fault turns a schedule into another one, event by event, without holding more of it than it has
to. Faults are put one after the other; each counts its seconds from the first event that reaches
it. Chance is a generator of numbers from 0 to 1 that is passed in: the same one, the same faults.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import assert_never

from packager.feed.container import Container
from packager.feed.reconnect import Reconnect, reconnected
from packager.feed.rewriting import Change, changed
from packager.feed.schedule import Event, Received, moved
from packager.feed.timestamps import COUNTERS, pes_id, pid_of, shift, time_of
from packager.feed.units import Tag, is_packet, is_setup, tag_type
from packager.ticks import MICROS, round_half_up

Chance = Callable[[], float]

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets of a TS are lost; of an FLV whole pictures and frames of sound."""

    share: Fraction
    """Of all packets, from 0 to 1."""
    burst: int = 1
    """Packets that are lost in a row."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing comes for a while."""

    at: Fraction
    """Seconds."""
    lasts: Fraction
    """Seconds."""
    lost: bool = False
    """What should have come meanwhile never does; else all of it does at the end."""


@dataclass(frozen=True, slots=True)
class Jump:
    """Timestamps jump."""

    at: Fraction
    by: Fraction
    """Seconds; back where it is negative."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """The counter of timestamps begins again: 33 bits of 90 kHz in a TS, 32 of 1 kHz in an FLV."""

    at: Fraction
    """Seconds of media after its first timestamp."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The encoder's clock is not UTC."""

    ppm: int
    """Parts per million that it is faster: the feed comes that much earlier."""


@dataclass(frozen=True, slots=True)
class Mute:
    """There is no sound any more: none of its packets come."""

    at: Fraction


@dataclass(frozen=True, slots=True)
class Skew:
    """All of it is late, as a second feed is that took another way."""

    by: Fraction
    """Seconds."""


Fault = Loss | Stall | Jump | Wrap | Reconnect | Drift | Mute | Skew


def with_faults(
    events: Iterable[Event], faults: Sequence[Fault], chance: Chance
) -> Iterator[Event]:
    """`events` with `faults`, the first of them first."""
    out = iter(events)
    for fault in faults:
        out = _with(out, fault, chance)
    return out


def _with(events: Iterator[Event], fault: Fault, chance: Chance) -> Iterator[Event]:
    first = next(events, None)
    if first is None:
        return iter(())
    begin, events = first.at, chain([first], events)
    match fault:
        case Loss() | Jump() | Wrap() | Mute():
            return changed(events, _change(fault, begin, chance))
        case Stall():
            return _stalled(events, begin + _micros(fault.at), fault)
        case Reconnect():
            return reconnected(events, begin + _micros(fault.at), fault)
        case Drift():
            return _timed(
                events, lambda at: begin + (at - begin) * _MILLION // (_MILLION + fault.ppm)
            )
        case Skew():
            return _timed(events, lambda at: at + _micros(fault.by))
        case _:
            assert_never(fault)


def _change(fault: Loss | Jump | Wrap | Mute, begin: int, chance: Chance) -> Change:
    match fault:
        case Loss():
            return _Lossy(fault, chance)
        case Jump():
            return _Jumping(begin + _micros(fault.at), fault.by)
        case Wrap():
            return _Wrapping(fault.at)
        case Mute():
            return _Muting(begin + _micros(fault.at))
        case _:
            assert_never(fault)


def _micros(seconds: Fraction) -> int:
    return round_half_up(seconds * MICROS)


def _timed(events: Iterator[Event], time: Callable[[int], int]) -> Iterator[Event]:
    return (moved(event, time(event.at)) for event in events)


class _Lossy:
    def __init__(self, fault: Loss, chance: Chance) -> None:
        share, burst = fault.share, fault.burst
        # Of a stretch of 1/p packets outside and `burst` inside, `share` is inside.
        begins = share / (share + burst * (1 - share)) if share else Fraction(0)
        self._begins = float(begins)
        """How likely a burst begins at a packet outside of one."""
        self._burst = burst
        self._chance = chance
        self._left = 0
        """Packets that this burst still takes."""

    def __call__(self, _at: int, container: Container, unit: bytes) -> bytes:
        if container is Container.TS:
            can_be_lost = is_packet(unit)
        else:
            can_be_lost = tag_type(unit) is not None and not is_setup(unit)
        if not can_be_lost:
            return unit
        if not self._left and self._chance() < self._begins:
            self._left = self._burst
        if self._left:
            self._left -= 1
            return b""
        return unit


@dataclass(slots=True)
class _Jumping:
    at: int
    by: Fraction

    def __call__(self, at: int, container: Container, unit: bytes) -> bytes:
        if at < self.at:
            return unit
        return shift(container, unit, round_half_up(self.by * COUNTERS[container].rate))


@dataclass(slots=True)
class _Wrapping:
    at: Fraction
    ticks: dict[Container, int] = field(default_factory=dict[Container, int])
    """That times are moved by, once one is known."""

    def __call__(self, _at: int, container: Container, unit: bytes) -> bytes:
        if container not in self.ticks:
            time = time_of(container, unit)
            if time is None:
                return unit
            counter = COUNTERS[container]
            self.ticks[container] = counter.modulus - round_half_up(self.at * counter.rate) - time
        return shift(container, unit, self.ticks[container])


_SOUND = range(0xC0, 0xE0)
_PRIVATE = 0xBD


@dataclass(slots=True)
class _Muting:
    """Takes out what has the stream_id of MPEG sound, or of private streams, as AC-3 has.

    ISO/IEC 13818-1, table 2-22. Subtitles are private streams too, and go with it.
    """

    at: int
    pids: set[int] = field(default_factory=set[int])

    def __call__(self, at: int, container: Container, unit: bytes) -> bytes:
        if container is Container.FLV:
            return b"" if at >= self.at and tag_type(unit) is Tag.AUDIO else unit
        if not is_packet(unit):
            return unit
        stream = pes_id(unit)
        if stream is not None and (stream in _SOUND or stream == _PRIVATE):
            self.pids.add(pid_of(unit))
        return b"" if at >= self.at and pid_of(unit) in self.pids else unit


def _stalled(events: Iterator[Event], begin: int, fault: Stall) -> Iterator[Event]:
    end = begin + _micros(fault.lasts)
    for event in events:
        if not begin <= event.at < end:
            yield event
        elif not (fault.lost and isinstance(event, Received)):
            yield moved(event, end)
