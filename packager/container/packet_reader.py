"""Finds the packets of a transport stream among other bytes (ISO/IEC 13818-1, 2.4.3).

A packet has 188 bytes. Recordings of Blu-ray and AVCHD add 4 bytes before each packet; DVB adds
16 Reed-Solomon bytes after it. The reader drops those bytes.
"""

import re

from packager.container.ts_packet import PACKET_SIZE, SYNC_BYTE

_STRIDES = (PACKET_SIZE, 192, 204)
_LOOKAHEAD = 2 * _STRIDES[-1] + 1
"""Bytes that decide whether a packet begins: two more sync bytes must follow at one distance."""
_THREE_SYNC_BYTES = re.compile(
    b"G(?=%s)" % b"|".join(b".{%d}G.{%d}G" % (stride - 1, stride - 1) for stride in _STRIDES),
    re.DOTALL,
)


class PacketReader:
    """Cuts bytes into packets. Any split of the bytes gives the same packets."""

    def __init__(self) -> None:
        self._rest = b""
        self._stride = 0
        """Bytes from packet to packet; 0 while unknown."""
        self.junk = 0
        """Bytes that belong to no packet, so far."""

    def push(self, data: bytes) -> bytes:
        """The packets that `data` completes, joined, without the bytes between them."""
        buffer = self._rest + data if self._rest else data
        blocks: list[bytes] = []
        at, size = 0, len(buffer)
        while True:
            if not self._stride:
                at = self._find(buffer, at)
                if not self._stride:
                    break
            stride = self._stride
            count = (size - at) // stride
            syncs = buffer[at : at + count * stride : stride]
            whole = count if syncs.count(SYNC_BYTE) == count else count - len(syncs.lstrip(b"G"))
            end = at + whole * stride
            if stride == PACKET_SIZE:
                blocks.append(buffer[at:end])
            else:
                blocks += [buffer[begin : begin + PACKET_SIZE] for begin in range(at, end, stride)]
            at = end
            # The first byte of the next packet is checked as soon as it is in the buffer.
            if at == size or buffer[at] == SYNC_BYTE:
                break
            self._stride = 0
        self._rest = buffer[at:]
        return b"".join(blocks)

    def _find(self, buffer: bytes, at: int) -> int:
        """The offset of the first packet from `at` on, or the first offset not yet decided."""
        last = len(buffer) - _LOOKAHEAD
        if last < at:
            return at
        match = _THREE_SYNC_BYTES.search(buffer, at)
        found = last + 1 if match is None else min(match.start(), last + 1)
        self.junk += found - at
        if match is None or found > last:
            return found
        for stride in _STRIDES:
            if buffer[found + stride] == SYNC_BYTE == buffer[found + 2 * stride]:
                self._stride = stride
                break
        return found
