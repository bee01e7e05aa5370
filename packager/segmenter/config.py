"""The parameters of a segmenter, fixed for one run of a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packager.config.parts import Parts
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros
from packager.track import TrackSpec

START = 3 * MICROS
"""Microseconds that ffmpeg takes to its first media at most, unless the machine is too busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterConfig:
    """The source's tracks, the grid, and the point of the timeline where the run continues."""

    grid: Grid
    specs: Sequence[TrackSpec]
    keyframes_on_grid: bool
    """Whether all video has a keyframe on every boundary of the grid, which the encoder forces. If
    so, the last frame of a segment shows that the segment is complete."""
    last_number: int
    """The newest segment number that the timeline's media occupies; -1 before the first."""
    next_period: int
    """Index of the next period."""
    bitrates: Mapping[str, int] = field(default_factory=dict[str, int])
    """Bit/s measured in earlier periods, by track."""
    arrived_at: UtcMicros | None = None
    """Arrival of the source's first picture, if the source was buffered before this run."""
    began_at: UtcMicros | None = None
    """When ffmpeg began to read a source at the pace of its own clock; None for another source.

    Such a source makes up for each delay, so its media is never earlier than its start allows.
    """
    filler: bool = False
    """Whether the source is the filler that replaces a missing feed."""
    parts: Parts | None = None
    """Audio is cut into these parts, in step with the video chunks. If None, audio chunks are
    stored as they arrive."""
