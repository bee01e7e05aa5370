"""Transport streams made packet by packet, for cases that no encoder produces."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

PACKET = 188
VIDEO, SOUND, MAP = 0x100, 0x101, 0x1000
H264, HEVC, MPEG2, AAC = 0x1B, 0x24, 0x02, 0x0F
_WRAP = 1 << 33

SPS = b"\0\0\1\x67\x64\x00\x1e\xac"
PPS = b"\0\0\1\x68\xee\x3c"
IDR = b"\0\0\1\x65\x88\x84"
SLICE = b"\0\0\1\x41\x9a\x24"
RECOVERY = b"\0\0\1\x06\x06\x01\xc4\x80"


def crc(data: bytes) -> int:
    """ISO/IEC 13818-1, annex A, bit by bit."""
    value = 0xFFFFFFFF
    for octet in data:
        value ^= octet << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)
            value &= 0xFFFFFFFF
    return value


def section(table: int, number: int, body: bytes, *, version: int = 0) -> bytes:
    size = len(body) + 9
    head = bytes((table, 0xB0 | size >> 8, size & 0xFF))
    whole = head + number.to_bytes(2) + bytes((0xC1 | version << 1, 0, 0)) + body
    return whole + crc(whole).to_bytes(4)


def pat(programs: dict[int, int], *, version: int = 0) -> bytes:
    body = b"".join(
        number.to_bytes(2) + (0xE000 | pid).to_bytes(2) for number, pid in programs.items()
    )
    return section(0, 1, body, version=version)


def pmt(
    number: int, streams: Sequence[tuple[int, int, bytes]], clock: int, *, version: int = 0
) -> bytes:
    """`streams`: type, PID and descriptors of each."""
    body = (0xE000 | clock).to_bytes(2) + b"\xf0\0"
    for kind, pid, descriptors in streams:
        size = (0xF000 | len(descriptors)).to_bytes(2)
        body += bytes((kind,)) + (0xE000 | pid).to_bytes(2) + size + descriptors
    return section(2, number, body, version=version)


def _stamp(prefix: int, ticks: int) -> bytes:
    ticks %= _WRAP
    return bytes((
        prefix << 4 | ticks >> 29 & 0xE | 1,
        ticks >> 22 & 0xFF, ticks >> 14 & 0xFE | 1,
        ticks >> 7 & 0xFF, ticks << 1 & 0xFE | 1,
    ))  # fmt: skip


def pes(identifier: int, payload: bytes, shown: int | None, decoded: int | None = None) -> bytes:
    stamps, flags = b"", 0
    if shown is not None and decoded is None:
        stamps, flags = _stamp(2, shown), 0x80
    elif shown is not None and decoded is not None:
        stamps, flags = _stamp(3, shown) + _stamp(1, decoded), 0xC0
    return b"\0\0\1" + bytes((identifier, 0, 0, 0x80, flags, len(stamps))) + stamps + payload


@dataclass
class Mux:
    """Writes packets one after the other."""

    data: bytearray = field(default_factory=bytearray)
    counters: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def packet(
        self,
        pid: int,
        payload: bytes = b"",
        *,
        starts: bool = False,
        clock: int | None = None,
        flags: int = 0,
    ) -> None:
        """Write one packet, with stuffing to its end."""
        flags |= 0 if clock is None else 0x10
        field = bytes((flags,)) if flags else b""
        if clock is not None:
            field += ((clock % _WRAP) << 15 | 0x7E00).to_bytes(6)
        room = PACKET - 4 - len(payload) - (len(field) + 1 if field else 0)
        assert room >= 0
        if field or room:
            field = field or (b"\0" if room > 1 else b"")
            stuffing = PACKET - 4 - len(payload) - 1 - len(field)
            adaptation = bytes((len(field) + stuffing,)) + field + b"\xff" * stuffing
        else:
            adaptation = b""
        control = (0x20 if adaptation else 0) | (0x10 if payload else 0)
        counter = self.counters[pid] if payload else (self.counters[pid] - 1) & 15
        self.data += bytes((0x47, 0x40 * starts | pid >> 8, pid & 0xFF, control | counter))
        self.data += adaptation + payload
        if payload:
            self.counters[pid] = (self.counters[pid] + 1) & 15

    def unit(self, pid: int, unit: bytes, *, clock: int | None = None, flags: int = 0) -> None:
        """Write a PES packet or a section, in as many packets as necessary."""
        room = PACKET - 4 - (8 if clock is not None else 2 if flags else 0)
        self.packet(pid, unit[:room], starts=True, clock=clock, flags=flags)
        for at in range(room, len(unit), PACKET - 4):
            self.packet(pid, unit[at : at + PACKET - 4])

    def section(self, pid: int, *sections: bytes) -> None:
        unit = b"\0" + b"".join(sections)
        self.unit(pid, unit + b"\xff" * (-len(unit) % (PACKET - 4)))

    def tables(self, video: int = H264, *, version: int = 0) -> None:
        """Write the tables of a program with video and AAC."""
        self.section(0, pat({1: MAP}))
        streams = [(video, VIDEO, b""), (AAC, SOUND, b"")]
        self.section(MAP, pmt(1, streams, VIDEO, version=version))

    def picture(
        self, ticks: int, unit: bytes = SLICE, *, clock: int | None = None, flags: int = 0
    ) -> None:
        """Write the frame `unit` with the PTS `ticks`, and 300 more bytes."""
        payload = pes(0xE0, unit + b"\x55" * 300, ticks)
        self.unit(VIDEO, payload, clock=clock, flags=flags)

    def sound(self, ticks: int, header: bytes = b"\x55\x55") -> None:
        """Write an AAC frame; the two bytes of `header` have profile, sample rate, channels."""
        self.unit(SOUND, pes(0xC0, b"\xff\xf1" + header + b"\x55" * 98, ticks))

    def take(self) -> bytes:
        """The packets since the last call."""
        data = bytes(self.data)
        self.data.clear()
        return data
