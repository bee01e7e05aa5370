"""What the first bytes of a picture tell: whether it is a keyframe, and its parameters.

Of H.264 (ITU-T H.264, 7.4.1 and D.2.8), HEVC (ITU-T H.265, 7.4.2.2) and MPEG-2 video (ISO/IEC
13818-2, 6.2), each as a byte stream with start codes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_START = b"\0\0\1"
_ESCAPED, _PLAIN = b"\0\0\3", b"\0\0"
_MAX_UNITS = 64
_MAX_MESSAGES = 32
_AND_MORE = 0xFF
"""An octet of a number in an SEI message that another follows."""

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
"""A picture, a group: where no sequence header came before them, no decoder can start."""
_MPEG2_PARAMETERS = 4
"""Bytes of width, height, aspect and frame rate; what follows may differ from one to the next."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be seen in the first bytes of a picture."""

    keyframe: bool | None
    """None while what tells has not come."""
    parameters: bytes
    """Its sequence parameter sets, or sequence header; nothing where it has none."""


def _units(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each unit begins, behind its start code, and where the next start code is, or -1."""
    at = data.find(_START)
    for _ in range(_MAX_UNITS):
        if at < 0 or at + 3 >= len(data):
            return
        after = data.find(_START, at + 3)
        yield at + 3, after
        at = after


def _h264(data: bytes) -> Seen:
    recovers, parameters = False, b""
    for begin, after in _units(data):
        kind = data[begin] & 31
        if kind == _H264_IDR:
            return Seen(keyframe=True, parameters=parameters)
        if kind in _H264_SLICES:
            return Seen(recovers, parameters)
        if kind == _H264_SPS and after >= 0:
            parameters += data[begin:after].rstrip(b"\0")
        elif kind == _H264_SEI:
            messages = data[begin + 1 : after if after >= 0 else None]
            recovers = recovers or _has_recovery_point(messages)
    return Seen(None, parameters)


def _has_recovery_point(messages: bytes) -> bool:
    """Whether one of the SEI messages is a recovery point (ITU-T H.264, 7.3.2.3.1)."""
    data = messages.replace(_ESCAPED, _PLAIN)
    at, size = 0, len(data)
    for _ in range(_MAX_MESSAGES):
        kind, at = _length(data, at)
        length, at = _length(data, at)
        if at > size:
            return False
        if kind == _RECOVERY_POINT:
            return True
        at += length
    return False


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A number as SEI messages have it, and where it ends; beyond the data if it is not whole."""
    value = 0
    while at < len(data) and data[at] == _AND_MORE:
        value, at = value + _AND_MORE, at + 1
    return (value + data[at], at + 1) if at < len(data) else (value, len(data) + 1)


def _hevc(data: bytes) -> Seen:
    parameters = b""
    for begin, after in _units(data):
        kind = data[begin] >> 1 & 63
        if kind in _HEVC_IRAP:
            return Seen(keyframe=True, parameters=parameters)
        if kind <= _HEVC_LAST_SLICE:
            return Seen(keyframe=False, parameters=parameters)
        if kind == _HEVC_SPS and after >= 0:
            parameters += data[begin:after].rstrip(b"\0")
    return Seen(None, parameters)


def _mpeg2(data: bytes) -> Seen:
    for begin, _ in _units(data):
        kind = data[begin]
        if kind == _MPEG2_SEQUENCE:
            parameters = data[begin + 1 : begin + 1 + _MPEG2_PARAMETERS]
            if len(parameters) < _MPEG2_PARAMETERS:
                break
            return Seen(keyframe=True, parameters=parameters)
        if kind in _MPEG2_OTHERS:
            return Seen(keyframe=False, parameters=b"")
    return Seen(None, b"")


LOOKS: dict[str, Callable[[bytes], Seen]] = {
    "h264": _h264,
    "hevc": _hevc,
    "mpeg2video": _mpeg2,
    "mpeg1video": _mpeg2,
}
"""By codec, how to look at the first bytes of a picture."""
