"""The outputs of a feed that is packaged without encoding."""

from collections.abc import Sequence
from fractions import Fraction

import ffmpeg
from ffmpeg import Stream

from packager.errors import FeedError
from packager.ffmpeg.inputs import Feed, PipeFeed, silence
from packager.ffmpeg.outputs import Chunks, language_options, muxer_options, timescale_for
from packager.ffmpeg.probe import SILENCE, AudioStream, SourceInfo, VideoStream

COPYABLE = {
    "h264": "avc1",
    "hevc": "hvc1",
    "aac": "mp4a",
    "ac3": "ac-3",
    "eac3": "ec-3",
}
"""Codecs that can be passed through, each with the name of its sample entry."""
_SILENCE_BITRATE = 32_000
"""Bit/s of the silence that replaces a missing audio stream."""


def check_copyable(info: SourceInfo) -> None:
    """Check that a feed with the streams `info` can be passed through.

    Raises:
        FeedError: the codec of a stream is not supported.
    """
    audio = (stream.codec for stream in info.audio if stream.index != SILENCE)
    for codec in (*(stream.codec for stream in info.video), *audio):
        if codec not in COPYABLE:
            raise FeedError(f"{codec} cannot be passed through: encode it with a ladder")


def copied_outputs(
    feed: Feed, source: Stream, chunks: Chunks, info: SourceInfo, pipes: Sequence[int]
) -> list[Stream]:
    """An output for each stream of the feed."""
    by_index = isinstance(feed, PipeFeed)
    outputs: list[Stream] = []
    for number, video in enumerate(info.video):
        stream = source[str(video.index) if by_index else f"v:{number}"]
        outputs.append(_video_output(stream, video, chunks.video, pipes[len(outputs)]))
    for number, audio in enumerate(info.audio):
        pipe = pipes[len(outputs)]
        if audio.index == SILENCE:
            outputs.append(_silent_output(audio, chunks.audio, pipe))
            continue
        stream = source[str(audio.index) if by_index else f"a:{number}"]
        outputs.append(_audio_output(stream, audio, chunks.audio, pipe))
    return outputs


def _video_output(stream: Stream, video: VideoStream, chunk: Fraction, pipe: int) -> Stream:
    return ffmpeg.output(
        stream,
        f"pipe:{pipe}",
        **{
            "c:v": "copy",
            "tag:v": COPYABLE[video.codec],
            "video_track_timescale": timescale_for(video.frame_rate),
        },
        **muxer_options(chunk, "frag_keyframe"),
    )


def _audio_output(stream: Stream, audio: AudioStream, chunk: Fraction, pipe: int) -> Stream:
    # delay_moov: the moov of audio depends on the first frames.
    options: dict[str, object] = {
        "c:a": "copy",
        "tag:a": COPYABLE[audio.codec],
        **muxer_options(chunk, "delay_moov"),
        **language_options(audio),
    }
    if audio.codec == "aac":
        # From ADTS, as TS has it; audio that is in MPEG-4 form already passes unchanged.
        options["bsf:a"] = "aac_adtstoasc"
    return ffmpeg.output(stream, f"pipe:{pipe}", **options)


def _silent_output(audio: AudioStream, chunk: Fraction, pipe: int) -> Stream:
    return ffmpeg.output(
        silence().audio,
        f"pipe:{pipe}",
        **{"c:a": "aac", "b:a": _SILENCE_BITRATE},
        **muxer_options(chunk, "delay_moov"),
        **language_options(audio),
    )
