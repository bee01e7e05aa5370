"""What a segmenter knows of one track of its source."""

from dataclasses import dataclass, field

from packager.cmaf.init import InitFacts
from packager.cmaf.run import Run
from packager.ticks import round_half_up
from packager.track import TrackSpec


@dataclass(slots=True)
class TrackState:
    """Where one track stands."""

    spec: TrackSpec
    facts: InitFacts | None = None
    version: str = ""
    shift: int | None = None
    """Ticks from source time to UTC."""
    composition: int = 0
    """Of the first keyframe: taken off every sample, so that a segment's decode time is its
    presentation time."""
    expected: int | None = None
    """Source ticks that the next run should start at."""
    number: int = -1
    """The open segment; -1 between segments."""
    size: int = 0
    """Bytes of the open segment."""
    ticks: int = 0
    """Its length."""
    chunks: int = 0
    end: int = 0
    """Where the newest chunk ends, in ticks since the epoch."""
    half: int = 0
    """Half a sample: how far a boundary may be missed."""
    last: int = -1
    """The newest segment ended."""
    begin: int = 0
    """Where the first sound of the open segment starts, in ticks since the epoch."""
    part: Run | None = None
    """Sound of the open segment that makes no whole part yet."""
    pending: list[Run] = field(default_factory=list[Run])
    behind: bool = False
    """Another track broke off, and this one may not have reached the break yet."""

    @property
    def timescale(self) -> int:
        """Ticks a second; 1 while that is not known."""
        return self.facts.timescale if self.facts else 1

    def half_sample(self, run: Run) -> int:
        """Ticks of half a sample of `run`."""
        if self.spec.frame_rate:
            return round_half_up(self.timescale / self.spec.frame_rate / 2)
        return run.durations[0] // 2
