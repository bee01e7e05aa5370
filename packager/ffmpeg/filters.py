"""The filters between the decoded feed and the encoders."""

from fractions import Fraction
from typing import assert_never

from ffmpeg import Stream

from packager.config.ladder import EncoderName, VideoEncoding, VideoRendition
from packager.ffmpeg.encoders import last_filters
from packager.ffmpeg.inputs import Feed, FileFeed, PatternFeed, PipeFeed, SlateFeed, audio_of
from packager.ffmpeg.probe import AudioStream, VideoStream
from packager.timing.ticks import seconds

_FRAMES = Fraction(3, 2)
"""Frames of the ladder for each frame of the feed from which on each field becomes a frame."""
_MAX_AUDIO_SLIP = 0.01
"""Seconds that audio may differ from its timestamps before silence or a cut corrects it."""


def decoded_video(feed: Feed, video: VideoStream, source: Stream) -> Stream:
    """The video stream `video` of the input `source`, as an input of filters."""
    match feed:
        case FileFeed():
            return source.video
        case PipeFeed():
            selected = source[str(video.index)]
            return selected.filter("trim", start=seconds(feed.skip, 6)) if feed.skip else selected
        case SlateFeed() | PatternFeed():
            return source
        case _:
            assert_never(feed)


def decoded_audio(feed: Feed, audio: AudioStream, position: int, source: Stream) -> Stream:
    """The audio stream `audio` of the input `source`, as an input of filters.

    `position`: its place among the audio streams.
    """
    match feed:
        case FileFeed():
            return source[f"a:{position}"]
        case PipeFeed():
            stream = audio_of(source, audio)
            return stream.filter("atrim", start=seconds(feed.skip, 6)) if feed.skip else stream
        case SlateFeed() | PatternFeed():
            return source.audio
        case _:
            assert_never(feed)


def deinterlaced(
    stream: Stream, video: VideoStream, ladder: VideoEncoding, rate: Fraction | None
) -> Stream:
    """Whole frames: one for each frame of an interlaced feed, or for each field.

    A frame for each field shows the motion that the fields have: it needs a `rate` of as many
    frames a second.
    """
    if not ladder.deinterlaces(interlaced=video.interlaced):
        return stream
    doubled = bool(rate and video.frame_rate and rate > _FRAMES * video.frame_rate)
    return stream.filter(
        "bwdif",
        mode="send_field" if doubled else "send_frame",
        deint="all" if ladder.deinterlace == "always" else "interlaced",
    )


def scaled(stream: Stream, rendition: VideoRendition, encoder: EncoderName) -> Stream:
    """The video at the size of `rendition`, whole and undistorted, in the encoder's format."""
    # dar takes non-square pixels into account; force_original_aspect_ratio does not.
    width, height = rendition.width, rendition.height
    fitted = stream.filter(
        "scale",
        f"2*round(min({width},{height}*dar)/2)",
        f"2*round(min({height},{width}/dar)/2)",
        flags="bicubic",
    )
    padded = fitted.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2")
    return for_encoder(padded.filter("setsar", 1), encoder)


def for_encoder(stream: Stream, encoder: EncoderName) -> Stream:
    """The video in the pixel format, and in the memory, that the encoder needs."""
    for name, *options in last_filters(encoder):
        stream = stream.filter(name, *options)
    return stream


def synchronized(audio: Stream) -> Stream:
    """Audio that follows its timestamps: stretched for small differences, else cut or padded."""
    return audio.filter("aresample", **{"async": 1000, "min_hard_comp": _MAX_AUDIO_SLIP})
