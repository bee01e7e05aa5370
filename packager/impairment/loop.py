"""Repeats a media file as one endless feed."""

from dataclasses import dataclass, field

from packager.container.flv_tag import SIGNATURE, TagType, tag_time, tag_type
from packager.container.pes import VIDEO_STREAMS, pts_of, stream_id_of
from packager.container.ts_packet import COUNTER_MASK, PAYLOAD, is_packet, pid_of
from packager.feed.report import Container
from packager.impairment.cutting import is_setup
from packager.impairment.timestamps import COUNTERS, shift


@dataclass(slots=True)
class _Stream:
    """The timestamps of one stream, in ticks relative to the first timestamp of the file."""

    low: int
    high: int
    last: int
    single: bool
    """Each timestamp is that of one frame; otherwise of several frames, the last with fewer."""
    count: int = 1
    units: int = 1
    """Packets or tags of the stream."""
    units_of_last: int = 1
    """Packets or tags since the last timestamp."""

    def add(self, time: int) -> None:
        self.last = time
        self.low, self.high = min(self.low, time), max(self.high, time)
        self.count += 1
        self.units += 1
        self.units_of_last = 1

    @property
    def end(self) -> int:
        """The end of the last frame: it lasts as long as the others on average, or its share."""
        if self.count == 1:
            return self.high
        step = (self.high - self.low) // (self.count - 1)
        if self.single:
            return self.high + step
        others = self.units - self.units_of_last
        return self.high + min(step, step * self.units_of_last * (self.count - 1) // others)


@dataclass(slots=True)
class MediaExtent:
    """Measures the duration of the media in the units of a container."""

    container: Container
    streams: dict[int, _Stream] = field(default_factory=dict[int, _Stream])
    """By PID, or by tag type."""
    _base: int | None = None

    def push(self, unit: bytes) -> None:
        """Take the timestamps of a unit into account."""
        found = self._time(unit)
        if found is None:
            self._count(unit)
            return
        key, time = found
        if self._base is None:
            self._base = time
        known = self.streams.get(key)
        # The counter wraps: take the value that is nearest to the last one.
        around = 0 if known is None else known.last
        modulus = COUNTERS[self.container].modulus
        time = around + (time - self._base - around + modulus // 2) % modulus - modulus // 2
        if known is None:
            single = self.container is Container.FLV or stream_id_of(unit) in VIDEO_STREAMS
            self.streams[key] = _Stream(time, time, time, single)
        else:
            known.add(time)

    def _count(self, unit: bytes) -> None:
        if self.container is Container.TS and is_packet(unit):
            stream = self.streams.get(pid_of(unit))
            if stream is not None:
                stream.units += 1
                stream.units_of_last += 1

    def _time(self, unit: bytes) -> tuple[int, int] | None:
        if self.container is Container.FLV:
            kind = tag_type(unit)
            is_media = kind in (TagType.AUDIO, TagType.VIDEO) and not is_setup(unit)
            return (kind, tag_time(unit)) if kind is not None and is_media else None
        pts = pts_of(unit) if is_packet(unit) else None
        return None if pts is None else (pid_of(unit), pts)

    @property
    def ticks(self) -> int:
        """The duration: long enough that no stream overlaps itself in a loop."""
        return max((stream.end - stream.low for stream in self.streams.values()), default=0)


class Loop:
    """Rewrites the units of each turn so that timestamps and continuity counters continue."""

    def __init__(self, container: Container, ticks: int) -> None:
        """Loop media that lasts `ticks`."""
        self._container = container
        self._ticks = ticks
        self._turn = 0
        self._sent: dict[int, int] = {}
        """By PID: the last continuity counter sent."""
        self._offsets: dict[int, int] = {}

    def begin(self) -> None:
        """Begin the next turn."""
        self._turn += 1
        self._offsets.clear()

    def change(self, unit: bytes) -> bytes:
        """A unit as it is in this turn; empty if it belongs to the first turn only."""
        shifted = shift(self._container, unit, self._turn * self._ticks)
        if self._container is Container.TS:
            return self._counted(shifted) if is_packet(unit) else unit
        return b"" if self._turn and unit.startswith(SIGNATURE) else shifted

    def _counted(self, packet: bytes) -> bytes:
        pid, counter = pid_of(packet), packet[3] & COUNTER_MASK
        if pid not in self._offsets:
            # A packet without payload repeats the counter (2.4.3.3).
            step = 1 if packet[3] & PAYLOAD else 0
            sent = self._sent.get(pid)
            self._offsets[pid] = 0 if sent is None else sent + step - counter
        counter = (counter + self._offsets[pid]) % 16
        self._sent[pid] = counter
        return packet[:3] + bytes([packet[3] & 0xF0 | counter]) + packet[4:]
