"""A track: one encoded elementary stream with one init section."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import langcodes
import msgspec

from packager.timing.ticks import round_half_up

TRACK_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""The grammar of track ids and channel names: they appear in URLs and file names."""


UNDETERMINED = "und"
"""The language of a track without language information."""


def language_tag(language: str) -> str:
    """The shortest BCP 47 tag of an ISO 639-2 code, as HLS and DASH require it."""
    return langcodes.standardize_tag(language)


class TrackKind(StrEnum):
    """The kind of media in a track."""

    VIDEO = "video"
    AUDIO = "audio"


class Track(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One track as the manifests describe it, for one period."""

    id: str
    kind: TrackKind
    version: str
    """Names the init section: a hash of its bytes, so that equal parameters have equal URLs."""
    timescale: int
    """Ticks a second."""
    codecs: str
    """RFC 6381 codec string, e.g. `avc1.64001f`."""
    codec_private: str
    """Smooth's CodecPrivateData, upper-case hexadecimal (MS-SSTR 2.2.2.5)."""
    bitrate: int
    """Nominal bit/s: the ladder's, or measured over the first segment of a feed that is passed
    through; 0 if not known yet. It never changes, since Smooth uses it as an address."""
    width: int = 0
    height: int = 0
    frame_rate: Fraction | None = None
    """Frames a second."""
    sample_rate: int = 0
    """Samples a second of audio."""
    channels: int = 0
    language: str = UNDETERMINED
    """ISO 639-2 code."""
    sample_aspect: Fraction | None = None
    """Width of a pixel divided by its height; None if pixels are square."""


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """The description of a track before its first byte."""

    id: str
    kind: TrackKind
    bitrate: int
    """Nominal bit/s; 0 if it is to be measured."""
    frame_rate: Fraction | None = None
    copied: bool = False
    """A stream of the feed, passed through; an encoded one otherwise."""
    cuts_as_copied: bool = False
    """Encoded video whose segments begin where those of the copied video do."""


_STEP = 1000
"""Bit/s: nominal rates are multiples of this."""


class NominalRates:
    """Nominal bit/s by track, measured over the first segment of each track.

    Smooth addresses a track by its rate, so that two tracks never have equal rates.
    """

    def __init__(self, measured: Mapping[str, int]) -> None:
        """Continue with rates `measured` in earlier periods."""
        self._rates = dict(measured)

    def known(self, track: str) -> int:
        """The rate of a track; 0 if it is not measured yet."""
        return self._rates.get(track, 0)

    def measure(self, track: str, size: int, ticks: int, timescale: int) -> int:
        """The rate of a track, whose first segment has `size` bytes and lasts `ticks`."""
        if track not in self._rates:
            rate = round_half_up(Fraction(size * 8 * timescale, ticks * _STEP))
            rate = max(1, rate) * _STEP
            while rate in self._rates.values():
                rate += _STEP
            self._rates[track] = rate
        return self._rates[track]
