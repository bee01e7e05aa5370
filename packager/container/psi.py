"""The tables of a transport stream (ISO/IEC 13818-1, 2.4.4): its programs and their streams.

Damaged tables, and tables that apply later (current_next_indicator 0), are skipped.
"""

from dataclasses import dataclass, field

from packager.container.ts_packet import HEADER_SIZE, PID_MASK

_PAT_PID = 0
_PAT, _PMT = 0, 2
_STUFFING = 0xFF
_MAX_SECTION_SIZE = 1024
"""Bytes."""
_MAX_PACKETS = 12
"""Packets that hold a section of that size, with room before and after it."""
_MIN_SECTION_SIZE = 12
"""Bytes of a section with its header and its checksum."""
_MAX_PAT_SECTIONS = 8
_MAX_PROGRAMS = 64
_MAX_AUDIO_STREAMS = 16

_STREAM_TYPES = {
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
"""ISO/IEC 13818-1, table 2-34, and ATSC's types; in ffmpeg's names.

MPEG audio layers share a type: the audio handler detects layer III.
"""
_PRIVATE = 0x06
_DESCRIPTORS = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts", 0x7C: "aac"}
"""ETSI EN 300 468, table 12: descriptors that give the codec of private data."""
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
_VIDEO_CODECS = frozenset(
    ("mpeg1video", "mpeg2video", "mpeg4", "h264", "hevc", "vvc", "cavs", "vc1", "av1")
)


@dataclass(frozen=True, slots=True)
class ElementaryStream:
    """An elementary stream of a program."""

    pid: int
    codec: str
    """ffmpeg's name."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program, as its map (PMT) describes it."""

    number: int
    pid: int
    """PID of the map."""
    clock: int
    """PID of the packets that carry its clock (PCR)."""
    video: ElementaryStream | None
    """The wanted video stream, or else the first."""
    audio: tuple[ElementaryStream, ...]
    pids: frozenset[int]
    """All PIDs of the program, with those of its map and of the PAT."""


@dataclass(slots=True)
class _Collected:
    """The packets of an incomplete section."""

    packets: list[bytes] = field(default_factory=list[bytes])
    data: bytes = b""


class Tables:
    """The newest tables of a stream, and the selected program."""

    def __init__(self, number: int | None, video: int | None = None) -> None:
        """Select program `number`, and the video stream with the PID `video`.

        Without a number: the program of that stream, or the first with video, or else the first.
        """
        self._wanted = number
        self._video = video
        self._collected: dict[int, _Collected] = {}
        self._last: dict[int, bytes] = {}
        """By PID: the last packet, without its header, whose sections were all taken."""
        self._pat: dict[int, bytes] = {}
        """Sections of the PAT, by their number."""
        self._maps: dict[int, tuple[Program, bytes]] = {}
        """By program number: the program and the section that describes it."""
        self._packets: dict[tuple[int, int], tuple[bytes, ...]] = {}
        """By table, and by section number or program number: the packets that carry it."""
        self._selected: tuple[Program, bytes] | None = None
        self.programs: dict[int, int] = {}
        """By program number: the PID of its map."""
        self.pids = frozenset((_PAT_PID,))
        """The PIDs that carry tables."""
        self.revision = 0
        """Increases with each change of the PAT and of the selected program's map."""

    @property
    def program(self) -> Program | None:
        """The selected program, once its map is known."""
        return self._selected[0] if self._selected else None

    @property
    def prelude(self) -> bytes:
        """The packets of the newest tables, in the order that a decoder needs."""
        return b"".join(b"".join(self._packets[key]) for key in sorted(self._packets))

    def push(self, pid: int, packet: bytes, begin: int, *, starts: bool) -> bool:
        """Take a packet of a table, with its payload from `begin` on; `starts`: a section starts.

        Returns: whether the streams changed.
        """
        if starts and self._last.get(pid) == packet[HEADER_SIZE:]:
            return False
        before = self.revision
        if starts:
            self._start(pid, packet, begin)
        else:
            self._extend(pid, packet, packet[begin:])
        return self.revision != before

    def _start(self, pid: int, packet: bytes, begin: int) -> None:
        pointer = packet[begin]
        first = begin + 1 + pointer
        if pointer:
            self._extend(pid, packet, packet[begin + 1 : first])
        collected = self._collected[pid] = _Collected([packet], packet[first:])
        self._take_sections(pid, collected)
        if not pointer and not collected.data:
            self._last[pid] = packet[HEADER_SIZE:]
        else:
            self._last.pop(pid, None)

    def _extend(self, pid: int, packet: bytes, data: bytes) -> None:
        collected = self._collected.get(pid)
        if collected is None or not collected.data:
            return
        if len(collected.packets) >= _MAX_PACKETS:
            del self._collected[pid]
            return
        collected.packets.append(packet)
        collected.data += data
        self._take_sections(pid, collected)

    def _take_sections(self, pid: int, collected: _Collected) -> None:
        """Take the complete sections."""
        data = collected.data
        while data and data[0] != _STUFFING:
            size = 3 + (int.from_bytes(data[1:3]) & 0xFFF)
            if size > _MAX_SECTION_SIZE:
                data = b""
                break
            if len(data) < max(size, 3):
                break
            self._take_section(pid, data[:size], tuple(collected.packets))
            data = data[size:]
        collected.data = b"" if data.startswith(b"\xff") else data

    def _take_section(self, pid: int, section: bytes, packets: tuple[bytes, ...]) -> None:
        if len(section) < _MIN_SECTION_SIZE or not section[5] & 1:
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
            self._select()
        self._packets[_PAT, number] = packets

    def _list_programs(self) -> None:
        programs: dict[int, int] = {}
        for _, section in sorted(self._pat.items()):
            for at in range(8, len(section) - 7, 4):
                number = int.from_bytes(section[at : at + 2])
                if number and len(programs) < _MAX_PROGRAMS:  # 0 is the network's PID
                    programs[number] = int.from_bytes(section[at + 2 : at + 4]) & PID_MASK
        for number in [one for one, pid in self.programs.items() if programs.get(one) != pid]:
            self._maps.pop(number, None)
            self._packets.pop((_PMT, number), None)
        self.programs = programs
        self.pids = frozenset((_PAT_PID, *programs.values()))
        for pid in [one for one in self._collected if one not in self.pids]:
            del self._collected[pid]
        # A map may have arrived before the PAT listed its program: read the next copy.
        self._last.clear()

    def _take_map(self, number: int, pid: int, section: bytes, packets: tuple[bytes, ...]) -> None:
        known = self._maps.get(number)
        if known is None or known[1] != section:
            if _crc(section):
                return
            self._maps[number] = (_program(number, pid, section, self._video), section)
            self._select()
        self._packets[_PMT, number] = packets

    def _select(self) -> None:
        known = [self._maps[number] for number in self.programs if number in self._maps]
        if self._wanted is not None:
            known = [one for one in known if one[0].number == self._wanted]
        with_video = [one for one in known if one[0].video is not None]
        wanted = [one for one in with_video if one[0].video and one[0].video.pid == self._video]
        selected = next(iter(wanted or with_video or known), None)
        if selected != self._selected:
            self._selected = selected
            self.revision += selected is not None


def _program(number: int, pid: int, section: bytes, wanted: int | None) -> Program:
    """The program that a map describes (2.4.4.8); `wanted` is the PID of its video stream."""
    clock = int.from_bytes(section[8:10]) & PID_MASK
    at = 12 + (int.from_bytes(section[10:12]) & 0xFFF)
    end = len(section) - 4
    video: ElementaryStream | None = None
    audio: list[ElementaryStream] = []
    pids = {_PAT_PID, pid, clock}
    while at + 5 <= end:
        stream = int.from_bytes(section[at + 1 : at + 3]) & PID_MASK
        size = int.from_bytes(section[at + 3 : at + 5]) & 0xFFF
        codec = _codec(section[at], section[at + 5 : min(at + 5 + size, end)])
        at += 5 + size
        pids.add(stream)
        if codec in _VIDEO_CODECS:
            if video is None or stream == wanted:
                video = ElementaryStream(stream, codec)
        elif codec and len(audio) < _MAX_AUDIO_STREAMS:
            audio.append(ElementaryStream(stream, codec))
    return Program(number, pid, clock, video, tuple(audio), frozenset(pids))


def _codec(stream_type: int, descriptors: bytes) -> str:
    """The codec of a stream; empty if the stream is neither video nor audio."""
    if stream_type != _PRIVATE:
        return _STREAM_TYPES.get(stream_type, "")
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


def _crc_entry(byte: int) -> int:
    value = byte << 24
    for _ in range(8):
        value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
    return value & 0xFFFFFFFF


_CRC_TABLE = tuple(_crc_entry(byte) for byte in range(256))


def _crc(section: bytes) -> int:
    """The CRC of a section with its checksum: 0 if the checksum is right (annex A)."""
    value = 0xFFFFFFFF
    for byte in section:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC_TABLE[value >> 24 ^ byte]
    return value
