"""When the bytes of a media file would have come from an encoder, by the clock that is in them.

A TS is paced by the PCRs of the first PID that has any, with the packets between two of them spread
evenly; an FLV by the timestamps of its tags. What has no such clock comes all at once.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Protocol

from packager.feed.container import Container
from packager.feed.schedule import Connected, Disconnected, Event, Received
from packager.feed.timestamps import (
    COUNTERS,
    pcr_of,
    pid_of,
    tag_time,
)
from packager.feed.units import PACKET, is_packet, tag_type
from packager.ticks import MICROS, round_half_up

PACKETS = 7
"""Packets of a TS that come in one go: what fits a datagram."""
_PCR_RATE = 27_000_000
_LONGEST = 10
"""Seconds from one time to the next; what is further away is a clock that was set. PCRs should come
each 0.1 s (ISO/IEC 13818-1, 2.7.2), but recorded files are seen with two seconds in between."""
_MAX_GROUP = 1 << 16
"""Packets between two PCRs that are held."""


def paced(container: Container, units: Iterable[bytes], peer: str) -> Iterator[Event]:
    """One connection, from the instant 0 on, in which the `units` of a container come in time."""
    pace: _Pace = _TsPace() if container is Container.TS else _FlvPace()
    yield Connected(0, container, peer)
    for unit in units:
        yield from pace.push(unit)
    yield from pace.rest()
    yield Disconnected(pace.at, "the file is over")


class _Pace(Protocol):
    @property
    def at(self) -> int:
        """The instant of what came last, in microseconds."""
        ...

    def push(self, unit: bytes) -> Iterator[Event]: ...

    def rest(self) -> Iterator[Event]: ...


class _TsPace:
    def __init__(self) -> None:
        self.at = 0
        self._clock = 0
        """Ticks of 27 MHz since the first PCR."""
        self._pid: int | None = None
        self._last = 0
        self._group: list[bytes] = []
        self._each = Fraction(0)
        """Ticks from packet to packet, in the last group."""

    def push(self, unit: bytes) -> Iterator[Event]:
        pcr = pcr_of(unit) if is_packet(unit) else None
        if pcr is not None and self._pid in (None, pid_of(unit)):
            if self._pid is None:
                yield from self._flush(0)
            else:
                yield from self._flush(self._step(pcr))
            self._pid = pid_of(unit)
            self._last = pcr
        self._group.append(unit)
        if len(self._group) >= _MAX_GROUP:
            yield from self.rest()

    def _step(self, pcr: int) -> int:
        step = (pcr - self._last) % (COUNTERS[Container.TS].modulus * 300)
        if step > _LONGEST * _PCR_RATE:
            return round_half_up(self._each * len(self._group))
        self._each = Fraction(step, len(self._group))
        return step

    def rest(self) -> Iterator[Event]:
        """What is left, at the pace of the last group."""
        yield from self._flush(round_half_up(self._each * len(self._group)))

    def _flush(self, ticks: int) -> Iterator[Event]:
        """The group, spread over `ticks`."""
        group, self._group = self._group, []
        for first in range(0, len(group), PACKETS):
            now = self._clock + ticks * first // len(group)
            self.at = now * MICROS // _PCR_RATE
            yield Received(self.at, b"".join(group[first : first + PACKETS]))
        self._clock += ticks


class _FlvPace:
    def __init__(self) -> None:
        self.at = 0
        self._last: int | None = None

    def push(self, unit: bytes) -> Iterator[Event]:
        if tag_type(unit) is not None:
            time = tag_time(unit)
            if self._last is not None:
                step = (time - self._last) % COUNTERS[Container.FLV].modulus
                self.at += 0 if step > _LONGEST * 1000 else step * 1000
            self._last = time
        yield Received(self.at, unit)

    def rest(self) -> Iterator[Event]:
        return iter(())


def container_of(head: bytes) -> Container | None:
    """What a file is that begins with `head`; None for neither TS nor FLV."""
    if head.startswith(b"FLV"):
        return Container.FLV
    places = range(min(len(head), 4 * PACKET))
    if any(set(head[at : at + 5 * PACKET : PACKET]) == {0x47} for at in places):
        return Container.TS
    return None
