"""What a track is: one encoded elementary stream with one init section."""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import langcodes
import msgspec

TRACK_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""The grammar of track ids and channel names: they appear in URLs and file names."""


UNDETERMINED = "und"
"""The language of what does not say."""


def language_tag(language: str) -> str:
    """The BCP 47 tag of an ISO 639-2 code: the shortest, as HLS and DASH want it."""
    return langcodes.standardize_tag(language)


class TrackKind(StrEnum):
    """The kind of media in a track."""

    VIDEO = "video"
    AUDIO = "audio"


class Track(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One track as the manifests describe it, for the length of a period."""

    id: str
    kind: TrackKind
    version: str
    """Names the init section: a hash of its bytes, so equal parameters keep an equal URL."""
    timescale: int
    """Ticks a second of every time of this track."""
    codecs: str
    """RFC 6381 codec string, e.g. `avc1.64001f`."""
    codec_private: str
    """Smooth's CodecPrivateData, upper-case hexadecimal (MS-SSTR 2.2.2.5)."""
    bitrate: int
    """Nominal bit/s: the ladder's, or measured over the first segment where nothing is encoded.
    0 where not known yet. Stable: Smooth uses it as an address."""
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
    """Width of a picture's sample to its height; None where they are square."""


@dataclass(frozen=True, slots=True)
class TrackSpec:
    """What is known of a track before its first byte."""

    id: str
    kind: TrackKind
    bitrate: int
    """Nominal bit/s; 0 where it is to be measured."""
    frame_rate: Fraction | None = None
