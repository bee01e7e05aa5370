"""An opened input of ffmpeg."""

from dataclasses import dataclass

from packager.ffmpeg.inputs import Feed
from packager.ffmpeg.probe import SourceInfo


@dataclass(frozen=True, slots=True)
class OpenedInput:
    """An input, ready for ffmpeg."""

    feed: Feed
    info: SourceInfo
    endless: bool
    """The input never ends: an end is a failure."""
