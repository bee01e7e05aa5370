"""The outputs of a channel's ffmpeg: each track as fragmented MP4 on a pipe of its own.

`docs/decisions/0005-ffmpeg-output.md` has the measurements behind these options.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import ffmpeg
from ffmpeg import Stream

from packager.config.ladder import EncodeLadder, Ladder, VideoRendition
from packager.config.parts import parts_of
from packager.ffmpeg.encoders import encoder_options
from packager.ffmpeg.filters import decoded, deinterlaced, scaled, synchronized
from packager.ffmpeg.inputs import Feed
from packager.ffmpeg.probe import AudioStream, SourceInfo
from packager.timing.ticks import MICROS, round_half_up, seconds
from packager.track import UNDETERMINED

CHUNKS = 4
"""Chunks a segment: a quarter is whole frames for every segment duration of the design."""
_AUDIO_CHUNK_OF_PARTS = Fraction(1, 50)
"""Seconds of an audio chunk with parts: one frame, so that no frame waits for the next."""
_TIMESCALE = 90_000


@dataclass(frozen=True, slots=True)
class Chunks:
    """Seconds of media in each chunk that ffmpeg writes."""

    video: Fraction
    audio: Fraction


def chunks_of(ladder: Ladder, segment: Fraction) -> Chunks:
    """The chunks for segments of `segment` seconds."""
    parts = parts_of(ladder, segment)
    if parts is None:
        return Chunks(segment / CHUNKS, segment / CHUNKS)
    return Chunks(parts.length, _AUDIO_CHUNK_OF_PARTS)


def timescale_for(frame_rate: Fraction | None) -> int:
    """Ticks a second with which a frame is a whole number of ticks."""
    if frame_rate is None or (_TIMESCALE / frame_rate).denominator == 1:
        return _TIMESCALE
    return frame_rate.numerator


def muxer_options(chunk: Fraction, *flags: str) -> dict[str, object]:
    """Options of a fragmented MP4 with chunks of `chunk` seconds."""
    # frag_discont keeps start times and the offset between audio and video. Negative times stay:
    # otherwise the muxer of each track would shift its own.
    return {
        "f": "mp4",
        "movflags": "+" + "+".join(("cmaf", "frag_discont", *flags)),
        "frag_duration": round_half_up(chunk * MICROS) - 1000,
        "avoid_negative_ts": "disabled",
        "use_editlist": 0,
        "fflags": "+bitexact",
        "map_metadata": -1,
        "map_chapters": -1,
    }


def language_options(audio: AudioStream) -> dict[str, object]:
    """The language: the only metadata of the feed that an output keeps."""
    if audio.language == UNDETERMINED:
        return {}
    return {"metadata:s:a:0": f"language={audio.language}"}


@dataclass(frozen=True, slots=True)
class EncodeJob:
    """The settings that all outputs of an encoded feed share."""

    ladder: EncodeLadder
    segment: Fraction
    """Seconds."""
    real_time: bool

    @property
    def chunks(self) -> Chunks:
        """The chunks of each output."""
        return chunks_of(self.ladder, self.segment)


def encoded_outputs(
    feed: Feed,
    job: EncodeJob,
    info: SourceInfo,
    inputs: tuple[Stream, Stream],
    pipes: Sequence[int],
) -> list[Stream]:
    """An output for each rendition of the ladder and each audio stream of the feed."""
    ladder = job.ladder
    video, audio = decoded(feed, info, inputs)
    video = deinterlaced(video, info.video[0], ladder)
    # To the nearest frame: fps_mode alone can leave the video late by a frame permanently.
    steady = video.filter("fps", fps=str(ladder.frame_rate), round="near")
    parts = steady.filter_multi_output("split", len(ladder.video))
    outputs = [
        _video_output(parts.stream(index), rendition, job, pipe)
        for index, (rendition, pipe) in enumerate(zip(ladder.video, pipes, strict=False))
    ]
    audio_pipes = pipes[len(ladder.video) :]
    outputs += [
        _audio_output(stream, described, job, pipe)
        for stream, described, pipe in zip(audio, info.audio, audio_pipes, strict=False)
    ]
    return outputs


def _audio_output(stream: Stream, audio: AudioStream, job: EncodeJob, pipe: int) -> Stream:
    rendition = job.ladder.audio
    return ffmpeg.output(
        synchronized(stream),
        f"pipe:{pipe}",
        **{
            "c:a": "aac",
            "b:a": rendition.bitrate,
            "ar": rendition.sample_rate,
            "ac": rendition.channels,
        },
        **muxer_options(job.chunks.audio),
        **language_options(audio),
    )


def _video_output(stream: Stream, rendition: VideoRendition, job: EncodeJob, pipe: int) -> Stream:
    ladder, segment = job.ladder, job.segment
    encoder = ladder.encoder_of(rendition)
    frames = round_half_up(segment * ladder.frame_rate)
    # Counted from the first frame, and half a frame early: the comparison is in floating point,
    # the frame times are exact.
    half = seconds(1 / ladder.frame_rate / 2, 6)
    due = f"gte(t-ld(0),n_forced*{segment.numerator}/{segment.denominator}-{half})"
    threads = rendition.threads if job.real_time else 1
    return ffmpeg.output(
        scaled(stream, rendition, encoder),
        f"pipe:{pipe}",
        **encoder_options(encoder, rendition, frames, threads, ladder.latency),
        force_key_frames=f"expr:if(n,{due},st(0,t)+1)",
        fps_mode="vfr",
        video_track_timescale=timescale_for(ladder.frame_rate),
        **muxer_options(job.chunks.video, "frag_keyframe"),
    )
