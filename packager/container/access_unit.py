"""Whether an access unit is a keyframe, and its parameter sets, from its first bytes.

Each codec is a byte stream with start codes. H.264: ITU-T H.264, 7.4.1 and D.2.8. HEVC: ITU-T
H.265, 7.4.2.2. MPEG-2 video: ISO/IEC 13818-2, 6.2.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_START = b"\0\0\1"
_ESCAPED, _PLAIN = b"\0\0\3", b"\0\0"
_MAX_UNITS = 64
_MAX_MESSAGES = 32
_CONTINUED = 0xFF
"""A byte of a number in an SEI message that another byte follows."""

_H264_SLICES = (1, 2)
_H264_IDR = 5
_H264_SEI = 6
_H264_SPS = 7
_RECOVERY_POINT = 6
_HEVC_LAST_SLICE = 9
_HEVC_IRAP = range(16, 24)
_HEVC_SPS = 33
_MPEG2_SEQUENCE = 0xB3
_MPEG2_OTHERS = (0x00, 0xB8)
"""A picture and a group: without a sequence header before them no decoder can start."""
_MPEG2_PARAMETERS_SIZE = 4
"""Bytes of width, height, aspect and frame rate; the bytes after them may change at any time."""


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """The parsed start of an access unit."""

    keyframe: bool | None
    """None while the bytes do not decide it."""
    parameters: bytes
    """Its sequence parameter sets, or its sequence header; empty if it has none."""


def _units(data: bytes) -> Iterator[tuple[int, int]]:
    """The offset of each unit, behind its start code, and of the next start code, or -1."""
    at = data.find(_START)
    for _ in range(_MAX_UNITS):
        if at < 0 or at + 3 >= len(data):
            return
        after = data.find(_START, at + 3)
        yield at + 3, after
        at = after


def _h264(data: bytes) -> AccessUnit:
    recovers, parameters = False, b""
    for begin, after in _units(data):
        kind = data[begin] & 31
        if kind == _H264_IDR:
            return AccessUnit(keyframe=True, parameters=parameters)
        if kind in _H264_SLICES:
            return AccessUnit(recovers, parameters)
        if kind == _H264_SPS and after >= 0:
            parameters += data[begin:after].rstrip(b"\0")
        elif kind == _H264_SEI:
            messages = data[begin + 1 : after if after >= 0 else None]
            recovers = recovers or _has_recovery_point(messages)
    return AccessUnit(None, parameters)


def _has_recovery_point(messages: bytes) -> bool:
    """Whether one of the SEI messages is a recovery point (ITU-T H.264, 7.3.2.3.1)."""
    data = messages.replace(_ESCAPED, _PLAIN)
    at, size = 0, len(data)
    for _ in range(_MAX_MESSAGES):
        kind, at = _sei_number(data, at)
        length, at = _sei_number(data, at)
        if at > size:
            return False
        if kind == _RECOVERY_POINT:
            return True
        at += length
    return False


def _sei_number(data: bytes, at: int) -> tuple[int, int]:
    """A number of an SEI message and its end; the end is beyond the data if it is incomplete."""
    value = 0
    while at < len(data) and data[at] == _CONTINUED:
        value, at = value + _CONTINUED, at + 1
    return (value + data[at], at + 1) if at < len(data) else (value, len(data) + 1)


def _hevc(data: bytes) -> AccessUnit:
    parameters = b""
    for begin, after in _units(data):
        kind = data[begin] >> 1 & 63
        if kind in _HEVC_IRAP:
            return AccessUnit(keyframe=True, parameters=parameters)
        if kind <= _HEVC_LAST_SLICE:
            return AccessUnit(keyframe=False, parameters=parameters)
        if kind == _HEVC_SPS and after >= 0:
            parameters += data[begin:after].rstrip(b"\0")
    return AccessUnit(None, parameters)


def _mpeg2(data: bytes) -> AccessUnit:
    for begin, _ in _units(data):
        kind = data[begin]
        if kind == _MPEG2_SEQUENCE:
            parameters = data[begin + 1 : begin + 1 + _MPEG2_PARAMETERS_SIZE]
            if len(parameters) < _MPEG2_PARAMETERS_SIZE:
                break
            return AccessUnit(keyframe=True, parameters=parameters)
        if kind in _MPEG2_OTHERS:
            return AccessUnit(keyframe=False, parameters=b"")
    return AccessUnit(None, b"")


AccessUnitParser = Callable[[bytes], AccessUnit]

PARSERS: dict[str, AccessUnitParser] = {
    "h264": _h264,
    "hevc": _hevc,
    "mpeg2video": _mpeg2,
    "mpeg1video": _mpeg2,
}
"""By codec, in ffmpeg's names."""
