"""The channels of audio, read from the decoder configuration."""

import pytest

from packager.cmaf.codecs import aac_codec, ac3_codec, eac3_codec
from packager.errors import MediaError


def esds(config: str) -> bytes:
    """The descriptors of an `esds` with an AudioSpecificConfig."""
    specific = bytes.fromhex(config)
    decoder = b"\x40\x15" + bytes(11) + bytes((5, len(specific))) + specific
    return bytes((3, len(decoder) + 5)) + bytes(3) + bytes((4, len(decoder))) + decoder


@pytest.mark.parametrize(
    ("config", "channels"),
    [
        ("1188", 1),
        ("1190", 2),
        ("11b0", 6),
        ("11b8", 8),
        ("1180", 0),  # a program config element
        ("2b920800", 2),  # HE-AAC
        ("eb8a0800", 2),  # HE-AAC with parametric stereo: one channel that becomes two
        ("17805dc010", 2),  # the sampling frequency is written out
        ("11", 0),
    ],
)
def test_aac(config: str, channels: int) -> None:
    assert aac_codec(esds(config)).channels == channels


@pytest.mark.parametrize(("box", "channels"), [("101140", 2), ("103de0", 6), ("1009c0", 1)])
def test_ac3(box: str, channels: int) -> None:
    codec = ac3_codec(bytes.fromhex(box))
    assert (codec.string, codec.channels) == ("ac-3", channels)


@pytest.mark.parametrize(
    ("box", "channels"),
    [
        ("0c00200400", 2),
        ("0c00200f00", 6),
        ("0c00200f0202", 8),  # a dependent substream with the rear channels
        ("0c00200f00010a", 6),  # JOC, in the extension
        ("0c00200f02", 6),  # cut short before the locations
    ],
)
def test_eac3(box: str, channels: int) -> None:
    codec = eac3_codec(bytes.fromhex(box))
    assert (codec.string, codec.channels) == ("ec-3", channels)


def test_boxes_cut_short_are_errors() -> None:
    with pytest.raises(MediaError, match="cut short"):
        ac3_codec(b"\x10\x11")
    with pytest.raises(MediaError, match="cut short"):
        eac3_codec(bytes(4))
