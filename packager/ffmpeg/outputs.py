"""The outputs of a channel's ffmpeg: each track as fragmented MP4 on a pipe of its own.

`docs/decisions/0005-ffmpeg-output.md` has the measurements behind these options.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import ffmpeg
from ffmpeg import Stream

from packager.config.ladder import AudioRendition, Ladder, PassthroughLadder, VideoRendition
from packager.config.parts import parts_of
from packager.ffmpeg.encoders import encoder_options
from packager.ffmpeg.filters import (
    decoded_audio,
    decoded_video,
    deinterlaced,
    scaled,
    synchronized,
)
from packager.ffmpeg.inputs import Feed, PatternFeed, PipeFeed, SlateFeed
from packager.ffmpeg.probe import SILENCE, AudioStream
from packager.ffmpeg.tracks import COPYABLE, AudioPlan, TrackPlan, VideoPlan
from packager.timing.ticks import MICROS, round_half_up, seconds
from packager.track import UNDETERMINED, TrackSpec

CHUNKS = 4
"""Chunks a segment: a quarter is whole frames for every segment duration of the design."""
_AUDIO_CHUNK_OF_PARTS = Fraction(1, 50)
"""Seconds of an audio chunk with parts: one frame, so that no frame waits for the next."""
_TIMESCALE = 90_000
_NO_LIMIT = 60_000
"""Frames between two keyframes that no feed has: only forced keyframes remain. Quick Sync takes up
to 65,535."""


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
class OutputJob:
    """The settings that all outputs of a feed share."""

    feed: Feed
    inputs: tuple[Stream, Stream]
    """With the video and the audio of the feed."""
    ladder: Ladder
    segment: Fraction
    """Seconds."""
    real_time: bool

    @property
    def chunks(self) -> Chunks:
        """The chunks of each output."""
        return chunks_of(self.ladder, self.segment)


def track_outputs(job: OutputJob, plan: TrackPlan, pipes: Sequence[int]) -> list[Stream]:
    """An output for each track of `plan`, in order, on the descriptors `pipes`."""
    video = _encoded_pictures(job, [track for track in plan.video if track.rendition])
    audio = _encoded_sounds(job, [track for track in plan.audio if track.rendition])
    outputs: list[Stream] = []
    for track in plan.video:
        pipe = pipes[len(outputs)]
        if track.rendition is None:
            outputs.append(_copied_video(job, track, pipe))
        else:
            outputs.append(_encoded_video(next(video), track, track.rendition, job, pipe))
    for sound in plan.audio:
        pipe = pipes[len(outputs)]
        if sound.rendition is None:
            outputs.append(_copied_audio(job, sound, pipe))
        else:
            outputs.append(_encoded_audio(next(audio), sound, sound.rendition, job, pipe))
    return outputs


def _encoded_pictures(job: OutputJob, tracks: Sequence[VideoPlan]) -> Iterator[Stream]:
    """The decoded video, once for each of `tracks`."""
    ladder = job.ladder
    if not tracks or isinstance(ladder, PassthroughLadder):
        return
    stream = tracks[0].stream
    video = decoded_video(job.feed, stream, job.inputs[0])
    if tracks[0].spec.cuts_as_copied:
        # Each frame keeps its time and its mark as a keyframe, for `force_key_frames source`.
        steady = deinterlaced(video, stream, ladder, stream.frame_rate)
    else:
        # To the nearest frame: fps_mode alone can leave the video late by a frame permanently.
        rate = tracks[0].spec.frame_rate
        whole = deinterlaced(video, stream, ladder, rate)
        steady = whole.filter("fps", fps=str(rate), round="near")
    parts = steady.filter_multi_output("split", len(tracks))
    yield from (parts.stream(index) for index in range(len(tracks)))


def _encoded_sounds(job: OutputJob, tracks: Sequence[AudioPlan]) -> Iterator[Stream]:
    """The decoded audio of each of `tracks`; a stream that several tracks have is split."""
    places = [_place(job.feed, track) for track in tracks]
    splits: dict[int, Iterator[Stream]] = {}
    for track, place in zip(tracks, places, strict=True):
        if place not in splits:
            stream = decoded_audio(job.feed, track.stream, track.position, job.inputs[1])
            splits[place] = iter(_split(stream, places.count(place)))
        yield next(splits[place])


def _place(feed: Feed, track: AudioPlan) -> int:
    """A number that all tracks of one decoded stream have."""
    if isinstance(feed, SlateFeed | PatternFeed):
        return 0
    return SILENCE if track.stream.index == SILENCE else track.position


def _split(stream: Stream, count: int) -> list[Stream]:
    if count == 1:
        return [stream]
    split = stream.filter_multi_output("asplit", count)
    return [split.stream(index) for index in range(count)]


def _copied_video(job: OutputJob, track: VideoPlan, pipe: int) -> Stream:
    at = str(track.stream.index) if isinstance(job.feed, PipeFeed) else f"v:{track.position}"
    return ffmpeg.output(
        job.inputs[0][at],
        f"pipe:{pipe}",
        **{
            "c:v": "copy",
            "tag:v": COPYABLE[track.stream.codec],
            "video_track_timescale": timescale_for(track.spec.frame_rate),
        },
        **muxer_options(job.chunks.video, "frag_keyframe"),
    )


def _copied_audio(job: OutputJob, track: AudioPlan, pipe: int) -> Stream:
    at = str(track.stream.index) if isinstance(job.feed, PipeFeed) else f"a:{track.position}"
    # delay_moov: the moov of audio depends on the first frames.
    options: dict[str, object] = {
        "c:a": "copy",
        "tag:a": COPYABLE[track.stream.codec],
        **muxer_options(job.chunks.audio, "delay_moov"),
        **language_options(track.stream),
    }
    if track.stream.codec == "aac":
        # From ADTS, as TS has it; audio that is in MPEG-4 form already passes unchanged.
        options["bsf:a"] = "aac_adtstoasc"
    return ffmpeg.output(job.inputs[1][at], f"pipe:{pipe}", **options)


def _encoded_audio(
    stream: Stream, track: AudioPlan, rendition: AudioRendition, job: OutputJob, pipe: int
) -> Stream:
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
        **language_options(track.stream),
    )


def _encoded_video(
    stream: Stream, track: VideoPlan, rendition: VideoRendition, job: OutputJob, pipe: int
) -> Stream:
    ladder = job.ladder
    if isinstance(ladder, PassthroughLadder):
        raise TypeError(track.spec.id)
    encoder = ladder.encoder_of(rendition)
    timescale = timescale_for(track.spec.frame_rate)
    threads = rendition.threads if job.real_time else 1
    frames, cuts = _cuts(track.spec, job.segment, timescale)
    return ffmpeg.output(
        scaled(stream, rendition, encoder),
        f"pipe:{pipe}",
        **encoder_options(encoder, rendition, frames, threads, ladder.latency),
        **cuts,
        fps_mode="vfr",
        video_track_timescale=timescale,
        **muxer_options(job.chunks.video, "frag_keyframe"),
    )


def _cuts(spec: TrackSpec, segment: Fraction, timescale: int) -> tuple[int, dict[str, object]]:
    """Frames between two keyframes at most, and the options that force keyframes."""
    if spec.cuts_as_copied:
        # At the feed's keyframes, with the times that these have where they are copied.
        options = {"force_key_frames": "source", "enc_time_base": f"1:{timescale}"}
        return _NO_LIMIT, dict(options)
    if spec.frame_rate is None:
        raise AssertionError(spec.id)
    # Counted from the first frame, and half a frame early: the comparison is in floating point,
    # the frame times are exact.
    half = seconds(1 / spec.frame_rate / 2, 6)
    due = f"gte(t-ld(0),n_forced*{segment.numerator}/{segment.denominator}-{half})"
    expression = f"expr:if(n,{due},st(0,t)+1)"
    return round_half_up(segment * spec.frame_rate), {"force_key_frames": expression}
