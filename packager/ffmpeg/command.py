"""The arguments of a channel's ffmpeg, built with ffmpeg-python.

One process a channel: it decodes the feed once, splits and scales the video and encodes every
rendition; it encodes the audio once. Each track leaves on a pipe of its own.
"""

from collections.abc import Sequence
from fractions import Fraction

import ffmpeg

from packager.config.ladder import EncodeLadder, Ladder, VideoRendition
from packager.ffmpeg.encoders import device_options, encoder_options
from packager.ffmpeg.filters import for_encoder
from packager.ffmpeg.inputs import Feed, Pace, PipeFeed, open_inputs
from packager.ffmpeg.outputs import EncodeJob, chunks_of, encoded_outputs
from packager.ffmpeg.passthrough import check_copyable, copied_outputs
from packager.ffmpeg.probe import SourceInfo
from packager.timing.ticks import round_half_up
from packager.track import TrackKind, TrackSpec

_MAX_AUDIO_ID = 30
"""Characters of an id to which a number of two digits is appended."""
_NEVER = "1e9"
"""Seconds that no difference of timestamps exceeds."""
_TRIAL_FRAMES = 10
"""Frames that show whether an encoder works."""


def track_specs(ladder: Ladder, info: SourceInfo) -> tuple[TrackSpec, ...]:
    """The tracks of a feed with the streams `info`, video first.

    Raises:
        FeedError: a stream cannot be passed through.
    """
    if isinstance(ladder, EncodeLadder):
        video = tuple(
            TrackSpec(rendition.id, TrackKind.VIDEO, rendition.bitrate, ladder.frame_rate)
            for rendition in ladder.video
        )
        audio = (
            TrackSpec(_audio_id(ladder, number), TrackKind.AUDIO, ladder.audio.bitrate)
            for number in range(len(info.audio))
        )
        return (*video, *audio)
    check_copyable(info)
    specs = [
        TrackSpec(f"v{number}", TrackKind.VIDEO, 0, stream.frame_rate)
        for number, stream in enumerate(info.video)
    ]
    specs += [TrackSpec(f"a{number}", TrackKind.AUDIO, 0) for number in range(len(info.audio))]
    return tuple(specs)


def _audio_id(ladder: EncodeLadder, number: int) -> str:
    """The id of an audio track of a ladder; a feed may have several audio streams."""
    return ladder.audio.id if not number else f"{ladder.audio.id[:_MAX_AUDIO_ID]}{number + 1}"


def arguments(
    feed: Feed,
    ladder: Ladder,
    segment: Fraction,
    info: SourceInfo,
    pipes: Sequence[int],
    *,
    pace: Pace,
) -> list[str]:
    """Arguments of ffmpeg, without the program itself.

    Args:
        feed: the input.
        ladder: the renditions, or passthrough.
        segment: segment duration, in seconds.
        info: the streams of the feed.
        pipes: the file descriptor of each track of `track_specs`, in order.
        pace: how fast to read. Without a limit, encode each rendition on one thread, since the
            rate control of x264 depends on the timing of its threads.
    """
    inputs = open_inputs(feed, pace)
    devices: list[str] = []
    if isinstance(ladder, EncodeLadder):
        devices = device_options(ladder)
        job = EncodeJob(ladder, segment, real_time=pace is not Pace.UNLIMITED)
        outputs = encoded_outputs(feed, job, info, inputs, pipes)
    else:
        outputs = copied_outputs(feed, inputs[0], chunks_of(ladder, segment), info, pipes)
    merged = ffmpeg.merge_outputs(*outputs).global_args(
        *devices,
        *_timestamp_options(feed),
        "-hide_banner", "-nostdin", "-nostats",
        "-loglevel", "repeat+level+info",
        "-progress", "pipe:1", "-stats_period", "2",
    )  # fmt: skip
    return [str(argument) for argument in merged.get_args()]


def _timestamp_options(feed: Feed) -> tuple[str, ...]:
    """Options by which ffmpeg keeps the times of a feed that the packager has aligned.

    By its own rule ffmpeg takes audio that returns after ten seconds for a jump of all streams.
    """
    return ("-dts_delta_threshold", _NEVER) if isinstance(feed, PipeFeed) else ()


def trial_arguments(rendition: VideoRendition, ladder: EncodeLadder) -> list[str]:
    """Arguments of an ffmpeg that encodes a few grey frames as `rendition` and discards them."""
    grey = f"color=gray:size={rendition.width}x{rendition.height}:rate={ladder.frame_rate}"
    encoder = ladder.encoder_of(rendition)
    frames = round_half_up(ladder.segment * ladder.frame_rate)
    output = ffmpeg.output(
        for_encoder(ffmpeg.input(grey, f="lavfi").video, encoder),
        "pipe:1",
        f="null",
        **{"frames:v": _TRIAL_FRAMES},
        **encoder_options(encoder, rendition, frames, rendition.threads, ladder.latency),
    ).global_args(
        *device_options(ladder), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+error"
    )
    return [str(argument) for argument in output.get_args()]
