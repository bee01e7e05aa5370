"""The packets of a transport stream among whatever else is there (ISO/IEC 13818-1, 2.4.3).

Packets of 188 bytes, also with 4 bytes before each (recordings of Blu-ray and AVCHD) or 16 bytes
after it (Reed-Solomon of DVB): what is more than the packet is left out.
"""

import re

PACKET = 188
SYNC = 0x47

_STRIDES = (PACKET, 192, 204)
_AHEAD = 2 * _STRIDES[-1] + 1
"""Bytes that tell whether a packet begins: two more must follow it at the same distance."""
_THREE = re.compile(
    b"G(?=%s)" % b"|".join(b".{%d}G.{%d}G" % (stride - 1, stride - 1) for stride in _STRIDES),
    re.DOTALL,
)


class Packets:
    """Cuts bytes into packets. Any split of the bytes gives the same packets."""

    def __init__(self) -> None:
        """Nothing has come; where packets begin is not known."""
        self._rest = b""
        self._stride = 0
        """Bytes from packet to packet; 0 while that is not known."""
        self.junk = 0
        """Bytes that belonged to no packet."""

    def push(self, data: bytes) -> bytes:
        """The packets that `data` completes, without what is between them."""
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
            whole = count if syncs.count(SYNC) == count else count - len(syncs.lstrip(b"G"))
            end = at + whole * stride
            if stride == PACKET:
                blocks.append(buffer[at:end])
            else:
                blocks += [buffer[begin : begin + PACKET] for begin in range(at, end, stride)]
            at = end
            # The first byte of the next one is judged as soon as it is there.
            if at == size or buffer[at] == SYNC:
                break
            self._stride = 0
        self._rest = buffer[at:]
        return b"".join(blocks)

    def _find(self, buffer: bytes, at: int) -> int:
        """Where packets begin from `at` on, or from where on that is open still."""
        last = len(buffer) - _AHEAD
        if last < at:
            return at
        match = _THREE.search(buffer, at)
        found = last + 1 if match is None else min(match.start(), last + 1)
        self.junk += found - at
        if match is None or found > last:
            return found
        for stride in _STRIDES:
            if buffer[found + stride] == SYNC == buffer[found + 2 * stride]:
                self._stride = stride
                break
        return found
