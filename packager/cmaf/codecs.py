"""Codec strings (RFC 6381) and Smooth's private data, from decoder configurations."""

from dataclasses import dataclass

from packager.errors import MediaError

_START_CODE = b"\0\0\0\1"
_ESCAPE = 31
"""Of an audio object type: six bits more follow (ISO/IEC 14496-3 section 1.6.2.1)."""
_EXPLICIT_RATE = 15
"""Of a sampling frequency index: 24 bits with the frequency follow."""
_PARAMETRIC_STEREO = 29
"""Object type of AAC with parametric stereo: mono that is decoded to two channels."""
_AAC_CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8, 0)
"""By channel configuration (ISO/IEC 14496-3 table 1.19); 0 if the stream states them itself."""
_AC3_CHANNELS = (2, 1, 2, 3, 3, 4, 4, 5)
"""Full-bandwidth channels by `acmod` (ETSI TS 102 366 table 4.3)."""
_DEPENDENT_CHANNELS = (2, 2, 1, 1, 2, 2, 2, 1, 1)
"""Channels by bit of `chan_loc`, from the lowest (ETSI TS 102 366 table F.6.1)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A decoder configuration, as manifests name it."""

    string: str
    """RFC 6381."""
    private: bytes
    """Smooth's CodecPrivateData (MS-SSTR 2.2.2.5); empty if Smooth has none for the codec."""
    parameter_sets: tuple[bytes, ...] = ()
    """The NAL units of the configuration, without their start codes."""
    channels: int = 0
    """Channels of audio; 0 if the configuration does not state them."""


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
        if audio_type == _ESCAPE:
            audio_type = 32 + ((config[0] & 7) << 3 | config[1] >> 5)
    except IndexError:
        raise MediaError("no AudioSpecificConfig", box="esds") from None
    channels = _aac_channels(config, audio_type)
    return Codec(f"mp4a.{object_type:x}.{audio_type}", config, channels=channels)


def _aac_channels(config: bytes, audio_type: int) -> int:
    """Channels of an AudioSpecificConfig (ISO/IEC 14496-3 section 1.6.2.1); 0 if unknown."""
    if audio_type == _PARAMETRIC_STEREO:
        return 2
    at = 5 if audio_type <= _ESCAPE else 11
    bits = 8 * len(config)
    value = int.from_bytes(config)
    rate = value >> max(0, bits - at - 4) & 15
    at += 28 if rate == _EXPLICIT_RATE else 4
    return _AAC_CHANNELS[value >> (bits - at - 4) & 15] if at + 4 <= bits else 0


def ac3_codec(dac3: bytes) -> Codec:
    """From an AC3SpecificBox (ETSI TS 102 366 section F.4).

    Raises:
        MediaError: the box is cut short.
    """
    if len(dac3) < 3:  # noqa: PLR2004 - the size of the box's fields
        raise MediaError("decoder configuration cut short", box="dac3")
    fields = int.from_bytes(dac3[:3])
    channels = _AC3_CHANNELS[fields >> 11 & 7] + (fields >> 10 & 1)
    return Codec("ac-3", b"", channels=channels)


def eac3_codec(dec3: bytes) -> Codec:
    """From an EC3SpecificBox (ETSI TS 102 366 section F.6): its first independent substream.

    Raises:
        MediaError: the box is cut short.
    """
    if len(dec3) < 5:  # noqa: PLR2004 - the size of the fields up to the first substream
        raise MediaError("decoder configuration cut short", box="dec3")
    channels = _AC3_CHANNELS[dec3[3] >> 1 & 7] + (dec3[3] & 1)
    if dec3[4] >> 1 & 15:
        # Dependent substreams, such as the back channels of 7.1.
        locations = int.from_bytes(dec3[4:6]) & 0x1FF if len(dec3) > 5 else 0  # noqa: PLR2004
        channels += sum(
            count for bit, count in enumerate(_DEPENDENT_CHANNELS) if locations >> bit & 1
        )
    return Codec("ec-3", b"", channels=channels)


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
