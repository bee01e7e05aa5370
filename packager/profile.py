"""Ladders: what a feed is encoded to; YAML text in, typed values out.

A ladder is read in two steps, each of which names the place of what is wrong with it: text to a
struct (see `packager.yaml_text`), quantities by their unit, and the rules that no single field can
hold.
"""

from fractions import Fraction
from typing import Annotated, Literal, cast

import msgspec

from packager.errors import ConfigError
from packager.layout import RESERVED
from packager.source import Pixels
from packager.ticks import round_half_up
from packager.track import TRACK_ID
from packager.units import (
    format_duration,
    parse_bit_rate,
    parse_duration,
    parse_frame_rate,
)
from packager.yaml_text import Words, convert, read_yaml

# Seconds.
_SHORTEST_SEGMENT = Fraction(1, 2)
_LONGEST_SEGMENT = Fraction(20)

# Frames a second.
_FASTEST = 240

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"\A{TRACK_ID.pattern}\Z",
        description="a name of at most 32 of a-z, 0-9, - and _",
    ),
]
"""A track id or a channel name."""

_BitRate = Annotated[
    int, msgspec.Meta(ge=8_000, le=1_000_000_000, description="a bit rate from 8k to 1G")
]


_SoundRate = Annotated[
    int, msgspec.Meta(ge=8_000, le=576_000, description="a bit rate from 8k to 576k")
]
"""What AAC-LC can have for two channels at 48 kHz."""


EncoderName = Literal["x264", "nvenc", "qsv", "vaapi"]
"""What encodes a picture to H.264: x264 on this machine's cores, or a device."""


Latency = Literal["standard", "low"]
"""Low: the picture is encoded without looking ahead, and served in parts as it comes."""


class VideoRung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rendition of the ladder, encoded to H.264."""

    id: Name
    width: Pixels
    height: Pixels
    bitrate: _BitRate
    """Nominal bit/s: Smooth's address of the rendition."""
    maxrate: _BitRate = 0
    """Bit/s that the buffer is filled at; where not given, 1.2 x `bitrate` rounded up to 1000."""
    bufsize: _BitRate = 0
    """Bits of the buffer; where not given, 1.5 x `maxrate`."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"] = (
        "veryfast"
    )
    """In the words of x264: slower is a better picture for the same bits."""
    encoder: EncoderName | None = None
    """Where not given, the ladder's."""
    profile: Literal["baseline", "main", "high"] = "high"
    """Of H.264."""
    bframes: Annotated[int, msgspec.Meta(ge=0, le=4, description="a number from 0 to 4")] = 2
    """B-frames in a row, at most."""
    threads: Annotated[int, msgspec.Meta(ge=1, le=64, description="a number from 1 to 64")] = 4
    """Threads of x264 for a live channel; a replay takes one."""

    def __post_init__(self) -> None:
        """Fill in the rates that follow from others."""
        if not self.maxrate:
            msgspec.structs.force_setattr(self, "maxrate", -(-self.bitrate * 12 // 10_000) * 1000)
        if not self.bufsize:
            msgspec.structs.force_setattr(self, "bufsize", self.maxrate * 3 // 2)


class AudioRung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The audio track of the ladder, encoded to AAC-LC."""

    id: Name = "audio"
    bitrate: _SoundRate = 128_000
    """Bit/s."""
    channels: Literal[1, 2] = 2
    sample_rate: Literal[44100, 48000] = 48000
    """Samples a second."""


class EncodeLadder(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="mode",
    tag="encode",
):
    """A feed is decoded once and encoded to every rung."""

    name: str
    """Of its file, without the suffix."""
    file: str = ""
    """What errors call that."""
    frame_rate: Fraction
    """Frames a second of every rung."""
    segment: Fraction
    """Seconds; a whole number of frames."""
    video: Annotated[
        tuple[VideoRung, ...],
        msgspec.Meta(min_length=1, max_length=12, description="a list of 1 to 12 rungs"),
    ]
    audio: AudioRung
    encoder: EncoderName = "x264"
    """Of the rungs that name none themselves."""
    latency: Latency = "standard"

    def encoder_of(self, rung: VideoRung) -> EncoderName:
        """What `rung` is encoded by."""
        return rung.encoder or self.encoder


class PassthroughLadder(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="mode",
    tag="passthrough",
):
    """A feed is packaged as it comes; nothing is encoded."""

    name: str
    """Of its file, without the suffix."""
    file: str = ""
    """What errors call that."""
    segment: Fraction
    """Seconds."""
    latency: Latency = "standard"


Ladder = EncodeLadder | PassthroughLadder

_WORDS: Words = {
    "frame_rate": parse_frame_rate,
    "segment": parse_duration,
    "bitrate": parse_bit_rate,
    "maxrate": parse_bit_rate,
    "bufsize": parse_bit_rate,
}


def parse_ladder(text: str, file: str, name: str) -> Ladder:
    """The ladder in `text`; `file` is what errors call it, `name` what it is known by.

    Raises:
        ConfigError: not a ladder.
    """
    tree = read_yaml(text, file)
    for key in ("name", "file"):
        if key in tree:
            raise ConfigError(file, key, "unknown key (a ladder has the name of its file)")
    tree |= {"name": name, "file": file}
    ladder = convert(tree, cast("type[Ladder]", Ladder), file, _WORDS)
    if isinstance(ladder, EncodeLadder):
        _check_rates(ladder, file)
        _check_names(ladder, file)
        _check_video(ladder, file)
    reason = segment_fault(ladder.segment, ladder)
    if reason is not None:
        raise ConfigError(file, "segment", reason)
    return ladder


def segment_fault(segment: Fraction, ladder: Ladder) -> str | None:
    """Why `ladder` cannot be cut into segments of `segment` seconds, or None where it can."""
    if not _SHORTEST_SEGMENT <= segment <= _LONGEST_SEGMENT:
        low, high = format_duration(_SHORTEST_SEGMENT), format_duration(_LONGEST_SEGMENT)
        return f"expected {low} to {high}, got {format_duration(segment)}"
    if isinstance(ladder, PassthroughLadder):
        return None
    frames = segment * ladder.frame_rate
    if frames.denominator == 1:
        return None
    whole = max(1, round_half_up(frames)) / ladder.frame_rate
    return (
        f"{format_duration(segment)} is not a whole number of frames at "
        f"{ladder.frame_rate} frames/s (the nearest that is: {format_duration(whole)})"
    )


def _check_rates(ladder: EncodeLadder, file: str) -> None:
    if not 1 <= ladder.frame_rate <= _FASTEST:
        reason = f"expected 1 to {_FASTEST} frames a second, got {ladder.frame_rate}"
        raise ConfigError(file, "frame_rate", reason)
    for index, rung in enumerate(ladder.video):
        if rung.maxrate < rung.bitrate:
            reason = f"{rung.maxrate} is less than the bitrate, {rung.bitrate}"
            raise ConfigError(file, f"video[{index}].maxrate", reason)
        if rung.profile == "baseline" and rung.bframes:
            reason = "the baseline profile has no B-frames: set it to 0"
            raise ConfigError(file, f"video[{index}].bframes", reason)


def _check_names(ladder: EncodeLadder, file: str) -> None:
    places = [(f"video[{index}].id", rung.id) for index, rung in enumerate(ladder.video)]
    for place, name in [*places, ("audio.id", ladder.audio.id)]:
        if name in RESERVED:
            raise ConfigError(file, place, f"{name!r} is a name that URLs and files use themselves")


def _check_video(ladder: EncodeLadder, file: str) -> None:
    ids: dict[str, int] = {}
    bitrates: dict[int, int] = {}
    for index, rung in enumerate(ladder.video):
        if (other := ids.setdefault(rung.id, index)) != index:
            reason = f"{rung.id!r} is the id of video[{other}] too"
            raise ConfigError(file, f"video[{index}].id", reason)
        if (other := bitrates.setdefault(rung.bitrate, index)) != index:
            reason = f"{rung.bitrate} is the bitrate of video[{other}] too: Smooth needs them apart"
            raise ConfigError(file, f"video[{index}].bitrate", reason)
    if ladder.audio.id in ids:
        reason = f"{ladder.audio.id!r} is the id of video[{ids[ladder.audio.id]}] too"
        raise ConfigError(file, "audio.id", reason)
