"""Detection of jumps in a source's timestamps."""

from dataclasses import dataclass
from fractions import Fraction

from packager.cmaf.samples import SampleRun
from packager.segmenter.state import SourceState, TrackState
from packager.timing.ticks import MICROS, UtcMicros, round_half_up

JUMP = 1
"""Seconds: a larger step in a track's times is a jump."""
_MAX_LEAD = Fraction(1, 2)
"""Seconds that a returning track may be ahead of all other tracks."""
_PATIENCE = 2 * MICROS
"""Microseconds that other tracks get to reach the jump."""


@dataclass(frozen=True, slots=True)
class TimestampJump:
    """The jump that ended the last period."""

    before: Fraction
    """Seconds of source time before the jump."""
    after: Fraction
    """Seconds of source time after the jump."""
    until: int
    """Microseconds since the epoch after which all tracks are assumed to be past the jump."""

    @property
    def millis(self) -> int:
        """Signed size in milliseconds."""
        return round_half_up((self.after - self.before) * 1000)


class JumpDetector:
    """Compares each run with the time at which it was expected."""

    def __init__(self, state: SourceState) -> None:
        self._state = state
        self._jump: TimestampJump | None = None

    def precedes_jump(self, track: TrackState, run: SampleRun, now: UtcMicros) -> bool:
        """Whether `run` belongs to the time before the last jump: tracks reach it in turn."""
        jump, time = self._jump, Fraction(run.start, track.timescale)
        if jump is None or now > jump.until:
            return False
        return abs(time - jump.before) < abs(time - jump.after)

    def is_jump(self, track: TrackState, run: SampleRun) -> bool:
        """Whether the times of a track jump at `run`.

        A track that was away and returns where the other tracks are does not jump, unless the
        other tracks are cut at its keyframes.
        """
        expected, shift = track.expected, track.shift
        if expected is None or abs(run.start - expected) <= JUMP * track.timescale:
            return False
        cuts_others = track is self._state.reference and not self._state.cuts_by_grid
        if shift is None or run.start < expected or cuts_others:
            return True
        others = [
            Fraction(other.expected + other.shift, other.timescale)
            for other in self._state.tracks.values()
            if other is not track and other.expected is not None and other.shift is not None
        ]
        foremost = max(others, default=Fraction(0))
        return Fraction(run.start + shift, track.timescale) > foremost + _MAX_LEAD

    def record(self, track: TrackState, run: SampleRun, now: UtcMicros) -> TimestampJump:
        """The jump of `track` at `run`; the other tracks are expected to follow."""
        before = Fraction(track.expected or 0, track.timescale)
        after = Fraction(run.start, track.timescale)
        self._jump = TimestampJump(before, after, now + _PATIENCE)
        for other in self._state.tracks.values():
            other.may_precede_jump = other is not track
        return self._jump
