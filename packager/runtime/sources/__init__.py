"""Where feeds come from: each source opens itself, none knows another."""

from dataclasses import dataclass

from packager.ffmpeg.command import Feed
from packager.ffmpeg.probe import SourceInfo


@dataclass(frozen=True, slots=True)
class Opened:
    """A source ready for ffmpeg."""

    feed: Feed
    info: SourceInfo
    endless: bool
    """Its end is a fault, not an end."""
