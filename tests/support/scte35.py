"""Splice cues in a transport stream (ANSI/SCTE 35)."""

from tests.support.transport import MAP, PACKET, Mux, crc

CUES = 0x258
"""The PID of the cues."""
SPLICE_INFO, STREAM_TYPE, SPLICE_INSERT = 0xFC, 0x86, 5
_REGISTRATION = b"\x05\x04CUEI"
"""A registration descriptor (section 8.1), which a programme with cues has."""
_HEAD = 8
"""Bytes of a section before its body."""


def splice_insert(event: int, at: int, length: int) -> bytes:
    """A section with the order to leave the network at `at` for `length` ticks, then return.

    Section 9.6 (`splice_info_section`) with 9.7.3 (`splice_insert`).
    """
    # Not cancelled; out of network, the programme as a whole, with a duration, not at once.
    command = event.to_bytes(4) + b"\x7f" + b"\xef"
    command += (0xFE << 32 | at).to_bytes(5)
    command += (0xFE << 32 | length).to_bytes(5)
    # Unique programme 1, avail 0 of 0.
    command += b"\0\1\0\0"
    # Protocol version 0, not encrypted, no adjustment, no control word, any tier.
    body = b"\0" + bytes(5) + b"\xff" + (0xFFF << 12 | len(command)).to_bytes(3)
    body += bytes((SPLICE_INSERT,)) + command + b"\0\0"
    head = bytes((SPLICE_INFO,)) + (0x3000 | len(body) + 4).to_bytes(2)
    return head + body + crc(head + body).to_bytes(4)


def _with_cues(packet: bytes) -> bytes:
    """The programme map in a packet, with the stream of cues."""
    begin = 5 + packet[4]
    size = int.from_bytes(packet[begin + 1 : begin + 3]) & 0xFFF
    table = packet[begin : begin + 3 + size - 4]
    known = int.from_bytes(table[_HEAD + 2 : _HEAD + 4]) & 0xFFF
    body = table[_HEAD : _HEAD + 2]
    body += (0xF000 | len(_REGISTRATION)).to_bytes(2) + _REGISTRATION
    body += table[_HEAD + 4 + known :]
    body += bytes((STREAM_TYPE,)) + (0xE000 | CUES).to_bytes(2) + b"\xf0\0"
    head = table[:1] + (0xB000 | len(body) + 9).to_bytes(2) + table[3:_HEAD]
    return head + body + crc(head + body).to_bytes(4)


def with_cue(feed: bytes) -> bytes:
    """`feed`, whose programme map fits in one packet, with a cue after the first map."""
    out, mux, cue = bytearray(), Mux(), splice_insert(1, 132_000 + 90_000, 30 * 90_000)
    for at in range(0, len(feed), PACKET):
        packet = feed[at : at + PACKET]
        if int.from_bytes(packet[1:3]) & 0x1FFF != MAP:
            out += packet
            continue
        mux.section(MAP, _with_cues(packet))
        if cue:
            mux.section(CUES, cue)
            cue = b""
        out += mux.take()
    return bytes(out)
