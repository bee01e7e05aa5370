"""The test pattern."""

from fractions import Fraction

import font_roboto

from packager.config.sources import PatternSource
from packager.ffmpeg.inputs import PatternFeed
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream
from packager.runtime.inputs.opened import OpenedInput
from packager.track import UNDETERMINED


def open_pattern(source: PatternSource, frame_rate: Fraction) -> OpenedInput:
    """Open the pattern at the ladder's frame rate."""
    feed = PatternFeed(source.width, source.height, frame_rate, font_roboto.RobotoMedium)
    video = VideoStream("rawvideo", source.width, source.height, frame_rate)
    info = SourceInfo((video,), (AudioStream("pcm_f64le", UNDETERMINED),))
    return OpenedInput(feed, info, endless=True)
