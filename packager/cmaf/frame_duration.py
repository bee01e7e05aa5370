"""The duration of audio frames, which shows a change of the sample rate.

ffmpeg passes audio through with its first parameters. After a change a frame has the same count of
samples, but another duration.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low

_FRAMES = 200
"""Frames per measurement: timestamps may be coarse, or only on one frame of many."""
_LEEWAY = Fraction(6, 100)
"""Tolerance: common sample rates differ by more."""
_HOLE = 4
"""A duration of more than this many frames is a hole, and not measured."""


@dataclass(slots=True)
class FrameDurationTracker:
    """The state of one track."""

    _frame: int = 0
    """Ticks of the first frames; 0 if not known yet."""
    _ticks: int = 0
    _frames: int = 0

    def changed(self, durations: Sequence[int]) -> bool:
        """Whether frames of these durations, in ticks, differ from the first ones."""
        self._frame = self._frame or median_low(durations)
        if max(durations) > _HOLE * self._frame:
            self._ticks = self._frames = 0
            return False
        self._ticks += sum(durations)
        self._frames += len(durations)
        if self._frames < _FRAMES:
            return False
        usual = self._frames * self._frame
        off = abs(self._ticks - usual) > usual * _LEEWAY
        self._ticks = self._frames = 0
        return off
