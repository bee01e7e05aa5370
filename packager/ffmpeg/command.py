"""The arguments of a channel's ffmpeg, built with ffmpeg-python.

One process a channel: it decodes the feed once, splits and scales the video and encodes every
rendition; it encodes the audio once. It copies the streams that are passed through. Each track
leaves on a pipe of its own.
"""

from collections.abc import Sequence
from fractions import Fraction

import ffmpeg

from packager.config.ladder import EncodingLadder, Ladder, PassthroughLadder, VideoRendition
from packager.ffmpeg.encoders import device_options, encoder_options
from packager.ffmpeg.filters import for_encoder
from packager.ffmpeg.inputs import Feed, Pace, PipeFeed, open_inputs
from packager.ffmpeg.outputs import OutputJob, track_outputs
from packager.ffmpeg.probe import SourceInfo
from packager.ffmpeg.tracks import plan_tracks
from packager.timing.ticks import round_half_up

_NEVER = "1e9"
"""Seconds that no difference of timestamps exceeds."""
_TRIAL_RATE = Fraction(25)
"""Frames a second of such a trial, where the ladder leaves the rate to the feed."""
_TRIAL_FRAMES = 10
"""Frames that show whether an encoder works."""


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
    job = OutputJob(feed, inputs, ladder, segment, real_time=pace is not Pace.UNLIMITED)
    outputs = track_outputs(job, plan_tracks(ladder, info), pipes)
    merged = ffmpeg.merge_outputs(*outputs).global_args(
        *([] if isinstance(ladder, PassthroughLadder) else device_options(ladder)),
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


def trial_arguments(rendition: VideoRendition, ladder: EncodingLadder) -> list[str]:
    """Arguments of an ffmpeg that encodes a few grey frames as `rendition` and discards them."""
    rate = ladder.frame_rate or _TRIAL_RATE
    grey = f"color=gray:size={rendition.width}x{rendition.height}:rate={rate}"
    encoder = ladder.encoder_of(rendition)
    frames = round_half_up(ladder.segment * rate)
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
