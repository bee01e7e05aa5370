"""The distance of a period's media from the wall clock, and the limits for it."""

from fractions import Fraction

from packager.cmaf.samples import SampleRun
from packager.segmenter.clock_drift import ClockDrift
from packager.segmenter.config import START
from packager.segmenter.state import SourceState
from packager.timing.ticks import MICROS, UtcMicros, micros_of

_AHEAD = 2
"""Media may be ahead of the clock by 1 / `_AHEAD` of a segment: frames arrive unevenly, and an
encoder that started late catches up."""
_LEAP = 5 * MICROS // 4
"""Microseconds that media may always be ahead of the clock: a leap second sets the clock back."""
SET_BACK = 60 * MICROS
"""Microseconds: media further ahead than this means that the clock was set back."""
_PATIENCE = 2 * MICROS
"""Microseconds in which a source that sends its backlog at once has caught up."""
_OWN_PATIENCE = 30 * MICROS
"""Microseconds in which a source that ffmpeg paces catches up, once the machine has time again."""
_GAIN = 4
"""A source catches up if it gains 1 / `_GAIN` of the time that passes. A source in real time
gains a twentieth."""


class LatenessWatch:
    """Watches how much the lag of one period has grown."""

    def __init__(self, tolerance: int, patience: int) -> None:
        """Tolerate `tolerance` microseconds always, and more for `patience` microseconds."""
        self._tolerance = tolerance
        self._patience = patience
        self._late: int | None = None
        self._since = UtcMicros(0)

    def persists(self, late: int, now: UtcMicros) -> bool:
        """Whether media that is `late` microseconds at the instant `now` does not catch up."""
        if late <= self._tolerance:
            self._late = None
            return False
        if self._late is None:
            self._late, self._since = late, now
        if (passed := now - self._since) < self._patience:
            return False
        gained, self._late, self._since = self._late - late, late, now
        return gained * _GAIN < passed


class PaceMonitor:
    """Measures the lag of the reference track, and corrects the drift of the source's clock."""

    def __init__(self, state: SourceState) -> None:
        self._state = state
        self._drift = ClockDrift()
        self._lateness = self._new_lateness()
        self.lag: int | None = None
        """Microseconds that the newest reference run trails the wall clock; None outside a
        period."""
        self.anchor_lag: int | None = None
        """The lag at the start of the newest period."""

    def _new_lateness(self) -> LatenessWatch:
        config = self._state.config
        patience = _PATIENCE if config.began_at is None else _OWN_PATIENCE
        return LatenessWatch(max(round(config.grid.duration * MICROS), _LEAP), patience)

    @property
    def clock_rate(self) -> int:
        """Parts per million that media time gains on the source's clock, to stay with UTC."""
        return self._drift.rate

    def begin(self, run: SampleRun, now: UtcMicros) -> None:
        """Measure the first run of a period."""
        self.lag = self.anchor_lag = self._lag(run, now)

    def measure(self, run: SampleRun, now: UtcMicros) -> None:
        """Measure a run of the reference track; adapt the correction of source time."""
        self.lag = self._lag(run, now)
        if self._drift.add(self.lag, now):
            self._state.correction.turn(self._drift.rate)

    def _lag(self, run: SampleRun, now: UtcMicros) -> int:
        reference = self._state.reference
        end = run.start + run.duration + (reference.shift or 0)
        return now - micros_of(end, reference.timescale)

    def reset(self) -> None:
        """Forget the period that has ended."""
        self.lag = None
        self._drift, self._lateness = ClockDrift(), self._new_lateness()
        self._state.correction.reset()

    def violation(self, now: UtcMicros) -> str:
        """The reason to end the period; empty if media keeps the pace of the clock.

        A source that sends its buffer at once after the period's first keyframe runs ahead. A
        source further ahead than any buffer means that the clock was set back: the period goes on.
        A source that ffmpeg paces runs ahead by its late start alone, and no further.

        With low latency a period also ends when its lag has grown by a segment. Players that
        follow the clock would keep requesting media that does not exist yet.
        """
        config = self._state.config
        if self._state.period_number is None or self.lag is None or self.anchor_lag is None:
            return ""
        segment = config.grid.duration * MICROS
        late_start = 0 if config.began_at is None else START
        if max(segment / _AHEAD, Fraction(_LEAP)) + late_start < -self.lag < SET_BACK:
            return f"media ran {-self.lag // 1000} ms ahead of the clock"
        if config.parts is not None and self._lateness.persists(self.lag - self.anchor_lag, now):
            return f"media trails the clock by {self.lag // 1000} ms"
        return ""
