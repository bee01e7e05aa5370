"""The packet of an MPEG transport stream (ISO/IEC 13818-1, 2.4.3)."""

from collections.abc import Iterator

PACKET_SIZE = 188
SYNC_BYTE = 0x47
HEADER_SIZE = 4
"""Bytes: sync byte, PID with flags (2), continuity counter with flags."""

PID_MASK = 0x1FFF
NULL_PID = 0x1FFF
"""Null packets; as the PCR_PID of a program: the program has no PCR (2.4.4.9)."""
TRANSPORT_ERROR, UNIT_START = 0x8000, 0x4000
"""Flags in the 16 bits of the PID: transport_error_indicator, payload_unit_start_indicator."""
SCRAMBLED = 0xC0
ADAPTATION_FIELD, PAYLOAD = 0x20, 0x10
"""Flags in the byte of the continuity counter."""
COUNTER_MASK = 0x0F

DISCONTINUITY, RANDOM_ACCESS, PCR_FLAG, OPCR_FLAG = 0x80, 0x40, 0x10, 0x08
"""Flags of an adaptation field (2.4.3.5)."""
PCR_SIZE = 6
PCR_RATE = 27_000_000
"""Ticks a second of a PCR: 300 for each tick of its base."""
_PCR_OFFSET = 6


def is_packet(data: bytes) -> bool:
    """Whether `data` is exactly one packet."""
    return len(data) == PACKET_SIZE and data[0] == SYNC_BYTE


def pid_of(packet: bytes) -> int:
    """The PID of a packet."""
    return (packet[1] & 0x1F) << 8 | packet[2]


def payload_offset(packet: bytes) -> int:
    """The offset of the payload in a packet; `PACKET_SIZE` if the packet has no payload."""
    if not packet[3] & PAYLOAD:
        return PACKET_SIZE
    if not packet[3] & ADAPTATION_FIELD:
        return HEADER_SIZE
    return min(PACKET_SIZE, HEADER_SIZE + 1 + packet[4])


def pcr_offsets(packet: bytes) -> Iterator[int]:
    """The offsets of PCR and OPCR; no OPCR without a PCR."""
    if not packet[3] & ADAPTATION_FIELD:
        return
    length, flags = packet[4], packet[5]
    if length < 1 + PCR_SIZE or not flags & PCR_FLAG:
        return
    yield _PCR_OFFSET
    if flags & OPCR_FLAG and length >= 1 + 2 * PCR_SIZE:
        yield _PCR_OFFSET + PCR_SIZE


def pcr_of(packet: bytes) -> int | None:
    """The PCR of a packet, in ticks of 27 MHz."""
    for offset in pcr_offsets(packet):
        value = int.from_bytes(packet[offset : offset + PCR_SIZE])
        return (value >> 15) * 300 + (value & 0x1FF)
    return None
