"""HEVC parameter sets, and the decoder configuration that they make."""

from collections.abc import Sequence
from struct import pack

from packager.errors import MediaError

PARAMETER_SETS = (32, 33, 34)
"""NAL unit types of VPS, SPS and PPS (ISO/IEC 23008-2 table 7-1)."""
_SPS = 33
HEVC_FIXED = 22
"""Bytes of a configuration before the number of its arrays."""
_MOST = 256
"""Bytes of a sequence parameter set that are read: the fields lie within them."""
_MAX_CHROMA = 3
_MAX_DEPTH = 7
"""Bits of a sample beyond 8 that a record can name."""
_LONGEST = 32
"""Zeros before a number of variable length."""


def unit_type(first_byte: int) -> int:
    """The NAL unit type of a unit that begins with this byte (section 7.3.1.2)."""
    return first_byte >> 1 & 63


def hevc_configuration(sets: Sequence[bytes]) -> bytes:
    """An HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1) for 4-byte lengths.

    Raises:
        MediaError: a sequence parameter set is missing or cut short.
    """
    by_type = {kind: [s for s in sets if unit_type(s[0]) == kind] for kind in PARAMETER_SETS}
    if not by_type[_SPS]:
        raise MediaError("no sequence parameter set in the first sample", box="mdat")
    try:
        fixed = _fixed(by_type[_SPS][0])
    except IndexError:
        raise MediaError("sequence parameter set cut short", box="mdat") from None
    arrays = [(kind, units) for kind, units in by_type.items() if units]
    parts = [fixed, bytes((len(arrays),))]
    for kind, units in arrays:
        # Complete: the samples have no more of this type.
        parts.append(pack(">BH", 0x80 | kind, len(units)))
        parts += [pack(">H", len(unit)) + unit for unit in units]
    return b"".join(parts)


def _fixed(unit: bytes) -> bytes:
    """The record up to its arrays, from a sequence parameter set (section 7.3.2.2.1)."""
    data = unit[2:_MOST].replace(b"\0\0\3", b"\0\0")  # without the bytes of section 7.3.1.1
    layers, is_nested = (data[0] >> 1 & 7) + 1, data[0] & 1
    bits = _Bits(data[13:])
    present = [(bits.read(1), bits.read(1)) for _ in range(layers - 1)]
    if layers > 1:
        bits.read(2 * (9 - layers))
    for has_profile, has_level in present:
        bits.read(88 * has_profile + 8 * has_level)
    bits.number()
    chroma = bits.number()
    bits.read(int(chroma == _MAX_CHROMA))  # separate_colour_plane_flag
    bits.number()
    bits.number()
    if bits.read(1):
        for _ in range(4):
            bits.number()
    luma_depth, chroma_depth = bits.number(), bits.number()
    if chroma > _MAX_CHROMA or max(luma_depth, chroma_depth) > _MAX_DEPTH:
        raise IndexError
    return b"".join(
        (
            b"\1",
            data[1:13],
            pack(">HBBBB", 0xF000, 0xFC, 0xFC | chroma, 0xF8 | luma_depth, 0xF8 | chroma_depth),
            pack(">HB", 0, layers << 3 | is_nested << 2 | 3),
        )
    )


class _Bits:
    """Reads bits, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """The next `count` bits. Raises IndexError after the last."""
        self._left -= count
        if self._left < 0:
            raise IndexError
        return self._value >> self._left & (1 << count) - 1

    def number(self) -> int:
        """The next Exp-Golomb number (section 9.2). Raises IndexError after the last bit."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > _LONGEST:
                raise IndexError
        return (1 << zeros) - 1 + self.read(zeros)
