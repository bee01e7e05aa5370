"""The H.264 encoders of a ladder: ffmpeg's name of each, what it needs, and what it is told.

All are told the same in their own words: keyframes where they are forced and nowhere else, each an
IDR picture with a closed group of pictures behind it, the rung's average and maximum rate with its
buffer. Options are those that ffmpeg 5.1 and later have (`ffmpeg -h encoder=NAME`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from packager.profile import EncodeLadder, EncoderName, Latency, VideoRung


@dataclass(frozen=True, slots=True)
class Needs:
    """What an encoder cannot be without."""

    codec: str
    """ffmpeg's name of it."""
    maker: str
    """Whose device, in words; empty where none is needed."""
    devices: str
    """A pattern of names below /dev; one is enough."""
    usual: str
    """The first such name."""


NEEDS: Mapping[EncoderName, Needs] = MappingProxyType(
    {
        "x264": Needs("libx264", "", "", ""),
        "nvenc": Needs("h264_nvenc", "NVIDIA", "nvidia[0-9]*", "nvidia0"),
        "qsv": Needs("h264_qsv", "Intel", "dri/render*", "dri/renderD128"),
        "vaapi": Needs("h264_vaapi", "VA-API", "dri/render*", "dri/renderD128"),
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
"""NVIDIA's presets, by ours."""
_QSV = {"ultrafast": "veryfast", "superfast": "veryfast"}
"""Intel's, where they are called otherwise."""
_VAAPI = {
    "ultrafast": 7,
    "superfast": 7,
    "veryfast": 7,
    "faster": 6,
    "fast": 5,
    "medium": 4,
    "slow": 3,
}
"""Intel's scale of `quality`: from 1, the best, to 7. Other drivers have one of their own."""

_AT_ONCE: Mapping[EncoderName, Mapping[str, object]] = MappingProxyType(
    {
        # Without looking ahead, and slices in threads: frames in threads are out late.
        "x264": {"tune": "zerolatency"},
        "nvenc": {"tune": "ll", "rc-lookahead": 0, "delay": 0, "zerolatency": 1},
        "qsv": {"async_depth": 1, "look_ahead": 0},
        "vaapi": {"async_depth": 1},
    }
)
"""What has a picture out before the next one is in."""

_ENCODER = re.compile(r"^ V[.A-Z]{5} (\S+)", re.MULTILINE)


def read_encoders(text: str) -> frozenset[str]:
    """The video encoders in the output of `ffmpeg -encoders`."""
    return frozenset(_ENCODER.findall(text))


def device_options(ladder: EncodeLadder) -> list[str]:
    """What ffmpeg is told, once, of the devices that the rungs of `ladder` are encoded on."""
    used = {ladder.encoder_of(rung) for rung in ladder.video}
    options: list[str] = []
    if "qsv" in used:
        options += ["-init_hw_device", "qsv=quick"]
    if "vaapi" in used:
        # The first that can be opened; only filters have to be told which is meant.
        options += ["-init_hw_device", "vaapi=gpu", "-filter_hw_device", "gpu"]
    return options


def last_filters(encoder: EncoderName) -> tuple[tuple[str, ...], ...]:
    """Filters, each with its arguments, that make a picture what the encoder takes."""
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
    rung: VideoRung,
    frames: int,
    threads: int,
    latency: Latency = "standard",
) -> dict[str, object]:
    """How `rung` is encoded, with a keyframe every `frames` pictures where one is forced."""
    low = latency == "low"
    return {
        "c:v": NEEDS[encoder].codec,
        "b:v": rung.bitrate,
        "maxrate": rung.maxrate,
        "bufsize": rung.bufsize,
        "bf": 0 if low or rung.profile == "baseline" else rung.bframes,
        "g": frames,
        "flags": "+cgop+bitexact",
        **_own_options(encoder, rung, frames, threads),
        **(_AT_ONCE[encoder] if low else {}),
    }


def _own_options(
    encoder: EncoderName, rung: VideoRung, frames: int, threads: int
) -> dict[str, object]:
    match encoder:
        case "x264":
            return {
                "preset": rung.preset,
                "profile:v": rung.profile,
                "threads": threads,
                "keyint_min": frames,
                "sc_threshold": 0,
                "forced-idr": 1,
            }
        case "nvenc":
            return {
                "preset": _NVENC[rung.preset],
                "profile:v": rung.profile,
                "rc": "vbr",
                "no-scenecut": 1,
                "strict_gop": 1,
                "forced-idr": 1,
            }
        case "qsv":
            # A maximum above the average makes it VBR, else CBR. Where I pictures come and how
            # many B pictures, it would decide itself; with 0 every I picture is an IDR.
            return {
                "preset": _QSV.get(rung.preset, rung.preset),
                "profile:v": rung.profile,
                "adaptive_i": 0,
                "adaptive_b": 0,
                "idr_interval": 0,
                "forced_idr": 1,
            }
        case "vaapi":
            # It has no scene cut, and what is forced is an IDR.
            profile = "constrained_baseline" if rung.profile == "baseline" else rung.profile
            return {
                "quality": _VAAPI[rung.preset],
                "profile:v": profile,
                "rc_mode": "VBR",
                "idr_interval": 0,
            }
        case _:
            assert_never(encoder)
