"""Turns a media file into a schedule, by the clock in the file.

A TS is paced by the PCRs of the first PID that has any; the packets between two PCRs are spread
evenly. An FLV is paced by the timestamps of its tags. Media without such a clock is sent at once.
"""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Protocol

from packager.container.flv_tag import SIGNATURE, TagType, tag_time, tag_type
from packager.container.ts_packet import (
    PACKET_SIZE,
    PCR_RATE,
    SYNC_BYTE,
    is_packet,
    pcr_of,
    pid_of,
)
from packager.feed.report import Container
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from packager.impairment.timestamps import COUNTERS
from packager.timing.ticks import MICROS, round_half_up

PACKETS = 7
"""Packets of a TS that are sent together: as many as fit a datagram."""
_MAX_STEP = 10
"""Seconds from one value to the next; a larger step means that the clock was set. PCRs should be at
most 0.1 s apart (ISO/IEC 13818-1, 2.7.2), but there are recorded files with two seconds."""
_MAX_GROUP = 1 << 16
"""Packets between two PCRs that are held."""
_DETECTED_PACKETS = 5
"""Sync bytes in a row that identify a transport stream."""


def paced(container: Container, units: Iterable[bytes], peer: str) -> Iterator[Event]:
    """One connection that starts at the instant 0 and sends the `units` of a container in time."""
    pace: _Pace = _TsPace() if container is Container.TS else _FlvPace()
    yield Connected(0, container, peer)
    for unit in units:
        yield from pace.push(unit)
    yield from pace.rest()
    yield Disconnected(pace.at, "end of the file")


class _Pace(Protocol):
    @property
    def at(self) -> int:
        """The instant of the last unit, in microseconds."""
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
        if step > _MAX_STEP * PCR_RATE:
            return round_half_up(self._each * len(self._group))
        self._each = Fraction(step, len(self._group))
        return step

    def rest(self) -> Iterator[Event]:
        """The remaining packets, at the pace of the last group."""
        yield from self._flush(round_half_up(self._each * len(self._group)))

    def _flush(self, ticks: int) -> Iterator[Event]:
        """The group, spread over `ticks`."""
        group, self._group = self._group, []
        for first in range(0, len(group), PACKETS):
            now = self._clock + ticks * first // len(group)
            self.at = now * MICROS // PCR_RATE
            yield Received(self.at, b"".join(group[first : first + PACKETS]))
        self._clock += ticks


class _FlvPace:
    def __init__(self) -> None:
        self.at = 0
        self._last: dict[TagType, tuple[int, int]] = {}
        """By type: the newest timestamp, and the instant of its tag."""

    def push(self, unit: bytes) -> Iterator[Event]:
        kind = tag_type(unit)
        if kind is not None:
            time = tag_time(unit)
            # Audio and video may count from different epochs.
            last, at = self._last.get(kind, (time, self.at))
            step = (time - last) % COUNTERS[Container.FLV].modulus
            due = self.at if step > _MAX_STEP * 1000 else at + step * 1000
            self.at = max(self.at, due)
            self._last[kind] = time, due
        yield Received(self.at, unit)

    def rest(self) -> Iterator[Event]:
        return iter(())


def container_of(head: bytes) -> Container | None:
    """The container of a file that begins with `head`; None if it is neither TS nor FLV."""
    if head.startswith(SIGNATURE):
        return Container.FLV
    size = _DETECTED_PACKETS * PACKET_SIZE
    offsets = range(min(len(head), 4 * PACKET_SIZE))
    if any(set(head[at : at + size : PACKET_SIZE]) == {SYNC_BYTE} for at in offsets):
        return Container.TS
    return None
