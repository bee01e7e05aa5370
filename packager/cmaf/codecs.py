"""Codec strings (RFC 6381) and Smooth's private data, from decoder configurations."""

from dataclasses import dataclass

from packager.errors import MediaError

_START_CODE = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class Codec:
    """A decoder configuration, as manifests name it."""

    string: str
    """RFC 6381."""
    private: bytes
    """Smooth's CodecPrivateData (MS-SSTR 2.2.2.5); empty if Smooth has none for the codec."""
    parameter_sets: tuple[bytes, ...] = ()
    """The NAL units of the configuration, without their start codes."""


def avc_codec(entry: str, config: bytes) -> Codec:
    """From an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1).

    Raises:
        MediaError: the record is cut short.
    """
    try:
        sequence, at = _units(config, 6, config[5] & 31)
        picture, _ = _units(config, at + 1, config[at])
        sets = sequence + picture
        string = f"{entry}.{config[1]:02x}{config[2]:02x}{config[3]:02x}"
    except IndexError:
        raise MediaError("decoder configuration cut short", box="avcC") from None
    return Codec(string, b"".join(_START_CODE + unit for unit in sets), tuple(sets))


def _units(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """`count` units from `at` on, each after a 16-bit length; and the offset of their end."""
    units: list[bytes] = []
    for _ in range(count):
        size = data[at] << 8 | data[at + 1]
        units.append(data[at + 2 : at + 2 + size])
        if len(units[-1]) < size:
            raise IndexError
        at += 2 + size
    return units, at


def hevc_codec(entry: str, config: bytes) -> Codec:
    """From an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 8.3.3.1, annex E.3).

    Raises:
        MediaError: the record is cut short.
    """
    try:
        space, tier, profile = config[1] >> 6, config[1] >> 5 & 1, config[1] & 31
        compatibility = int(f"{int.from_bytes(config[2:6]):032b}"[::-1], 2)
        constraints = config[6:12].rstrip(b"\0")
        parts = [
            f"{entry}.{('', 'A', 'B', 'C')[space]}{profile}",
            f"{compatibility:X}",
            f"{'LH'[tier]}{config[12]}",
            *(f"{byte:X}" for byte in constraints),
        ]
        sets: list[bytes] = []
        at = 23
        for _ in range(config[22]):
            units, at = _units(config, at + 3, config[at + 1] << 8 | config[at + 2])
            sets += units
    except IndexError:
        raise MediaError("decoder configuration cut short", box="hvcC") from None
    return Codec(".".join(parts), b"".join(_START_CODE + unit for unit in sets), tuple(sets))


def aac_codec(esds: bytes) -> Codec:
    """From the descriptors of an `esds` (ISO/IEC 14496-1 section 7.2.6).

    Raises:
        MediaError: there is no AudioSpecificConfig.
    """
    try:
        _, body, _ = _descriptor(esds, 0)
        flags = esds[body + 2]
        at = body + 3 + (2 if flags & 0x80 else 0)
        if flags & 0x40:
            at += 1 + esds[at]
        at += 2 if flags & 0x20 else 0
        _, body, _ = _descriptor(esds, at)
        object_type = esds[body]
        _, start, size = _descriptor(esds, body + 13)
        config = esds[start : start + size]
        audio_type = config[0] >> 3
        if audio_type == 31:  # noqa: PLR2004 - the escape of 14496-3 section 1.6.2.1
            audio_type = 32 + ((config[0] & 7) << 3 | config[1] >> 5)
    except IndexError:
        raise MediaError("no AudioSpecificConfig", box="esds") from None
    return Codec(f"mp4a.{object_type:x}.{audio_type}", config)


def _descriptor(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag, body offset and body size of the descriptor at `at` (section 8.3.3)."""
    tag, at, size = data[at], at + 1, 0
    for _ in range(4):
        byte = data[at]
        at += 1
        size = size << 7 | byte & 0x7F
        if not byte & 0x80:
            break
    return tag, at, size
