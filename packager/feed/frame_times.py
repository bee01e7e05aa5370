"""The frame rate, the keyframe interval and missing frames, from the timestamps of video."""

from collections import deque
from statistics import median

from packager.timing.ticks import MICROS
from packager.timing.timestamp_counter import TimestampCounter

MAX_STEP = 10
"""Seconds from a timestamp to the next; a larger step is a jump."""
_MAX_DISORDER = 1
"""Seconds by which a frame may be before the newest one: a broken order, not a jump."""
_LATE = MICROS // 2
_KEPT_STEPS = 200
_MIN_STEPS = 8
_MEDIAN_EVERY = 16
"""Frames after which the usual step is computed again."""
_MISSING = 1.75
"""Usual steps from which on a frame is missing: film in 60 fields has 1.5."""
_ODD_STEP = 0.25
"""Share of the usual step by which an odd step differs."""
_UNSTEADY = 0.1
"""Share of odd steps above which the frame rate varies."""
_MAX_KEYFRAME_INTERVAL = 600
"""Seconds; a longer interval is a jump."""


class FrameTimes:
    """The timestamps of the video frames of one connection."""

    def __init__(self, counter: TimestampCounter) -> None:
        self._counter = counter
        self._last: int | None = None
        self._last_arrival: int | None = None
        self._steps: deque[int] = deque(maxlen=_KEPT_STEPS)
        """Ticks from a frame to the next, without steps in which frames are missing."""
        self._odd: deque[bool] = deque(maxlen=_KEPT_STEPS)
        """Whether each of these steps is odd."""
        self._usual = 0.0
        self._count = 0
        self._keyframe: int | None = None
        self.keyframe_interval: float | None = None
        """Seconds."""
        self.step: int | None = None
        """Ticks between the last two frames."""
        self.dropped = 0
        self.late = 0
        self.arrived_at: int | None = None
        """When the newest frame arrived."""

    def discontinuity(self) -> None:
        """Expect other timestamps next: the feed has signalled a discontinuity."""
        self._last = self._last_arrival = self._keyframe = None

    def add_untimed(self, now: int) -> None:
        """Take a frame without a timestamp."""
        self.arrived_at = now

    def add(self, dts: int, now: int) -> bool:
        """Take a frame. Returns: whether its timestamp continues those before it."""
        last, last_arrival = self._last, self._last_arrival
        self.arrived_at = self._last_arrival = now
        if last is None or last_arrival is None:
            self._last = dts
            return True
        step = self._counter.difference(dts, last)
        rate = self._counter.rate
        if -_MAX_DISORDER * rate < step <= 0:
            return True
        self._last, self.step = dts, step
        if not 0 < step <= MAX_STEP * rate:
            self._keyframe = None
            return False
        if now - last_arrival - step * MICROS // rate > _LATE:
            self.late += 1
        self._measure(step)
        return True

    def _measure(self, step: int) -> None:
        usual = self._usual
        if usual and step > _MISSING * usual and not self.unsteady:
            self.dropped += round(step / usual) - 1
            return
        self._steps.append(step)
        self._odd.append(bool(usual) and abs(step - usual) > _ODD_STEP * usual)
        self._count += 1
        if self._count % _MEDIAN_EVERY == _MIN_STEPS:
            self._usual = median(self._steps)

    def add_keyframe(self, pts: int) -> None:
        """Note that the newest frame is a keyframe."""
        if self._keyframe is not None:
            interval = self._counter.difference(pts, self._keyframe)
            if 0 < interval <= _MAX_KEYFRAME_INTERVAL * self._counter.rate:
                self.keyframe_interval = round(interval / self._counter.rate, 3)
        self._keyframe = pts

    @property
    def unsteady(self) -> bool:
        """Whether many steps are odd."""
        return self._odd.count(True) > max(_UNSTEADY * len(self._odd), _MIN_STEPS)

    def rate(self) -> float | None:
        """Frames a second, missing frames left out; None while too few are known."""
        if len(self._steps) < _MIN_STEPS:
            return None
        usual = median(self._steps)
        steps = [one for one in self._steps if self.unsteady or one < _MISSING * usual]
        return round(len(steps) * self._counter.rate / sum(steps), 3)
