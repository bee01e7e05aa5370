"""The timestamps in packets of a TS and tags of an FLV: read, and moved in place.

A shift is exact arithmetic modulo the counter, and touches no other bit: what is moved and moved
back is what it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from packager.feed.container import Container
from packager.feed.units import PACKET, is_packet, tag_type


@dataclass(frozen=True, slots=True)
class Counter:
    """What a container counts time with."""

    rate: int
    """Ticks a second."""
    modulus: int
    """Ticks until it begins again."""


COUNTERS = {
    Container.TS: Counter(90_000, 1 << 33),
    Container.FLV: Counter(1_000, 1 << 32),
}
"""PTS, DTS and the base of a PCR (ISO/IEC 13818-1, 2.4.3.5 and 2.4.3.7); Timestamp with
TimestampExtended (FLV 10.1, E.4.1)."""

_TICKS = (1 << 33) - 1
_PES = b"\0\0\1"
_NO_HEADER = frozenset({0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF})
"""stream_id of PES packets without optional fields (2.4.3.7): maps, padding, private data 2, ..."""
_PCR_SIZE, _STAMP_SIZE = 6, 5
_PCR_FLAG, _OPCR_FLAG = 0x10, 0x08
_PAYLOAD_START = 0x40
_ADAPTATION, _PAYLOAD = 0x20, 0x10
_SCRAMBLED = 0xC0
_MARKERS = 0xC0
_TWO = 0x80
"""The '10' that the optional fields of a PES header begin with."""
_PTS_FLAG, _DTS_FLAG = 0x80, 0x40
_FIXED = 9
"""Bytes of a PES header before its timestamps."""


def pid_of(packet: bytes) -> int:
    """The PID of a packet."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def payload_at(packet: bytes) -> int:
    """Where the payload of a packet begins; its length where it has none."""
    if not packet[3] & _PAYLOAD:
        return PACKET
    return min(PACKET, 5 + packet[4]) if packet[3] & _ADAPTATION else 4


def pes_id(packet: bytes) -> int | None:
    """The stream_id of the PES packet that begins in a packet, if one does."""
    at = payload_at(packet)
    if packet[3] & _SCRAMBLED or not packet[1] & _PAYLOAD_START:
        return None
    if packet[at : at + 3] != _PES or at + 3 >= PACKET:
        return None
    return packet[at + 3]


def pcr_of(packet: bytes) -> int | None:
    """The PCR of a packet, in ticks of 27 MHz."""
    for at in _clocks(packet):
        value = int.from_bytes(packet[at : at + _PCR_SIZE])
        return (value >> 15) * 300 + (value & 0x1FF)
    return None


def pts_of(packet: bytes) -> int | None:
    """The PTS that a packet brings, in ticks of 90 kHz."""
    for at in _stamps(packet):
        return _stamp(int.from_bytes(packet[at : at + _STAMP_SIZE]))
    return None


def _clocks(packet: bytes) -> Iterator[int]:
    """Where PCR and OPCR are (2.4.3.4); the OPCR alone is none."""
    if not packet[3] & _ADAPTATION or packet[4] < 1 + _PCR_SIZE or not packet[5] & _PCR_FLAG:
        return
    yield 6
    if packet[5] & _OPCR_FLAG and packet[4] >= 1 + 2 * _PCR_SIZE:
        yield 6 + _PCR_SIZE


def _stamps(packet: bytes) -> Iterator[int]:
    """Where PTS and DTS are, of a PES header that is whole in this packet."""
    stream = pes_id(packet)
    if stream is None or stream in _NO_HEADER:
        return
    at = payload_at(packet)
    if at + _FIXED > PACKET or packet[at + 6] & _MARKERS != _TWO:
        return
    flags, length = packet[at + 7], packet[at + 8]
    for place, flag in enumerate((_PTS_FLAG, _DTS_FLAG)):
        begin = at + _FIXED + place * _STAMP_SIZE
        fits = (place + 1) * _STAMP_SIZE <= length and begin + _STAMP_SIZE <= PACKET
        if not flags & flag or not fits:
            return
        yield begin


def _stamp(value: int) -> int:
    """The 33 bits in the 40 of a PTS or a DTS, between markers."""
    return (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | value >> 1 & 0x7FFF


def _with_stamp(value: int, ticks: int) -> int:
    kept = value & ~(7 << 33 | 0x7FFF << 17 | 0x7FFF << 1)
    return kept | (ticks >> 30) << 33 | (ticks >> 15 & 0x7FFF) << 17 | (ticks & 0x7FFF) << 1


def shift_packet(packet: bytes, ticks: int) -> bytes:
    """A packet with PCR, OPCR, PTS and DTS moved by `ticks` of 90 kHz.

    A PES header that goes on in the next packet is left as it is: only one with less than 19 bytes
    in its first packet does. So are times in sections, such as splice points.
    """
    clocks, stamps = list(_clocks(packet)), list(_stamps(packet))
    if not clocks and not stamps:
        return packet
    out = bytearray(packet)
    for at in clocks:
        value = int.from_bytes(packet[at : at + _PCR_SIZE])
        base = (value >> 15) + ticks & _TICKS
        out[at : at + _PCR_SIZE] = (base << 15 | value & 0x7FFF).to_bytes(_PCR_SIZE)
    for at in stamps:
        value = int.from_bytes(packet[at : at + _STAMP_SIZE])
        moved = _with_stamp(value, _stamp(value) + ticks & _TICKS)
        out[at : at + _STAMP_SIZE] = moved.to_bytes(_STAMP_SIZE)
    return bytes(out)


def tag_time(tag: bytes) -> int:
    """The timestamp of an FLV tag, in milliseconds from 0 to 2^32."""
    return tag[7] << 24 | int.from_bytes(tag[4:7])


def at_time(tag: bytes, millis: int) -> bytes:
    """An FLV tag with another timestamp, modulo 2^32."""
    millis %= 1 << 32
    low, high = (millis & 0xFFFFFF).to_bytes(3), bytes([millis >> 24])
    return tag[:4] + low + high + tag[8:]


def time_of(container: Container, unit: bytes) -> int | None:
    """A time that a unit has, in ticks of its container: of a TS a PTS or, without one, a PCR."""
    if container is Container.FLV:
        return None if tag_type(unit) is None else tag_time(unit)
    if not is_packet(unit):
        return None
    if (pts := pts_of(unit)) is not None:
        return pts
    pcr = pcr_of(unit)
    return None if pcr is None else pcr // 300


def shift(container: Container, unit: bytes, ticks: int) -> bytes:
    """A unit with all its times moved by `ticks` of its container."""
    if container is Container.TS:
        return shift_packet(unit, ticks) if is_packet(unit) else unit
    return unit if tag_type(unit) is None else at_time(unit, tag_time(unit) + ticks)
