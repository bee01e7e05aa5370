"""The header of a PES packet and its timestamps (ISO/IEC 13818-1, 2.4.3.6 and 2.4.3.7)."""

from collections.abc import Iterator
from typing import NamedTuple

from packager.container.ts_packet import PACKET_SIZE, SCRAMBLED, UNIT_START, payload_offset

START_CODE = b"\0\0\1"
AUDIO_STREAMS, VIDEO_STREAMS = range(0xC0, 0xE0), range(0xE0, 0xF0)
PRIVATE_STREAM_1 = 0xBD
"""Values of stream_id (table 2-22)."""
TIMESTAMP_SIZE = 5
_WITHOUT_OPTIONAL_FIELDS = frozenset({0xBC, 0xBE, 0xBF, 0xF0, 0xF1, 0xF2, 0xF8, 0xFF})
"""Values of stream_id: maps, padding, private_stream_2, ECM, EMM, DSM-CC, H.222.1 type E."""
_FIXED_SIZE = 9
"""Bytes of a header before its timestamps."""
_MARKER_MASK, _MARKER = 0xC0, 0x80
"""The bits '10' before the flags of the optional fields."""
_PTS_FLAG, _DTS_FLAG = 0x80, 0x40


class PesHeader(NamedTuple):
    """The timestamps of a PES packet, in ticks of 90 kHz, and its first payload bytes."""

    dts: int | None
    """The PTS if the header has no DTS."""
    pts: int | None
    payload: bytes


def parse_pes(data: bytes) -> PesHeader | None:
    """The header at the start of `data`; None if `data` does not start an audio or video PES."""
    if len(data) < _FIXED_SIZE or not data.startswith(START_CODE):
        return None
    flags, size = data[7], data[8]
    payload = data[_FIXED_SIZE + size :]
    if not flags & _PTS_FLAG or not _has_timestamps(data, size, 1):
        return PesHeader(None, None, payload)
    pts = read_timestamp(data, _FIXED_SIZE)
    if not flags & _DTS_FLAG or not _has_timestamps(data, size, 2):
        return PesHeader(pts, pts, payload)
    return PesHeader(read_timestamp(data, _FIXED_SIZE + TIMESTAMP_SIZE), pts, payload)


def _has_timestamps(data: bytes, size: int, count: int) -> bool:
    return min(size, len(data) - _FIXED_SIZE) >= count * TIMESTAMP_SIZE


def stream_id_of(packet: bytes) -> int | None:
    """The stream_id of the PES packet that begins in a TS packet; None if none begins there."""
    offset = payload_offset(packet)
    if packet[3] & SCRAMBLED or not packet[1] & UNIT_START >> 8:
        return None
    if packet[offset : offset + 3] != START_CODE or offset + 3 >= PACKET_SIZE:
        return None
    return packet[offset + 3]


def timestamp_offsets(packet: bytes) -> Iterator[int]:
    """The offsets of PTS and DTS in a TS packet.

    A PES header that continues in the next TS packet yields the timestamps before the end only.
    """
    stream = stream_id_of(packet)
    if stream is None or stream in _WITHOUT_OPTIONAL_FIELDS:
        return
    begin = payload_offset(packet)
    if begin + _FIXED_SIZE > PACKET_SIZE or packet[begin + 6] & _MARKER_MASK != _MARKER:
        return
    flags, size = packet[begin + 7], packet[begin + 8]
    for index, flag in enumerate((_PTS_FLAG, _DTS_FLAG)):
        offset = begin + _FIXED_SIZE + index * TIMESTAMP_SIZE
        fits = (index + 1) * TIMESTAMP_SIZE <= size and offset + TIMESTAMP_SIZE <= PACKET_SIZE
        if not flags & flag or not fits:
            return
        yield offset


def pts_of(packet: bytes) -> int | None:
    """The PTS in a TS packet, in ticks of 90 kHz."""
    for offset in timestamp_offsets(packet):
        return read_timestamp(packet, offset)
    return None


def read_timestamp(data: bytes, offset: int) -> int:
    """The 33 bits of a PTS or DTS, which lie between marker bits."""
    value = int.from_bytes(data[offset : offset + TIMESTAMP_SIZE])
    return (value >> 33 & 7) << 30 | (value >> 17 & 0x7FFF) << 15 | value >> 1 & 0x7FFF


def written_timestamp(data: bytes, offset: int, ticks: int) -> bytes:
    """The PTS or DTS at `offset` with the value `ticks`; all other bits stay."""
    value = int.from_bytes(data[offset : offset + TIMESTAMP_SIZE])
    kept = value & ~(7 << 33 | 0x7FFF << 17 | 0x7FFF << 1)
    bits = (ticks >> 30) << 33 | (ticks >> 15 & 0x7FFF) << 17 | (ticks & 0x7FFF) << 1
    return (kept | bits).to_bytes(TIMESTAMP_SIZE)
