"""A media file over and over, as one feed without end."""

from dataclasses import dataclass, field

from packager.feed.container import Container
from packager.feed.timestamps import COUNTERS, pes_id, pid_of, pts_of, shift, tag_time
from packager.feed.units import Tag, is_packet, is_setup, tag_type


@dataclass(slots=True)
class _Stream:
    """The times of one stream, in ticks from that of the first."""

    low: int
    high: int
    last: int
    single: bool
    """Each time is that of one picture or frame of sound; else of several, the last of them fewer.
    """
    count: int = 1
    units: int = 1
    """Packets or tags of it."""
    units_of_last: int = 1
    """Those since its last time."""

    def add(self, time: int) -> None:
        self.last = time
        self.low, self.high = min(self.low, time), max(self.high, time)
        self.count += 1
        self.units += 1
        self.units_of_last = 1

    @property
    def end(self) -> int:
        """After the last, which lasts as long as the others did on average, or as its share."""
        if self.count == 1:
            return self.high
        step = (self.high - self.low) // (self.count - 1)
        if self.single:
            return self.high + step
        others = self.units - self.units_of_last
        return self.high + min(step, step * self.units_of_last * (self.count - 1) // others)


@dataclass(slots=True)
class Extent:
    """How much media there is in the units of a container."""

    container: Container
    streams: dict[int, _Stream] = field(default_factory=dict[int, _Stream])
    """By PID, or by tag type."""
    _base: int | None = None

    def push(self, unit: bytes) -> None:
        """Take its times into account."""
        found = self._time(unit)
        if found is None:
            self._count(unit)
            return
        key, time = found
        if self._base is None:
            self._base = time
        known = self.streams.get(key)
        # The nearest of the instants that the counter may mean.
        around = 0 if known is None else known.last
        modulus = COUNTERS[self.container].modulus
        time = around + (time - self._base - around + modulus // 2) % modulus - modulus // 2
        if known is None:
            single = self.container is Container.FLV or pes_id(unit) in _PICTURES
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
            is_media = kind in (Tag.AUDIO, Tag.VIDEO) and not is_setup(unit)
            return (kind, tag_time(unit)) if kind is not None and is_media else None
        pts = pts_of(unit) if is_packet(unit) else None
        return None if pts is None else (pid_of(unit), pts)

    @property
    def ticks(self) -> int:
        """From the first to after the last: enough that no stream overlaps itself."""
        return max((stream.end - stream.low for stream in self.streams.values()), default=0)


_PICTURES = range(0xE0, 0xF0)
"""stream_id of video (ISO/IEC 13818-1, table 2-22)."""


class Loop:
    """A file over and over as one feed without end: times and continuity counters go on."""

    def __init__(self, container: Container, ticks: int) -> None:
        """`ticks` is how long the media is."""
        self._container = container
        self._ticks = ticks
        self._turn = 0
        self._sent: dict[int, int] = {}
        """By PID: the continuity counter that was sent last."""
        self._offsets: dict[int, int] = {}

    def begin(self) -> None:
        """The next turn begins."""
        self._turn += 1
        self._offsets.clear()

    def change(self, unit: bytes) -> bytes:
        """A unit as it is in this turn; none where it is in the first only."""
        unit_now = shift(self._container, unit, self._turn * self._ticks)
        if self._container is Container.TS:
            return self._counted(unit_now) if is_packet(unit) else unit
        return b"" if self._turn and unit.startswith(b"FLV") else unit_now

    def _counted(self, packet: bytes) -> bytes:
        pid, counter = pid_of(packet), packet[3] & 0x0F
        if pid not in self._offsets:
            # A packet without payload repeats the counter (2.4.3.3), so that the next one counts.
            step = 1 if packet[3] & 0x10 else 0
            sent = self._sent.get(pid)
            self._offsets[pid] = 0 if sent is None else sent + step - counter
        counter = (counter + self._offsets[pid]) % 16
        self._sent[pid] = counter
        return packet[:3] + bytes([packet[3] & 0xF0 | counter]) + packet[4:]
