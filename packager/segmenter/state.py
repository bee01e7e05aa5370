"""The state of a segmenter, which its stages share."""

from dataclasses import dataclass, field
from fractions import Fraction

from packager.cmaf.init_section import InitFacts
from packager.cmaf.samples import SampleRun
from packager.segmenter.config import SegmenterConfig
from packager.segmenter.time_correction import TimeCorrection
from packager.timing.ticks import UtcMicros, micros_of, rescale, round_half_up
from packager.track import TrackKind, TrackSpec

_MAX_CUTS = 64
"""Segments of the reference track that audio may trail by."""
_MAX_PENDING = 1024
"""Runs of one track held back for the reference track; older ones are dropped."""


@dataclass(slots=True)
class SegmentInProgress:
    """The segment of a track that chunks are being added to."""

    number: int
    size: int = 0
    """Bytes."""
    ticks: int = 0
    """Duration."""
    chunks: int = 0
    begin: int = 0
    """Start of its first audio sample, in ticks since the epoch. Only set where audio is cut into
    parts."""
    part: SampleRun | None = None
    """Audio that does not fill a part yet."""


@dataclass(slots=True)
class TrackState:
    """The position of one track."""

    spec: TrackSpec
    facts: InitFacts | None = None
    """None until the init section has arrived."""
    version: str = ""
    """Names the init section."""
    shift: int | None = None
    """Ticks from source time to UTC; None outside a period."""
    composition: int = 0
    """Composition offset of the first keyframe. It is subtracted from all samples, so that the
    first sample of a segment has equal decode and presentation times."""
    expected: int | None = None
    """Source ticks at which the next run is expected to start."""
    segment: SegmentInProgress | None = None
    """None between two segments."""
    end: int = 0
    """End of the newest chunk, in ticks since the epoch."""
    half: int = 0
    """Ticks of half a sample: the tolerance for a boundary."""
    last: int = -1
    """Number of the newest complete segment; -1 before the first."""
    pending: list[SampleRun] = field(default_factory=list[SampleRun])
    """Runs in source time that wait for the reference track."""
    may_precede_jump: bool = False
    """Another track jumped; runs of this track may still belong to the time before the jump."""
    is_video: bool = field(init=False)
    waits: bool = field(init=False)
    """Whether its segments start where the reference track is cut."""

    def __post_init__(self) -> None:
        """Look the kind up once: it is needed for every run."""
        self.is_video = self.spec.kind is TrackKind.VIDEO
        self.waits = not self.is_video or self.spec.cuts_as_copied

    @property
    def timescale(self) -> int:
        """Ticks a second; 1 until the init section has arrived."""
        return self.facts.timescale if self.facts else 1

    def half_sample(self, run: SampleRun) -> int:
        """Ticks of half a sample of `run`."""
        if self.spec.frame_rate:
            return round_half_up(self.timescale / self.spec.frame_rate / 2)
        return run.durations[0] // 2


@dataclass(slots=True)
class SourceState:
    """The position of one run of a source, over all its tracks."""

    config: SegmenterConfig
    tracks: dict[str, TrackState]
    reference: TrackState
    """The first video track: it anchors periods, and its cuts are those of audio."""
    correction: TimeCorrection = field(default_factory=TimeCorrection)
    period_number: int | None = None
    """Number of the period's first segment; None while no period has started."""
    latency_offset: int | None = None
    """Microseconds from the anchor's UTC to the arrival of the period's first picture."""
    cuts: dict[int, int] = field(default_factory=dict[int, int])
    """Starts of the newest reference segments, by number, in reference ticks since the epoch."""
    last_wanted: int | None = None
    """Number of the last segment to write; None if the run goes on."""
    dropped: int = 0
    """Runs that no segment could take."""

    @classmethod
    def begin(cls, config: SegmenterConfig) -> "SourceState":
        """The state before the first run."""
        tracks = {spec.id: TrackState(spec) for spec in config.specs}
        reference = next(track for track in tracks.values() if track.is_video)
        return cls(config, tracks, reference)

    @property
    def first_number(self) -> int:
        """Number of the period's first segment; 0 while no period has started."""
        return self.period_number or 0

    @property
    def cuts_by_grid(self) -> bool:
        """Whether segments end on the grid; if not, they end at the reference keyframes."""
        return self.config.keyframes_on_grid and self.correction.is_identity

    @property
    def last_arrival(self) -> UtcMicros | None:
        """Arrival of the end of the newest reference chunk; None before the first."""
        if self.latency_offset is None or not self.reference.end:
            return None
        end = micros_of(self.reference.end, self.reference.timescale)
        return UtcMicros(end + self.latency_offset)

    @property
    def video_end(self) -> Fraction:
        """Seconds since the epoch that video has reached.

        With cuts on the grid any rendition counts, since the reference track may have died alone.
        """
        if not self.cuts_by_grid:
            return Fraction(self.reference.end, self.reference.timescale)
        return max(Fraction(t.end, t.timescale) for t in self.tracks.values() if t.is_video)

    def wants(self, number: int) -> bool:
        """Whether segment `number` is to be written."""
        return self.last_wanted is None or number <= self.last_wanted

    def hold(self, track: TrackState, run: SampleRun) -> None:
        """Keep a run, in source time, until the reference track has reached it."""
        track.pending.append(run)
        if len(track.pending) > _MAX_PENDING:
            del track.pending[0]
            self.dropped += 1

    def add_cut(self, number: int, start: int) -> None:
        """Record that reference segment `number` starts at `start`."""
        self.cuts[number] = start
        if len(self.cuts) > _MAX_CUTS:
            del self.cuts[next(iter(self.cuts))]

    def number_at_cut(self, track: TrackState, time: int) -> int:
        """Number of the newest reference segment that starts at `time` or before.

        `time`: ticks of `track` since the epoch.
        """
        scale = self.reference.timescale
        numbers = [
            number
            for number, start in self.cuts.items()
            if rescale(start, scale, track.timescale) <= time
        ]
        return max(numbers, default=self.first_number)

    def shift_of(self, track: TrackState) -> int:
        """Ticks from the source time of a track to UTC, as the anchor defines it."""
        reference = self.reference
        if reference.shift is None or track is reference:
            msg = "no anchor"
            raise AssertionError(msg)
        return rescale(reference.shift, reference.timescale, track.timescale)
