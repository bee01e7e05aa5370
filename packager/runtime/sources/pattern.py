"""The test pattern."""

from fractions import Fraction

import font_roboto

from packager.ffmpeg.command import PatternFeed
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream
from packager.runtime.sources import Opened
from packager.source import PatternSource
from packager.track import UNDETERMINED


def open_pattern(source: PatternSource, frame_rate: Fraction) -> Opened:
    """The pattern at the ladder's frame rate."""
    feed = PatternFeed(source.width, source.height, frame_rate, font_roboto.RobotoMedium)
    picture = VideoStream("rawvideo", source.width, source.height, frame_rate)
    info = SourceInfo((picture,), (AudioStream("pcm_f64le", UNDETERMINED),))
    return Opened(feed, info, endless=True)
