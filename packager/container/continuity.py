"""The continuity counters of a transport stream (ISO/IEC 13818-1, 2.4.3.3)."""

from dataclasses import dataclass

from packager.container.ts_packet import COUNTER_MASK, PAYLOAD

_WATCHED = 0x100
"""Set in the expected byte of a watched PID: no packet equals it, so every packet is inspected."""
NEXT_BYTE = [
    byte & 0xF0 | (byte + 1) & COUNTER_MASK if byte & 0xF0 == PAYLOAD else byte
    for byte in range(256)
]
"""By the counter byte of a packet: that byte in the next packet of its PID."""
_REPEATED = 15
"""How far the counter of the previous packet is ahead of the expected one, modulo 16."""
_REORDER_WINDOW = 64
"""Packets within which a missing packet may still arrive."""


@dataclass(slots=True)
class _Gap:
    """Packets of a PID that were skipped; a reordered packet may still fill the gap."""

    counters: int
    """One bit for each missing counter."""
    number: int
    """Packets of all PIDs received before the gap was found."""


class ContinuityCounters:
    """The continuity counters of all PIDs."""

    def __init__(self) -> None:
        self.expected: dict[int, int] = {}
        """By PID: the counter byte of a next packet that has payload and no adaptation field."""
        self._repeated: set[int] = set()
        """PIDs whose last packet arrived twice; one repetition is legal."""
        self._gaps: dict[int, _Gap] = {}
        self._watched: set[int] = set()

    def step(self, pid: int, counter: int, number: int, *, jumps: bool) -> tuple[bool, int]:
        """Count packet `number`, which has payload; `jumps`: the packet signals a discontinuity.

        Returns: whether the payload is new, and how many packets were missing or surplus.
        """
        expected = self.expected.get(pid)
        if expected is None or jumps or expected & COUNTER_MASK == counter:
            self._expect(pid, counter + 1)
            return True, 0
        ahead = (counter - expected) & COUNTER_MASK
        if ahead == _REPEATED:
            legal = pid not in self._repeated
            self._repeated.add(pid)
            return False, 0 if legal else 1
        gap = self._gaps.get(pid)
        if gap and gap.counters >> counter & 1 and number - gap.number < _REORDER_WINDOW:
            gap.counters &= ~(1 << counter)
            return False, 0
        missing = sum(1 << ((expected + one) & COUNTER_MASK) for one in range(ahead))
        self._gaps[pid] = _Gap(missing, number)
        self._expect(pid, counter + 1)
        return True, ahead

    def _expect(self, pid: int, counter: int) -> None:
        self._repeated.discard(pid)
        watched = _WATCHED if pid in self._watched else 0
        self.expected[pid] = counter & COUNTER_MASK | PAYLOAD | watched

    def watch(self, pid: int) -> None:
        """Have every packet of `pid` inspected."""
        self._watched.add(pid)
        if pid in self.expected:
            self.expected[pid] |= _WATCHED

    def unwatch(self, pid: int) -> None:
        """Have only those packets of `pid` inspected that differ from the expected one."""
        self._watched.discard(pid)
        if pid in self.expected:
            self.expected[pid] &= ~_WATCHED
