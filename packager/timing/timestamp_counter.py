"""The timestamp counters of MPEG-TS and FLV, which wrap around."""


class TimestampCounter:
    """A counter of `bits` bits at `rate` ticks a second."""

    __slots__ = ("_half", "_mask", "modulus", "rate")

    def __init__(self, rate: int, bits: int) -> None:
        self.rate = rate
        self.modulus = 1 << bits
        self._half = 1 << (bits - 1)
        self._mask = self.modulus - 1

    def difference(self, ticks: int, earlier: int) -> int:
        """Ticks from `earlier` to `ticks`, by the shorter way; may be negative."""
        return ((ticks - earlier + self._half) & self._mask) - self._half


TS_TIMESTAMPS = TimestampCounter(90_000, 33)
"""PTS, DTS and the base of a PCR (ISO/IEC 13818-1, 2.4.3.5 and 2.4.3.7)."""
FLV_TIMESTAMPS = TimestampCounter(1_000, 32)
"""Timestamp with TimestampExtended (Adobe FLV 10.1, E.4.1)."""
