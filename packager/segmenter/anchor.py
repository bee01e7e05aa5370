"""The anchor of a period: the grid boundary that its first keyframe is put on."""

from dataclasses import dataclass
from fractions import Fraction

from packager.cmaf.samples import SampleRun
from packager.segmenter.config import START
from packager.segmenter.pace import SET_BACK
from packager.segmenter.state import SourceState, TrackState
from packager.timeline.records import Anchor, PeriodStarted
from packager.timing.ticks import MICROS, UtcMicros, rescale, round_half_up


@dataclass(slots=True)
class PeriodAnchoring:
    """Numbers the periods of one run of a source, and anchors each."""

    state: SourceState
    last_number: int
    """The newest segment number that media so far occupies; -1 before the first."""
    next_period: int
    _arrived_at: UtcMicros | None
    """The latest arrival of the source's first picture; None from the first period on."""
    _first_time: Fraction | None = None
    """Seconds of source time of the first reference run."""

    @classmethod
    def begin(cls, state: SourceState) -> "PeriodAnchoring":
        """The anchoring of the first period."""
        config = state.config
        arrived_at = config.arrived_at
        if config.began_at is not None:
            arrived_at = UtcMicros(config.began_at + START)
        return cls(state, config.last_number, config.next_period, arrived_at)

    def start(self, run: SampleRun, now: UtcMicros) -> PeriodStarted | None:
        """The record of a period that starts with `run` of the reference track.

        None if the run does not start with a keyframe, or its segment number is taken.
        """
        state, config = self.state, self.state.config
        instant = self._arrival(run, now)
        number = config.grid.number_at_micros(instant)
        if config.grid.micros(self.last_number) > now + SET_BACK:
            # The clock was set back: do not wait until it reaches the old time again.
            number = self.last_number + 1
        if not run.keyframe or number <= self.last_number:
            return None
        source = Fraction(run.start + run.compositions[0], state.reference.timescale)
        anchor = Anchor(source, config.grid.micros(number), instant)
        part = config.parts.target_micros if config.parts else 0
        record = PeriodStarted(self.next_period, number, anchor, filler=config.filler, part=part)
        self.next_period += 1
        self._arrived_at = None
        state.period_number = number
        state.latency_offset = instant - anchor.utc
        state.cuts = {number: config.grid.boundary(number, state.reference.timescale)}
        return record

    def _arrival(self, run: SampleRun, now: UtcMicros) -> UtcMicros:
        """Arrival of the first bytes of a reference run that is pushed at `now`.

        Runs of a buffered feed are pushed faster than they arrived.
        """
        timescale = self.state.reference.timescale
        pushed = UtcMicros(now - rescale(run.duration, timescale, MICROS))
        if self._arrived_at is None:
            return pushed
        source = Fraction(run.start, timescale)
        if self._first_time is None:
            self._first_time = source
        since = round_half_up((source - self._first_time) * MICROS)
        return min(pushed, UtcMicros(self._arrived_at + since)) if since >= 0 else pushed

    def end_period(self) -> None:
        """Mark all numbers that media of the period occupies as taken."""
        state = self.state
        self.last_number = max(self.last_number, *map(self._reached, state.tracks.values()))
        state.period_number = None
        state.cuts.clear()
        for track in state.tracks.values():
            track.shift = track.expected = None

    def _reached(self, track: TrackState) -> int:
        """The newest cell of the grid that media of a track lies in."""
        return self.state.config.grid.number_at(track.end - track.half, track.timescale)
