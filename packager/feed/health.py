"""How a feed is, reckoned from the times that are in it and the times when they came.

What the containers have in common: an inspector says what it sees, in ticks of its container that
wrap around at some number of bits; `now` is monotonic microseconds, as everywhere here.
"""

from collections import deque
from statistics import median

from packager.feed.container import Report
from packager.ticks import MICROS

_MILLI = 1000
"""Microseconds."""

_BUCKET = MICROS // 2
_BUCKETS = 10
"""Of half a second each: what the bit rate is taken over."""
_FEWEST_BUCKETS = 2

_FARTHEST = 10
"""Seconds from a picture to the next; what is more is a jump."""
_SWAPPED = 1
"""Seconds that a picture may be before the newest one, for want of order."""
_LATE = MICROS // 2
_PICTURES = 200
"""Times between pictures that are kept."""
_FEWEST_PICTURES = 8
_RECKON_EVERY = 16
"""Pictures after which the usual time between two is reckoned again."""
_MISSING = 1.75
"""Usual times between pictures from which on one is missing: film in 60 fields has 1.5."""
_UNLIKE = 0.25
_UNSTEADY = 0.1
"""The share of pictures whose distance is unlike the usual one by more than the share above."""
_LONGEST_GROUP = 600
"""Seconds between keyframes; what is more is a jump."""
_SKEWS = 100
_FRESH = 2 * MICROS
"""How old the newest sound may be to be compared with a picture."""

_WINDOW = 10 * MICROS
"""Microseconds of which the earliest arrival counts."""
_WINDOWS = 180
_FEWEST_WINDOWS = 6
_ERRATIC = 40_000
"""Microseconds from one window to the next that no clock's rate explains."""
_CLOCK_JUMP = MICROS
_DOUBT = 20e-6
"""Standard error with which a rate is good enough to be said."""


class Wrapping:
    """Timestamps that begin again at 0 after `bits` bits, at `rate` ticks a second."""

    def __init__(self, rate: int, bits: int) -> None:
        """Of a container."""
        self.rate = rate
        self._half = 1 << (bits - 1)
        self._mask = (1 << bits) - 1

    def since(self, ticks: int, earlier: int) -> int:
        """Ticks from `earlier` to `ticks`, the short way around."""
        return ((ticks - earlier + self._half) & self._mask) - self._half


class Volume:
    """Bytes that came in the last seconds."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._buckets: deque[list[int]] = deque(maxlen=_BUCKETS + 2)
        self._first = 0
        """The first bucket that was seen from its beginning."""

    def add(self, size: int, now: int) -> None:
        """So many bytes have come."""
        bucket = now // _BUCKET
        buckets = self._buckets
        if not buckets:
            self._first = bucket + 1
        if buckets and bucket <= buckets[-1][0]:
            buckets[-1][1] += size
        else:
            buckets.append([bucket, size])

    def bitrate(self, now: int) -> int | None:
        """Bit/s over the last whole buckets; None before there are some."""
        if not self._buckets:
            return None
        end = now // _BUCKET
        begin = max(end - _BUCKETS, self._first)
        if end - begin < _FEWEST_BUCKETS:
            return None
        came = sum(size for bucket, size in self._buckets if begin <= bucket < end)
        return came * 8 * MICROS // ((end - begin) * _BUCKET)


class Pictures:
    """The times of the pictures: how far apart they are, and which are missing."""

    def __init__(self, times: Wrapping) -> None:
        """None has come."""
        self._times = times
        self._last: int | None = None
        self._last_now: int | None = None
        self._apart: deque[int] = deque(maxlen=_PICTURES)
        """Ticks from a picture to the next, without those between which some are missing."""
        self._odd: deque[bool] = deque(maxlen=_PICTURES)
        """Whether these were unlike the usual."""
        self._usual = 0.0
        self._count = 0
        self._keyframe: int | None = None
        self.keyframe_interval: float | None = None
        self.dropped = 0
        self.late = 0
        self.jumps = 0
        self.came: int | None = None
        """When the newest picture came."""

    def forget(self) -> None:
        """What comes next has other times, and said so."""
        self._last = self._last_now = self._keyframe = None

    def untimed(self, now: int) -> None:
        """A picture without a timestamp has come."""
        self.came = now

    def add(self, decoded: int, now: int) -> bool:
        """A picture that is to be decoded at `decoded` has come. Returns: whether time went on."""
        last, last_now = self._last, self._last_now
        self.came = self._last_now = now
        if last is None or last_now is None:
            self._last = decoded
            return True
        apart = self._times.since(decoded, last)
        rate = self._times.rate
        if -_SWAPPED * rate < apart <= 0:
            return True
        self._last = decoded
        if not 0 < apart <= _FARTHEST * rate:
            self.jumps += 1
            self._keyframe = None
            return False
        if now - last_now - apart * MICROS // rate > _LATE:
            self.late += 1
        self._measure(apart)
        return True

    def _measure(self, apart: int) -> None:
        usual = self._usual
        if usual and apart > _MISSING * usual and not self.unsteady:
            self.dropped += round(apart / usual) - 1
            return
        self._apart.append(apart)
        self._odd.append(bool(usual) and abs(apart - usual) > _UNLIKE * usual)
        self._count += 1
        if self._count % _RECKON_EVERY == _FEWEST_PICTURES:
            self._usual = median(self._apart)

    def keyframe(self, shown: int) -> None:
        """The newest picture, shown at `shown`, is a keyframe."""
        if self._keyframe is not None:
            apart = self._times.since(shown, self._keyframe)
            if 0 < apart <= _LONGEST_GROUP * self._times.rate:
                self.keyframe_interval = round(apart / self._times.rate, 3)
        self._keyframe = shown

    @property
    def unsteady(self) -> bool:
        """Whether many are not as far apart as most."""
        return self._odd.count(True) > max(_UNSTEADY * len(self._odd), _FEWEST_PICTURES)

    def rate(self) -> float | None:
        """Pictures a second, without those that are missing; None before there are some."""
        if len(self._apart) < _FEWEST_PICTURES:
            return None
        usual = median(self._apart)
        apart = [one for one in self._apart if self.unsteady or one < _MISSING * usual]
        return round(len(apart) * self._times.rate / sum(apart), 3)


class Clock:
    """The feed's clock beside ours.

    Media that arrives can be late for many reasons but never early: so it is the earliest arrival
    of some seconds that tells where the feed's clock stands (as in `packager.drift`).
    """

    def __init__(self, times: Wrapping) -> None:
        """It has not been seen."""
        self._times = times
        self._last: int | None = None
        self._now = 0
        self._shown = 0
        """Ticks that it went on since it was first seen, or since it jumped."""
        self._begin = 0
        self._least = 0
        self._least_at = 0
        self._earliest: deque[tuple[int, int]] = deque(maxlen=_WINDOWS)
        """When, and by how much the clock is behind ours: the least of each window."""
        self._elapsed = 0
        self.ppm: int | None = None
        """Parts per million that it is fast, once that is sure."""

    @property
    def elapsed(self) -> int:
        """Microseconds that it has gone on in all, without jumps."""
        return self._elapsed * MICROS // self._times.rate

    def forget(self) -> None:
        """It may jump now."""
        self._last = None

    def seen(self, ticks: int, now: int) -> None:
        """It shows `ticks`."""
        rate = self._times.rate
        on = 0 if self._last is None else self._times.since(ticks, self._last)
        usual = 0 <= on <= _FARTHEST * rate
        self._elapsed += on if usual else 0
        # After a pause it may go on by as much as ours.
        away = abs(on * MICROS // rate - (now - self._now))
        if self._last is None or (not usual and away > _CLOCK_JUMP):
            self._start(now)
        else:
            self._shown += on
        self._last, self._now = ticks, now
        behind = now - self._shown * MICROS // rate
        if now - self._begin >= _WINDOW:
            self._close(now)
            self._least = behind
        if behind <= self._least:
            self._least, self._least_at = behind, now

    def _start(self, now: int) -> None:
        self._shown = 0
        self._begin, self._least, self._least_at = now, now, now
        self._earliest.clear()
        self.ppm = None

    def _close(self, now: int) -> None:
        earliest = self._earliest
        if earliest and abs(self._least - earliest[-1][1]) > _ERRATIC:
            earliest.clear()
        earliest.append((self._least_at, self._least))
        self._begin = now
        self.ppm = _slope(earliest) if len(earliest) >= _FEWEST_WINDOWS else None


def _slope(points: deque[tuple[int, int]]) -> int | None:
    """Parts per million by which the clock is fast: least squares; None where that is unsure."""
    count = len(points)
    middle = sum(at for at, _ in points) / count
    mean = sum(behind for _, behind in points) / count
    spread = sum((at - middle) ** 2 for at, _ in points)
    if not spread:
        return None
    slope = sum((at - middle) * (behind - mean) for at, behind in points) / spread
    rest = sum((behind - mean - slope * (at - middle)) ** 2 for at, behind in points)
    doubt = (rest / (count - 2) / spread) ** 0.5
    return round(-slope * 1_000_000) if doubt < _DOUBT else None


class Health:
    """All of it, of one connection."""

    def __init__(self, rate: int, bits: int) -> None:
        """Timestamps have `rate` ticks a second and `bits` bits."""
        self._times = Wrapping(rate, bits)
        self._volume = Volume()
        self._pictures = Pictures(self._times)
        self._skews: deque[int] = deque(maxlen=_SKEWS)
        """Ticks by which sound came before the picture of the same time."""
        self._sound = 0
        self._sounded: int | None = None
        self._came: int | None = None
        self.clock = Clock(self._times)

    def came(self, size: int, now: int) -> None:
        """So many bytes have come."""
        if size:
            self._came = now
            self._volume.add(size, now)

    def picture(self, decoded: int | None, now: int) -> None:
        """A picture begins to come that is to be decoded at `decoded`."""
        if decoded is None:
            self._pictures.untimed(now)
            return
        if not self._pictures.add(decoded, now):
            self._skews.clear()
        # Pictures are sent in the order they are decoded in, so that is what sound goes along with.
        if self._sounded is not None and now - self._sounded <= _FRESH:
            self._skews.append(self._times.since(self._sound, decoded))

    def keyframe(self, shown: int) -> None:
        """The newest picture is a keyframe, to be shown at `shown`."""
        self._pictures.keyframe(shown)

    def sound(self, heard: int | None, now: int) -> None:
        """Sound begins to come that is to be heard at `heard`."""
        if heard is not None:
            self._sound = heard
        self._sounded = now

    def forget(self) -> None:
        """The timestamps may be others from now on: the feed has said so."""
        self._pictures.forget()
        self._skews.clear()
        self.clock.forget()

    def report(self, now: int, video: str, audio: tuple[str, ...]) -> Report:
        """How it is at `now`; the codecs are the inspector's to know."""
        pictures = self._pictures
        skew = round(median(self._skews) * 1000 / self._times.rate) if self._skews else None
        return Report(
            bitrate=self._volume.bitrate(now),
            frame_rate=pictures.rate(),
            keyframe_interval=pictures.keyframe_interval,
            skew_ms=skew,
            clock_ppm=self.clock.ppm,
            dropped_frames=pictures.dropped,
            late_frames=pictures.late,
            silent_ms=_milliseconds(self._came, now) or 0,
            still_ms=_milliseconds(pictures.came, now),
            video=video,
            audio=audio,
            mute_ms=_milliseconds(self._sounded, now),
            jumps=pictures.jumps,
            unsteady=pictures.unsteady,
        )


def _milliseconds(since: int | None, now: int) -> int | None:
    return None if since is None else max(0, now - since) // _MILLI
