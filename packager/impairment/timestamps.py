"""Reads and shifts the timestamps in packets of a TS and tags of an FLV.

A shift is exact arithmetic modulo the counter and changes no other bit: a shift and its opposite
restore the bytes.
"""

from packager.container.flv_tag import tag_time, tag_type, with_time
from packager.container.pes import (
    pts_of,
    read_timestamp,
    timestamp_offsets,
    written_timestamp,
)
from packager.container.ts_packet import PCR_SIZE, is_packet, pcr_of, pcr_offsets
from packager.feed.report import Container
from packager.timing.timestamp_counter import FLV_TIMESTAMPS, TS_TIMESTAMPS

COUNTERS = {Container.TS: TS_TIMESTAMPS, Container.FLV: FLV_TIMESTAMPS}
_TS_MASK = TS_TIMESTAMPS.modulus - 1


def shift_packet(packet: bytes, ticks: int) -> bytes:
    """A packet with PCR, OPCR, PTS and DTS shifted by `ticks` of 90 kHz.

    Timestamps beyond the end of the packet stay: the next packet continues their PES header, which
    has less than 19 bytes in this one. Times in sections, such as splice points, stay too.
    """
    clocks, stamps = list(pcr_offsets(packet)), list(timestamp_offsets(packet))
    if not clocks and not stamps:
        return packet
    out = bytearray(packet)
    for at in clocks:
        value = int.from_bytes(packet[at : at + PCR_SIZE])
        base = (value >> 15) + ticks & _TS_MASK
        out[at : at + PCR_SIZE] = (base << 15 | value & 0x7FFF).to_bytes(PCR_SIZE)
    for at in stamps:
        shifted = written_timestamp(packet, at, read_timestamp(packet, at) + ticks & _TS_MASK)
        out[at : at + len(shifted)] = shifted
    return bytes(out)


def time_of(container: Container, unit: bytes) -> int | None:
    """A timestamp of a unit, in ticks of its container; of a TS the PTS, or else the PCR."""
    if container is Container.FLV:
        return None if tag_type(unit) is None else tag_time(unit)
    if not is_packet(unit):
        return None
    if (pts := pts_of(unit)) is not None:
        return pts
    pcr = pcr_of(unit)
    return None if pcr is None else pcr // 300


def shift(container: Container, unit: bytes, ticks: int) -> bytes:
    """A unit with all its timestamps shifted by `ticks` of its container."""
    if container is Container.TS:
        return shift_packet(unit, ticks) if is_packet(unit) else unit
    return unit if tag_type(unit) is None else with_time(unit, tag_time(unit) + ticks)
