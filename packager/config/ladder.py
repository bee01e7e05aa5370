"""Ladders: the renditions that a feed is encoded to, and its streams that are copied."""

from typing import Annotated, Literal

import msgspec

from packager.config.fields import Bitrate, Duration, FrameRate, Name, Pixels
from packager.config.scalars import FieldNote, FromProgram, ListRule, bit_rate, integer

_AudioBitrate = Annotated[int, bit_rate(8_000, 576_000, "a bit rate from 8k to 576k", "128k")]
"""AAC-LC allows 576 kbit/s for two channels at 48 kHz."""

EncoderName = Literal["x264", "nvenc", "qsv", "vaapi"]
"""Encodes video to H.264: x264 on the processor's cores, or a device."""

Latency = Literal["standard", "low"]
"""Low: the encoder looks at no later frame, and segments are served in parts as they grow."""

Deinterlace = Literal["auto", "always", "never"]
"""When the frames of a feed are deinterlaced before they are encoded."""

_Given = Annotated[str, FromProgram()]
_SegmentDuration = Annotated[Duration, FieldNote(example="1.92s")]


class VideoRendition(msgspec.Struct, frozen=True, kw_only=True):
    """One video rendition of the ladder, encoded to H.264."""

    id: Name
    """Name in URLs and file names; unique in the ladder."""
    width: Annotated[Pixels, FieldNote(example="1280")]
    """Width of the video."""
    height: Pixels
    """Height of the video."""
    bitrate: Bitrate
    """Nominal bit rate; unique in the ladder, since Smooth addresses a rendition by it."""
    maxrate: Annotated[Bitrate, FieldNote(example="4.2M", default="1.2 x bitrate")] = 0
    """Bit rate at which the decoder's buffer fills."""
    bufsize: Annotated[Bitrate, FieldNote(example="6.3M", default="1.5 x maxrate", unit="bits")] = 0
    """Size of the decoder's buffer."""
    preset: Annotated[
        Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"],
        FieldNote(example="medium"),
    ] = "veryfast"
    """Speed of the encoder, as x264 names it: a slower one gives better video for the same bits."""
    encoder: Annotated[
        EncoderName | None, FieldNote(example="nvenc", default="`encoder` of the ladder")
    ] = None
    """Encoder of this rendition."""
    profile: Annotated[Literal["baseline", "main", "high"], FieldNote(example="main")] = "high"
    """Profile of H.264; `baseline` has no B-frames."""
    bframes: Annotated[int, integer(0, 4, "a number from 0 to 4", "2", unit="frames")] = 2
    """Most B-frames in a row."""
    threads: Annotated[int, integer(1, 64, "a number from 1 to 64", "8", unit="threads")] = 4
    """Threads of x264 for a live channel; a replay uses one."""

    def __post_init__(self) -> None:
        """Fill in the rates that follow from others."""
        if not self.maxrate:
            msgspec.structs.force_setattr(self, "maxrate", -(-self.bitrate * 12 // 10_000) * 1000)
        if not self.bufsize:
            msgspec.structs.force_setattr(self, "bufsize", self.maxrate * 3 // 2)


class AudioRendition(msgspec.Struct, frozen=True, kw_only=True):
    """The audio rendition of the ladder, encoded to AAC-LC."""

    id: Annotated[Name, FieldNote(example="audio")] = "audio"
    """Name in URLs and file names; unique in the ladder."""
    bitrate: _AudioBitrate = 128_000
    """Bit rate."""
    channels: Literal[1, 2] = 2
    """Channels: mono or stereo."""
    sample_rate: Annotated[Literal[44100, 48000], FieldNote(unit="samples/s")] = 48000
    """Sample rate."""


class VideoEncoding(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that all encoded video of a ladder shares."""

    encoder: Annotated[EncoderName, FieldNote(example="nvenc")] = "x264"
    """Encoder of the renditions that name none."""
    deinterlace: Annotated[Deinterlace, FieldNote(example="always")] = "auto"
    """`auto` deinterlaces the frames of a feed that says that it is interlaced, `always` all."""
    latency: Annotated[Latency, FieldNote(example="low")] = "standard"
    """`low` serves segments in parts while they grow."""

    def deinterlaces(self, *, interlaced: bool) -> bool:
        """Whether a feed is deinterlaced; `interlaced`: it says that it is."""
        return self.deinterlace == "always" or (interlaced and self.deinterlace == "auto")

    def encoder_of(self, rendition: VideoRendition) -> EncoderName:
        """The encoder of `rendition`: its own, or else the ladder's."""
        return rendition.encoder or self.encoder


class EncodeLadder(VideoEncoding, frozen=True, kw_only=True, tag_field="mode", tag="encode"):
    """A feed is decoded once and encoded to every rendition."""

    name: _Given
    """Of its file, without the suffix."""
    file: _Given = ""
    """Path of its file, for errors."""
    frame_rate: FrameRate
    """Frame rate of every video rendition."""
    segment: _SegmentDuration
    """Duration of a segment, 0.5s to 20s: a whole number of frames."""
    video: Annotated[
        tuple[VideoRendition, ...],
        ListRule(1, 12, "a list of 1 to 12 renditions"),
        FieldNote(example="[{id: 720p, width: 1280, height: 720, bitrate: 3.5M}]"),
    ]
    """Video renditions."""
    audio: Annotated[AudioRendition, FieldNote(example="{bitrate: 128k}")]
    """Audio rendition; `{}` for one with all defaults."""


class CopiedVideo(msgspec.Struct, frozen=True, kw_only=True, tag_field="mode", tag="copy"):
    """The video of the feed, as it is."""

    id: Annotated[Name, FieldNote(example="source")]
    """Name in URLs and file names; unique in the ladder."""


class EncodedVideo(VideoRendition, frozen=True, kw_only=True, tag_field="mode", tag="encode"):
    """A video rendition that is encoded to H.264."""


class AutoVideo(VideoRendition, frozen=True, kw_only=True, tag_field="mode", tag="auto"):
    """The video of the feed as it is, or encoded if it cannot be copied."""


class CopiedAudio(msgspec.Struct, frozen=True, kw_only=True, tag_field="mode", tag="copy"):
    """The audio streams of the feed that can be copied; others are left out."""

    id: Annotated[Name, FieldNote(example="surround")]
    """Name in URLs and file names; unique in the ladder."""


class EncodedAudio(AudioRendition, frozen=True, kw_only=True, tag_field="mode", tag="encode"):
    """All audio streams of the feed, encoded to AAC-LC."""


class AutoAudio(AudioRendition, frozen=True, kw_only=True, tag_field="mode", tag="auto"):
    """All audio streams of the feed: as they are, or encoded if they cannot be copied."""


MixedVideo = CopiedVideo | EncodedVideo | AutoVideo
MixedAudio = CopiedAudio | EncodedAudio | AutoAudio


class MixedLadder(VideoEncoding, frozen=True, kw_only=True, tag_field="mode", tag="mixed"):
    """Each track is copied from the feed or encoded, as it says itself."""

    name: _Given
    """Of its file, without the suffix."""
    file: _Given = ""
    """Path of its file, for errors."""
    frame_rate: Annotated[FrameRate | None, FieldNote(example="25", default="none")] = None
    """Frame rate of encoded video if no video is copied. Beside copied video it is the feed's."""
    segment: _SegmentDuration
    """Duration of a segment, 0.5s to 20s: a multiple of the feed's keyframe interval."""
    video: Annotated[
        tuple[MixedVideo, ...],
        ListRule(1, 12, "a list of 1 to 12 renditions"),
        FieldNote(example="[{mode: copy, id: source}]"),
    ]
    """Video renditions; only the first can be copied."""
    audio: Annotated[
        tuple[MixedAudio, ...],
        ListRule(1, 4, "a list of 1 to 4 renditions"),
        FieldNote(example="[{mode: auto}]"),
    ]
    """Audio renditions, each of every audio stream of the feed."""

    @property
    def may_copy_video(self) -> bool:
        """Whether video is copied from some feeds."""
        return not isinstance(self.video[0], EncodedVideo)


class PassthroughLadder(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="mode", tag="passthrough"
):
    """A feed is packaged as it is. Only audio that fragmented MP4 cannot carry is encoded."""

    name: _Given
    """Of its file, without the suffix."""
    file: _Given = ""
    """Path of its file, for errors."""
    segment: _SegmentDuration
    """Duration of a segment, 0.5s to 20s: a multiple of the feed's keyframe interval."""
    latency: Annotated[Latency, FieldNote(example="low")] = "standard"
    """`low` serves segments in parts while they grow."""


EncodingLadder = EncodeLadder | MixedLadder
"""A ladder with renditions that are encoded."""
Ladder = EncodeLadder | MixedLadder | PassthroughLadder


def encoded_video(ladder: Ladder) -> tuple[VideoRendition, ...]:
    """The video renditions that `ladder` encodes, of some feeds at least."""
    if isinstance(ladder, PassthroughLadder):
        return ()
    return tuple(video for video in ladder.video if isinstance(video, VideoRendition))


def encoded_audio(ladder: Ladder) -> tuple[AudioRendition, ...]:
    """The audio renditions that `ladder` encodes, of some feeds at least."""
    match ladder:
        case EncodeLadder():
            return (ladder.audio,)
        case MixedLadder():
            return tuple(audio for audio in ladder.audio if isinstance(audio, AudioRendition))
        case PassthroughLadder():
            return ()


def may_copy(ladder: Ladder) -> bool:
    """Whether a track may be a stream of the feed, passed through."""
    return not isinstance(ladder, EncodeLadder)


def may_copy_video(ladder: Ladder) -> bool:
    """Whether a video track may be a stream of the feed, passed through."""
    return ladder.may_copy_video if isinstance(ladder, MixedLadder) else may_copy(ladder)
