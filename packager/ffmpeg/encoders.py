"""The H.264 encoders of a ladder: ffmpeg's name, requirements and options of each.

The options of all encoders mean the same. Keyframes appear only where they are forced, each an IDR
frame with a closed group of pictures. The rendition sets average rate, maximum rate and buffer.
ffmpeg 5.1 and later have all options (`ffmpeg -h encoder=NAME`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from packager.config.ladder import (
    EncoderName,
    EncodingLadder,
    Latency,
    VideoRendition,
    encoded_video,
)


@dataclass(frozen=True, slots=True)
class EncoderNeeds:
    """The requirements of an encoder."""

    codec: str
    """ffmpeg's name."""
    maker: str
    """The maker or API of the device; empty without a device."""
    devices: str
    """A pattern of names below /dev, of which one must exist."""
    usual: str
    """The usual name."""


NEEDS: Mapping[EncoderName, EncoderNeeds] = MappingProxyType(
    {
        "x264": EncoderNeeds("libx264", "", "", ""),
        "nvenc": EncoderNeeds("h264_nvenc", "NVIDIA", "nvidia[0-9]*", "nvidia0"),
        "qsv": EncoderNeeds("h264_qsv", "Intel", "dri/render*", "dri/renderD128"),
        "vaapi": EncoderNeeds("h264_vaapi", "VA-API", "dri/render*", "dri/renderD128"),
    }
)

_NVENC = {
    "ultrafast": "p1",
    "superfast": "p2",
    "veryfast": "p3",
    "faster": "p4",
    "fast": "p5",
    "medium": "p6",
    "slow": "p7",
}
"""NVIDIA's presets, by the ladder's."""
_QSV = {"ultrafast": "veryfast", "superfast": "veryfast"}
"""Intel's presets, where their names differ."""
_VAAPI = {
    "ultrafast": 7,
    "superfast": 7,
    "veryfast": 7,
    "faster": 6,
    "fast": 5,
    "medium": 4,
    "slow": 3,
}
"""Intel's scale of `quality`: from 1, the best, to 7. Other drivers have other scales."""

_LOW_LATENCY: Mapping[EncoderName, Mapping[str, object]] = MappingProxyType(
    {
        # No lookahead, and threads by slices: threads by frames delay the output.
        "x264": {"tune": "zerolatency"},
        "nvenc": {"tune": "ll", "rc-lookahead": 0, "delay": 0, "zerolatency": 1},
        "qsv": {"async_depth": 1, "look_ahead": 0},
        "vaapi": {"async_depth": 1},
    }
)
"""Options with which a frame is encoded before the next one arrives."""

_ENCODER = re.compile(r"^ V[.A-Z]{5} (\S+)", re.MULTILINE)


def read_encoders(text: str) -> frozenset[str]:
    """The video encoders in the output of `ffmpeg -encoders`."""
    return frozenset(_ENCODER.findall(text))


def device_options(ladder: EncodingLadder) -> list[str]:
    """The global options for the devices that encode `ladder`."""
    used = {ladder.encoder_of(rendition) for rendition in encoded_video(ladder)}
    options: list[str] = []
    if "qsv" in used:
        options += ["-init_hw_device", "qsv=quick"]
    if "vaapi" in used:
        # The first device that can be opened; filters need its name.
        options += ["-init_hw_device", "vaapi=gpu", "-filter_hw_device", "gpu"]
    return options


def last_filters(encoder: EncoderName) -> tuple[tuple[str, ...], ...]:
    """Filters, each with its arguments, that convert frames to the encoder's input format."""
    match encoder:
        case "x264" | "nvenc":
            return (("format", "yuv420p"),)
        case "qsv":
            return (("format", "nv12"),)
        case "vaapi":
            return (("format", "nv12"), ("hwupload",))
        case _:
            assert_never(encoder)


def encoder_options(
    encoder: EncoderName,
    rendition: VideoRendition,
    frames: int,
    threads: int,
    latency: Latency = "standard",
) -> dict[str, object]:
    """The options for `rendition`, with a forced keyframe every `frames` frames."""
    low = latency == "low"
    return {
        "c:v": NEEDS[encoder].codec,
        "b:v": rendition.bitrate,
        "maxrate": rendition.maxrate,
        "bufsize": rendition.bufsize,
        "bf": 0 if low or rendition.profile == "baseline" else rendition.bframes,
        "g": frames,
        "flags": "+cgop+bitexact",
        **_own_options(encoder, rendition, frames, threads),
        **(_LOW_LATENCY[encoder] if low else {}),
    }


def _own_options(
    encoder: EncoderName, rendition: VideoRendition, frames: int, threads: int
) -> dict[str, object]:
    match encoder:
        case "x264":
            return _x264_options(rendition, frames, threads)
        case "nvenc":
            return {
                "preset": _NVENC[rendition.preset],
                "profile:v": rendition.profile,
                "rc": "vbr",
                "no-scenecut": 1,
                "strict_gop": 1,
                "forced-idr": 1,
            }
        case "qsv":
            return _qsv_options(rendition)
        case "vaapi":
            return _vaapi_options(rendition)
        case _:
            assert_never(encoder)


def _x264_options(rendition: VideoRendition, frames: int, threads: int) -> dict[str, object]:
    return {
        "preset": rendition.preset,
        "profile:v": rendition.profile,
        "threads": threads,
        "keyint_min": frames,
        "sc_threshold": 0,
        "forced-idr": 1,
    }


def _qsv_options(rendition: VideoRendition) -> dict[str, object]:
    # A maximum above the average selects VBR, otherwise CBR. adaptive_i and adaptive_b would let
    # the encoder place I and B frames; idr_interval 0 makes every I frame an IDR frame.
    return {
        "preset": _QSV.get(rendition.preset, rendition.preset),
        "profile:v": rendition.profile,
        "adaptive_i": 0,
        "adaptive_b": 0,
        "idr_interval": 0,
        "forced_idr": 1,
    }


def _vaapi_options(rendition: VideoRendition) -> dict[str, object]:
    # No scene cut detection; forced keyframes are IDR frames.
    profile = "constrained_baseline" if rendition.profile == "baseline" else rendition.profile
    return {
        "quality": _VAAPI[rendition.preset],
        "profile:v": profile,
        "rc_mode": "VBR",
        "idr_interval": 0,
    }
