from typing import get_args

import pytest

from packager.config.ladder import EncoderName, VideoRendition
from packager.ffmpeg.encoders import NEEDS, encoder_options, read_encoders

LISTING = """\
Encoders:
 V..... = Video
 A..... = Audio
 S..... = Subtitle
 .F.... = Frame-level multithreading
 ------
 V....D a64multi             Multicolor charset for Commodore 64 (codec a64_multi)
 V....D libx264              libx264 H.264 / AVC / MPEG-4 AVC / MPEG-4 part 10 (codec h264)
 VF...D prores               Apple ProRes
 V..... h264_qsv             H.264 / AVC (Intel Quick Sync Video acceleration) (codec h264)
 A....D aac                  AAC (Advanced Audio Coding)
 S..... ass                  ASS (Advanced SubStation Alpha) subtitle
"""
RUNG = VideoRendition(id="a", width=640, height=360, bitrate=800_000, preset="slow")
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)


def test_video_encoders_are_found() -> None:
    # The key of the list looks like an entry, of a name that no encoder has.
    assert read_encoders(LISTING) - {"="} == {"a64multi", "libx264", "prores", "h264_qsv"}
    assert read_encoders("") == frozenset()


def test_the_requirements_of_every_encoder_are_known() -> None:
    assert tuple(NEEDS) == ENCODERS
    assert not NEEDS["x264"].devices


@pytest.mark.parametrize("encoder", ENCODERS)
def test_all_encode_the_same(encoder: EncoderName) -> None:
    options = encoder_options(encoder, RUNG, 48, 4)
    assert (
        options.items()
        >= {
            "b:v": 800_000,
            "maxrate": 960_000,
            "bufsize": 1_440_000,
            "bf": 2,
            "g": 48,
            "flags": "+cgop+bitexact",
        }.items()
    )
    assert options["c:v"] == NEEDS[encoder].codec
    # Only forced frames are keyframes, and each is an IDR frame.
    assert {
        "x264": {"forced-idr": 1, "sc_threshold": 0},
        "nvenc": {"forced-idr": 1, "no-scenecut": 1},
        "qsv": {"forced_idr": 1, "adaptive_i": 0},
        "vaapi": {"idr_interval": 0},
    }[encoder].items() <= options.items()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_with_low_latency_no_frame_waits_for_a_later_one(encoder: EncoderName) -> None:
    options = encoder_options(encoder, RUNG, 48, 4, "low")
    assert options["bf"] == 0
    assert {
        "x264": {"tune": "zerolatency"},
        "nvenc": {"tune": "ll", "rc-lookahead": 0, "delay": 0},
        "qsv": {"async_depth": 1, "look_ahead": 0},
        "vaapi": {"async_depth": 1},
    }[encoder].items() <= options.items()
    # The rest is as ever.
    usual = encoder_options(encoder, RUNG, 48, 4).items() - {("bf", 2)}
    assert usual <= options.items()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_the_baseline_profile_has_no_b_frames(encoder: EncoderName) -> None:
    rung = VideoRendition(
        id="a", width=64, height=36, bitrate=80_000, profile="baseline", bframes=0
    )
    options = encoder_options(encoder, rung, 48, 4)
    assert options["bf"] == 0
    assert str(options["profile:v"]).endswith("baseline")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_slower_preset_is_never_a_faster_one_elsewhere(encoder: EncoderName) -> None:
    """Nor does any preset have no counterpart."""
    names = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow")
    rungs = [
        VideoRendition(id="a", width=64, height=36, bitrate=80_000, preset=preset)  # type: ignore[arg-type]
        for preset in names
    ]
    found = [
        options.get("preset", options.get("quality"))
        for options in (encoder_options(encoder, rung, 48, 4) for rung in rungs)
    ]
    scale: dict[str, list[object]] = {
        "x264": list(names),
        "nvenc": [f"p{level}" for level in range(1, 8)],
        "qsv": ["veryfast", "faster", "fast", "medium", "slow"],
        "vaapi": [7, 6, 5, 4, 3],
    }
    places = [scale[encoder].index(one) for one in found]
    assert places == sorted(places)
    assert set(places) == set(range(len(scale[encoder])))
