"""The content of an init section (ISO/IEC 14496-12 section 8, 14496-15 section 5)."""

from dataclasses import dataclass
from fractions import Fraction
from struct import unpack_from

from packager.cmaf.boxes import Box, children, find, printable
from packager.cmaf.codecs import (
    Codec,
    aac_codec,
    ac3_codec,
    avc_codec,
    eac3_codec,
    hevc_codec,
)
from packager.cmaf.samples import SampleDefaults
from packager.errors import CodecError, MediaError
from packager.track import UNDETERMINED, Track, TrackKind

VISUAL_ENTRY = 78
"""Bytes of a VisualSampleEntry before its boxes (12.1.3)."""
_AUDIO_ENTRY = 28
"""Bytes of an AudioSampleEntry before its boxes (12.2.3)."""


@dataclass(frozen=True, slots=True)
class InitFacts:
    """The facts of one init section."""

    kind: TrackKind
    timescale: int
    """Ticks a second."""
    codec: Codec
    defaults: SampleDefaults
    width: int = 0
    height: int = 0
    sample_rate: int = 0
    channels: int = 0
    language: str = UNDETERMINED
    sample_aspect: Fraction = Fraction(1)
    """Width of a pixel divided by its height."""

    def describe(
        self, track_id: str, version: str, bitrate: int, frame_rate: Fraction | None
    ) -> Track:
        """The description of the track for manifests.

        Args:
            track_id: names the track.
            version: names the init section.
            bitrate: nominal bit/s; 0 if it is not known yet.
            frame_rate: frames a second; None for audio, and for video of varying rate.
        """
        return Track(
            id=track_id,
            kind=self.kind,
            version=version,
            timescale=self.timescale,
            codecs=self.codec.string,
            codec_private=self.codec.private.hex().upper(),
            bitrate=bitrate,
            width=self.width,
            height=self.height,
            frame_rate=frame_rate,
            sample_rate=self.sample_rate,
            channels=self.channels,
            sample_aspect=None if self.sample_aspect == 1 else self.sample_aspect,
            language=self.language,
        )


def read_init(data: bytes) -> InitFacts:
    """The facts of the single track that `data` (an `ftyp` and a `moov`) describes.

    Raises:
        MediaError: it is not the `moov` of one track.
        CodecError: the codec cannot be packaged.
    """
    moov = find(data, 0, len(data), b"moov")
    mdia = find(data, moov.body, moov.end, b"trak", b"mdia")
    mdhd = find(data, mdia.body, mdia.end, b"mdhd")
    wide = data[mdhd.body] == 1
    at = mdhd.body + (20 if wide else 12)
    _need(mdhd, at + (16 if wide else 12))
    (timescale,) = unpack_from(">I", data, at)
    if timescale == 0:
        raise MediaError("timescale 0", offset=mdhd.start, box="mdhd")
    (language,) = unpack_from(">H", data, at + (12 if wide else 8))
    stsd = find(data, mdia.body, mdia.end, b"minf", b"stbl", b"stsd")
    entries = list(children(data, stsd.body + 8, stsd.end))
    if len(entries) != 1:
        raise MediaError(f"{len(entries)} sample entries", offset=stsd.start, box="stsd")
    return _entry(data, entries[0], timescale, _trex(data, moov), _language(language))


def _need(box: Box, end: int) -> None:
    if box.end < end:
        raise MediaError("too short", offset=box.start, box=box.type.decode("latin-1"))


def _language(packed: int) -> str:
    letters = bytes(((packed >> shift) & 31) + 0x60 for shift in (10, 5, 0))
    return letters.decode() if letters.isalpha() else UNDETERMINED


def _sample_aspect(data: bytes, start: int, end: int) -> Fraction:
    """The `pasp` box (ISO/IEC 14496-12 section 12.1.4); 1 without such a box."""
    for box in children(data, start, end):
        if box.type == b"pasp":
            _need(box, box.body + 8)
            across, down = unpack_from(">II", data, box.body)
            return Fraction(across, down) if across and down else Fraction(1)
    return Fraction(1)


def _trex(data: bytes, moov: Box) -> SampleDefaults:
    trex = find(data, moov.body, moov.end, b"mvex", b"trex")
    _need(trex, trex.body + 24)
    _, duration, size, flags = unpack_from(">IIII", data, trex.body + 8)
    return SampleDefaults(duration, size, flags)


def _entry(
    data: bytes, entry: Box, timescale: int, defaults: SampleDefaults, language: str
) -> InitFacts:
    """The facts of a sample entry."""
    if entry.type in (b"avc1", b"avc3", b"hvc1", b"hev1"):
        return _video_entry(data, entry, timescale, defaults)
    if entry.type in (b"mp4a", b"ac-3", b"ec-3"):
        return _audio_entry(data, entry, timescale, defaults, language)
    reason = f"codec {printable(entry.type)} cannot be packaged"
    raise CodecError(reason, offset=entry.start, box="stsd")


def _video_entry(data: bytes, entry: Box, timescale: int, defaults: SampleDefaults) -> InitFacts:
    name = entry.type.decode("latin-1")
    _need(entry, entry.body + VISUAL_ENTRY)
    width, height = unpack_from(">HH", data, entry.body + 24)
    start = entry.body + VISUAL_ENTRY
    if entry.type in (b"avc1", b"avc3"):
        config = find(data, start, entry.end, b"avcC")
        codec = avc_codec(name, data[config.body : config.end])
    else:
        config = find(data, start, entry.end, b"hvcC")
        codec = hevc_codec(name, data[config.body : config.end])
    return InitFacts(
        TrackKind.VIDEO,
        timescale,
        codec,
        defaults,
        width=width,
        height=height,
        sample_aspect=_sample_aspect(data, start, entry.end),
    )


def _audio_entry(
    data: bytes, entry: Box, timescale: int, defaults: SampleDefaults, language: str
) -> InitFacts:
    _need(entry, entry.body + _AUDIO_ENTRY)
    (channels,) = unpack_from(">H", data, entry.body + 16)
    (rate,) = unpack_from(">I", data, entry.body + 24)
    codec = _audio_codec(data, entry)
    return InitFacts(
        TrackKind.AUDIO,
        timescale,
        codec,
        defaults,
        sample_rate=rate >> 16 or timescale,
        # The sample entry may say 2, whatever the stream has (ETSI TS 102 366 section F.3).
        channels=codec.channels or channels,
        language=language,
    )


def _audio_codec(data: bytes, entry: Box) -> Codec:
    """The codec of an audio sample entry, by the box with its decoder configuration."""
    start = entry.body + _AUDIO_ENTRY
    if entry.type == b"mp4a":
        config = find(data, start, entry.end, b"esds")
        return aac_codec(data[config.body + 4 : config.end])
    if entry.type == b"ac-3":
        config = find(data, start, entry.end, b"dac3")
        return ac3_codec(data[config.body : config.end])
    config = find(data, start, entry.end, b"dec3")
    return eac3_codec(data[config.body : config.end])
