"""Parameters of audio frames, from the frames of ffmpeg's encoders and from any bytes."""

import subprocess

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.container.audio_frame import audio_parameters, mpeg_layer

SOUNDS = (
    ("adts", "aac", "aac"),
    ("ac3", "ac3", "ac3"),
    ("eac3", "eac3", "eac3"),
)


def frames(muxer: str, encoder: str, channels: int, rate: int, bitrate: str = "128k") -> bytes:
    """A third of a second of sound."""
    words = (
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "sine",
        "-t", "0.3", "-ac", str(channels), "-ar", str(rate), "-c:a", encoder, "-b:a", bitrate,
        "-f", muxer, "-",
    )  # fmt: skip
    return subprocess.run(words, check=True, capture_output=True).stdout


@pytest.mark.parametrize(("muxer", "encoder", "codec"), SOUNDS)
def test_parameters_differ_with_channels_and_sample_rate_alone(
    muxer: str, encoder: str, codec: str
) -> None:
    kinds = [(2, 48_000), (6, 48_000), (2, 32_000)]
    found = [audio_parameters(codec, frames(muxer, encoder, *kind)) for kind in kinds]
    assert all(found)
    assert len(set(found)) == len(kinds)
    assert audio_parameters(codec, frames(muxer, encoder, 2, 48_000, "192k")) == found[0]


@pytest.mark.parametrize("encoder", ["mp2", "libmp3lame"])
def test_the_layer_of_mpeg_audio_is_known(encoder: str) -> None:
    muxer = "mp2" if encoder == "mp2" else "mp3"
    data = frames(muxer, encoder, 2, 48_000)
    begin = data.index(b"\xff\xfd" if encoder == "mp2" else b"\xff\xfb")
    assert mpeg_layer(data[begin:]) == muxer


@given(st.sampled_from(["aac", "ac3", "eac3", "opus"]), st.binary(max_size=16))
def test_any_bytes_have_parameters_or_none(codec: str, data: bytes) -> None:
    assert len(audio_parameters(codec, data)) in (0, 2, 3)
    assert mpeg_layer(data) in ("", "mp2", "mp3")
