"""The tables of a transport stream: which programmes it has, and what their streams are.

ISO/IEC 13818-1, 2.4.4. Tables that are damaged, or for later, are passed over.
"""

from dataclasses import dataclass, field

_PAT_PID = 0
_PAT, _PMT = 0, 2
_STUFFING = 0xFF
_LONGEST = 1024
"""Bytes of a section, at most."""
_MAX_PACKETS = 12
"""That a section of that size lies in: with room for what is before and after it."""
_SHORTEST = 12
"""Bytes of a section with its head and its checksum."""
_MAX_PAT_SECTIONS = 8
_MAX_PROGRAMS = 64
_MAX_SOUNDS = 16

_TYPES = {
    0x01: "mpeg1video",
    0x02: "mpeg2video",
    0x03: "mp2",
    0x04: "mp2",
    0x0F: "aac",
    0x10: "mpeg4",
    0x11: "aac_latm",
    0x1B: "h264",
    0x24: "hevc",
    0x33: "vvc",
    0x42: "cavs",
    0x81: "ac3",
    0x87: "eac3",
    0xEA: "vc1",
}
"""ISO/IEC 13818-1, table 2-34, with those of ATSC: names are ffmpeg's. Layer III is found later."""
_PRIVATE = 0x06
_DESCRIPTORS = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts", 0x7C: "aac"}
"""ETSI EN 300 468, table 12: what tells the codec of private data."""
_REGISTRATION = 0x05
_REGISTERED = {
    b"AC-3": "ac3",
    b"EAC3": "eac3",
    b"Opus": "opus",
    b"BSSD": "s302m",
    b"DTS1": "dts",
    b"DTS2": "dts",
    b"DTS3": "dts",
    b"HEVC": "hevc",
    b"AV01": "av1",
}
_PICTURES = frozenset(
    ("mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "cavs", "vc1", "av1")
)


@dataclass(frozen=True, slots=True)
class Stream:
    """An elementary stream, by the identifier of its packets."""

    pid: int
    codec: str
    """ffmpeg's name of it."""


@dataclass(frozen=True, slots=True)
class Program:
    """A programme, as its map says."""

    number: int
    pid: int
    """Of the packets of its map."""
    clock: int
    """The identifier of the packets with its clock (PCR)."""
    video: Stream | None
    """The first picture."""
    audio: tuple[Stream, ...]
    pids: frozenset[int]
    """All of its packets' identifiers, those of its map and of the table of programmes too."""


@dataclass(slots=True)
class _Collected:
    """The packets of a section that is not whole yet."""

    packets: list[bytes] = field(default_factory=list[bytes])
    data: bytes = b""


class Tables:
    """The newest tables of a stream, and the programme that is looked at."""

    def __init__(self, number: int | None) -> None:
        """Look at programme `number`, or the first with a picture, or the first."""
        self._wanted = number
        self._collected: dict[int, _Collected] = {}
        self._last: dict[int, bytes] = {}
        """Of each PID, the last packet, but for its head, whose sections were all taken."""
        self._pat: dict[int, bytes] = {}
        """Sections of the table of programmes, by their number."""
        self._maps: dict[int, tuple[Program, bytes]] = {}
        """By programme number."""
        self._packets: dict[tuple[int, int], tuple[bytes, ...]] = {}
        """By table and section or programme number, in what packets it came."""
        self._chosen: tuple[Program, bytes] | None = None
        self.programs: dict[int, int] = {}
        """The PID of the map of each programme."""
        self.pids = frozenset((_PAT_PID,))
        """Whose packets are wanted here."""
        self.revision = 0

    @property
    def program(self) -> Program | None:
        """The programme that is looked at, once its map is there."""
        return self._chosen[0] if self._chosen else None

    @property
    def prelude(self) -> bytes:
        """The packets of the newest tables, in the order that a decoder needs."""
        return b"".join(b"".join(self._packets[key]) for key in sorted(self._packets))

    def push(self, pid: int, packet: bytes, begin: int, *, starts: bool) -> bool:
        """Take a packet of a table, whose payload begins at `begin`.

        `starts`: a section begins in it. Returns: whether streams were announced anew.
        """
        if starts and self._last.get(pid) == packet[4:]:
            return False
        before = self.revision
        if starts:
            self._start(pid, packet, begin)
        else:
            self._go_on(pid, packet, packet[begin:])
        return self.revision != before

    def _start(self, pid: int, packet: bytes, begin: int) -> None:
        pointer = packet[begin]
        first = begin + 1 + pointer
        if pointer:
            self._go_on(pid, packet, packet[begin + 1 : first])
        collected = self._collected[pid] = _Collected([packet], packet[first:])
        self._sections(pid, collected)
        if not pointer and not collected.data:
            self._last[pid] = packet[4:]
        else:
            self._last.pop(pid, None)

    def _go_on(self, pid: int, packet: bytes, data: bytes) -> None:
        collected = self._collected.get(pid)
        if collected is None or not collected.data:
            return
        if len(collected.packets) >= _MAX_PACKETS:
            del self._collected[pid]
            return
        collected.packets.append(packet)
        collected.data += data
        self._sections(pid, collected)

    def _sections(self, pid: int, collected: _Collected) -> None:
        """Take the whole sections that were collected."""
        data = collected.data
        while data and data[0] != _STUFFING:
            size = 3 + (int.from_bytes(data[1:3]) & 0xFFF)
            if size > _LONGEST:
                data = b""
                break
            if len(data) < max(size, 3):
                break
            self._section(pid, data[:size], tuple(collected.packets))
            data = data[size:]
        collected.data = b"" if data.startswith(b"\xff") else data

    def _section(self, pid: int, section: bytes, packets: tuple[bytes, ...]) -> None:
        if len(section) < _SHORTEST or not section[5] & 1:
            return
        table, number = section[0], int.from_bytes(section[3:5])
        if pid == _PAT_PID and table == _PAT:
            self._take_pat(section, packets)
        elif table == _PMT and self.programs.get(number) == pid:
            self._take_map(number, pid, section, packets)

    def _take_pat(self, section: bytes, packets: tuple[bytes, ...]) -> None:
        number, last = section[6], section[7]
        if number >= _MAX_PAT_SECTIONS or number > last:
            return
        if self._pat.get(number) != section:
            if _crc(section):
                return
            self._pat[number] = section
            for gone in [one for one in self._pat if one > last]:
                del self._pat[gone]
                self._packets.pop((_PAT, gone), None)
            self._list_programs()
            self.revision += 1
            self._choose()
        self._packets[_PAT, number] = packets

    def _list_programs(self) -> None:
        programs: dict[int, int] = {}
        for _, section in sorted(self._pat.items()):
            for at in range(8, len(section) - 7, 4):
                number = int.from_bytes(section[at : at + 2])
                if number and len(programs) < _MAX_PROGRAMS:  # 0 is the network's
                    programs[number] = int.from_bytes(section[at + 2 : at + 4]) & 0x1FFF
        for number in [one for one, pid in self.programs.items() if programs.get(one) != pid]:
            self._maps.pop(number, None)
            self._packets.pop((_PMT, number), None)
        self.programs = programs
        self.pids = frozenset((_PAT_PID, *programs.values()))
        for pid in [one for one in self._collected if one not in self.pids]:
            del self._collected[pid]
        # A map may have come before it was known whose it is.
        self._last.clear()

    def _take_map(self, number: int, pid: int, section: bytes, packets: tuple[bytes, ...]) -> None:
        known = self._maps.get(number)
        if known is None or known[1] != section:
            if _crc(section):
                return
            self._maps[number] = (_program(number, pid, section), section)
            self._choose()
        self._packets[_PMT, number] = packets

    def _choose(self) -> None:
        known = [self._maps[number] for number in self.programs if number in self._maps]
        if self._wanted is not None:
            known = [one for one in known if one[0].number == self._wanted]
        with_picture = [one for one in known if one[0].video is not None]
        chosen = next(iter(with_picture or known), None)
        if chosen != self._chosen:
            self._chosen = chosen
            self.revision += chosen is not None


def _program(number: int, pid: int, section: bytes) -> Program:
    """What the map of a programme says (ISO/IEC 13818-1, 2.4.4.8)."""
    clock = int.from_bytes(section[8:10]) & 0x1FFF
    at = 12 + (int.from_bytes(section[10:12]) & 0xFFF)
    end = len(section) - 4
    video: Stream | None = None
    audio: list[Stream] = []
    pids = {_PAT_PID, pid, clock}
    while at + 5 <= end:
        stream = int.from_bytes(section[at + 1 : at + 3]) & 0x1FFF
        size = int.from_bytes(section[at + 3 : at + 5]) & 0xFFF
        codec = _codec(section[at], section[at + 5 : min(at + 5 + size, end)])
        at += 5 + size
        pids.add(stream)
        if codec in _PICTURES:
            video = video or Stream(stream, codec)
        elif codec and len(audio) < _MAX_SOUNDS:
            audio.append(Stream(stream, codec))
    return Program(number, pid, clock, video, tuple(audio), frozenset(pids))


def _codec(kind: int, descriptors: bytes) -> str:
    """The codec of a stream of the type `kind`; nothing where it is neither picture nor sound."""
    if kind != _PRIVATE:
        return _TYPES.get(kind, "")
    at = 0
    while at + 2 <= len(descriptors):
        tag, size = descriptors[at], descriptors[at + 1]
        if tag in _DESCRIPTORS:
            return _DESCRIPTORS[tag]
        name = descriptors[at + 2 : at + 6]
        if tag == _REGISTRATION and name in _REGISTERED:
            return _REGISTERED[name]
        at += 2 + size
    return ""


def _crc_of(octet: int) -> int:
    value = octet << 24
    for _ in range(8):
        value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_CRCS = tuple(_crc_of(octet) for octet in range(256))


def _crc(section: bytes) -> int:
    """0 where the checksum at the end is right (ISO/IEC 13818-1, annex A)."""
    value = 0xFFFFFFFF
    for octet in section:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRCS[value >> 24 ^ octet]
    return value
