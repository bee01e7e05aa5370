"""How long frames of sound last: what gives away another sample rate.

ffmpeg passes sound through with the parameters that it had at first. What comes after a change has
the same number of samples a frame, but takes another time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low

_FRAMES = 200
"""Frames looked at together: timestamps may be coarse, or come once in many frames."""
_LEEWAY = Fraction(6, 100)
"""Common sample rates lie further apart; a feed that loses more is no better off."""
_HOLE = 4
"""Frames missing at once that say nothing of how long one lasts."""


@dataclass(slots=True)
class SoundPace:
    """The state of one track."""

    _frame: int = 0
    """Ticks of a frame at first; 0 where not known yet."""
    _ticks: int = 0
    _frames: int = 0

    def changed(self, durations: Sequence[int]) -> bool:
        """Whether frames that last so (in ticks) are paced otherwise than the first were."""
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
