"""The parameters in the headers of audio frames, by which a decoder is set up.

ADTS: ISO/IEC 13818-7, 6.2. MPEG audio: ISO/IEC 11172-3, 2.4.1.3. AC-3 and E-AC-3: ETSI TS 102 366,
4.3 and E.1.2.
"""

_ADTS_SIZE = 4
_AC3_SIZE = 7
_EAC3_SIZE = 6
_AC3_SYNC = b"\x0b\x77"
_DEPENDENT = 1
"""strmtyp of a substream with further channels."""
_MP2_LAYER, _MP3_LAYER = 2, 1


def mpeg_layer(data: bytes) -> str:
    """The codec of the MPEG audio frame at the start of `data`; empty without one."""
    if len(data) < 2 or data[0] != 0xFF or data[1] < 0xE0:  # noqa: PLR2004 - the sync word
        return ""
    return {_MP2_LAYER: "mp2", _MP3_LAYER: "mp3"}.get(data[1] >> 1 & 3, "")


def audio_parameters(codec: str, data: bytes) -> bytes:
    """The parameters of the frame at the start of `data`; empty if they are unknown.

    They are equal if and only if profile, sample rate and channels are.
    """
    match codec:
        case "aac":
            return _adts(data)
        case "ac3":
            return _ac3(data)
        case "eac3":
            return _eac3(data)
        case _:
            return b""


def _adts(data: bytes) -> bytes:
    if len(data) < _ADTS_SIZE or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:  # noqa: PLR2004
        return b""
    # Without the private bit and the bits about copyright: profile, sample rate, channels.
    return bytes((data[2] & 0xFD, data[3] >> 6))


def _ac3(data: bytes) -> bytes:
    if len(data) < _AC3_SIZE or not data.startswith(_AC3_SYNC):
        return b""
    return bytes((data[4] >> 6, data[5] >> 3, data[6] >> 5))


def _eac3(data: bytes) -> bytes:
    if len(data) < _EAC3_SIZE or not data.startswith(_AC3_SYNC) or data[2] >> 6 == _DEPENDENT:
        return b""
    # Without the number of blocks: sample rate, channels, LFE.
    return bytes((data[4] & 0xCF, data[5] >> 3))
