"""Faults on the way from an encoder, on demand.

A fault turns a schedule into another schedule, event by event, and holds only the events that it
delays. Faults apply one after the other; each counts its seconds from the first event that reaches
it. Chance is a passed-in generator of numbers from 0 to 1: equal numbers give equal faults.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import assert_never

from packager.container.flv_tag import TagType, tag_type
from packager.container.pes import (
    AUDIO_STREAMS,
    PRIVATE_STREAM_1,
    VIDEO_STREAMS,
    stream_id_of,
)
from packager.container.ts_packet import is_packet, pid_of
from packager.feed.report import Container
from packager.impairment.cutting import is_setup
from packager.impairment.reconnect import ReconnectFault, reconnected
from packager.impairment.rewriting import Change, changed
from packager.impairment.schedule import Event, Received, moved
from packager.impairment.timestamps import COUNTERS, shift, time_of
from packager.timing.ticks import MICROS, round_half_up
from packager.track import TrackKind

Chance = Callable[[], float]

_MILLION = 1_000_000
_FLV_KINDS: dict[TagType | None, TrackKind] = {
    TagType.AUDIO: TrackKind.AUDIO,
    TagType.VIDEO: TrackKind.VIDEO,
}


@dataclass(frozen=True, slots=True)
class LossFault:
    """Packets of a TS are lost; of an FLV, whole video and audio tags."""

    share: Fraction
    """Of all packets, from 0 to 1."""
    burst: int = 1
    """Packets lost in a row."""


@dataclass(frozen=True, slots=True)
class StallFault:
    """No bytes arrive for some time."""

    at: Fraction
    """Seconds."""
    lasts: Fraction
    """Seconds."""
    lost: bool = False
    """The delayed bytes are lost; otherwise all of them arrive at the end."""


@dataclass(frozen=True, slots=True)
class JumpFault:
    """Timestamps jump."""

    at: Fraction
    by: Fraction
    """Seconds; negative for a jump backward."""
    only: TrackKind | None = None
    """The kind of stream that jumps; None for all streams."""


@dataclass(frozen=True, slots=True)
class WrapFault:
    """The timestamp counter wraps: 33 bits of 90 kHz in a TS, 32 bits of 1 kHz in an FLV."""

    at: Fraction
    """Seconds of media after the first timestamp."""


@dataclass(frozen=True, slots=True)
class DriftFault:
    """The encoder's clock differs from UTC."""

    ppm: int
    """Parts per million that the clock is fast: the feed arrives that much earlier."""


@dataclass(frozen=True, slots=True)
class MuteFault:
    """The audio ends: none of its packets arrive."""

    at: Fraction


@dataclass(frozen=True, slots=True)
class SkewFault:
    """The whole feed is late, as a redundant feed on a longer path."""

    by: Fraction
    """Seconds."""


Fault = (
    LossFault
    | StallFault
    | JumpFault
    | WrapFault
    | ReconnectFault
    | DriftFault
    | MuteFault
    | SkewFault
)


def with_faults(
    events: Iterable[Event], faults: Sequence[Fault], chance: Chance
) -> Iterator[Event]:
    """`events` with `faults` applied in order."""
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
        case LossFault() | JumpFault() | WrapFault() | MuteFault():
            return changed(events, _change(fault, begin, chance))
        case StallFault():
            return _stalled(events, begin + _micros(fault.at), fault)
        case ReconnectFault():
            return reconnected(events, begin + _micros(fault.at), fault)
        case DriftFault():
            return _timed(
                events, lambda at: begin + (at - begin) * _MILLION // (_MILLION + fault.ppm)
            )
        case SkewFault():
            return _timed(events, lambda at: at + _micros(fault.by))
        case _:
            assert_never(fault)


def _change(
    fault: LossFault | JumpFault | WrapFault | MuteFault, begin: int, chance: Chance
) -> Change:
    match fault:
        case LossFault():
            return _PacketLoss(fault, chance)
        case JumpFault():
            return _Jump(begin + _micros(fault.at), fault.by, fault.only)
        case WrapFault():
            return _Wrap(fault.at)
        case MuteFault():
            return _Mute(begin + _micros(fault.at))
        case _:
            assert_never(fault)


def _micros(seconds: Fraction) -> int:
    return round_half_up(seconds * MICROS)


def _timed(events: Iterator[Event], time: Callable[[int], int]) -> Iterator[Event]:
    return (moved(event, time(event.at)) for event in events)


class _PacketLoss:
    def __init__(self, fault: LossFault, chance: Chance) -> None:
        share, burst = fault.share, fault.burst
        # Of 1/p packets outside a burst and `burst` packets in it, `share` is in it.
        begins = share / (share + burst * (1 - share)) if share else Fraction(0)
        self._begins = float(begins)
        """The probability that a burst begins at a packet outside a burst."""
        self._burst = burst
        self._chance = chance
        self._left = 0
        """Packets that the current burst still drops."""

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
class _Jump:
    at: int
    by: Fraction
    only: TrackKind | None

    def __call__(self, at: int, container: Container, unit: bytes) -> bytes:
        if at < self.at or self.only not in (None, _kind(container, unit)):
            return unit
        return shift(container, unit, round_half_up(self.by * COUNTERS[container].rate))


def _kind(container: Container, unit: bytes) -> TrackKind | None:
    """The kind of stream whose timestamps a unit has; None without any."""
    if container is Container.FLV:
        return _FLV_KINDS.get(tag_type(unit))
    stream = stream_id_of(unit) if is_packet(unit) else None
    if stream is None:
        return None
    if stream in VIDEO_STREAMS:
        return TrackKind.VIDEO
    # AC-3 is a private stream.
    is_audio = stream in AUDIO_STREAMS or stream == PRIVATE_STREAM_1
    return TrackKind.AUDIO if is_audio else None


@dataclass(slots=True)
class _Wrap:
    at: Fraction
    ticks: dict[Container, int] = field(default_factory=dict[Container, int])
    """The shift of all timestamps, once the first is known."""

    def __call__(self, _at: int, container: Container, unit: bytes) -> bytes:
        if container not in self.ticks:
            time = time_of(container, unit)
            if time is None:
                return unit
            counter = COUNTERS[container]
            self.ticks[container] = counter.modulus - round_half_up(self.at * counter.rate) - time
        return shift(container, unit, self.ticks[container])


@dataclass(slots=True)
class _Mute:
    """Drops PES packets with the stream_id of MPEG audio, or of private streams, as AC-3 has.

    ISO/IEC 13818-1, table 2-22. Subtitles are private streams too: they are dropped with it.
    """

    at: int
    pids: set[int] = field(default_factory=set[int])

    def __call__(self, at: int, container: Container, unit: bytes) -> bytes:
        is_audio = _kind(container, unit) is TrackKind.AUDIO
        if container is Container.FLV:
            return b"" if at >= self.at and is_audio else unit
        if not is_packet(unit):
            return unit
        if is_audio:
            self.pids.add(pid_of(unit))
        return b"" if at >= self.at and pid_of(unit) in self.pids else unit


def _stalled(events: Iterator[Event], begin: int, fault: StallFault) -> Iterator[Event]:
    end = begin + _micros(fault.lasts)
    for event in events:
        if not begin <= event.at < end:
            yield event
        elif not (fault.lost and isinstance(event, Received)):
            yield moved(event, end)
