"""The condition of a feed, computed from its timestamps and their arrival times.

Shared by the inspectors of all containers. An inspector passes timestamps in ticks of its
container; `now` is monotonic microseconds.
"""

from collections import deque
from statistics import median

from packager.feed.feed_clock import FeedClock
from packager.feed.frame_times import FrameTimes
from packager.feed.report import Report
from packager.timing.ticks import MICROS
from packager.timing.timestamp_counter import TimestampCounter

_MILLI = 1000
"""Microseconds."""
_BUCKET = MICROS // 2
_BUCKETS = 10
"""Buckets of half a second over which the bit rate is averaged."""
_MIN_BUCKETS = 2
_KEPT_SKEWS = 100
_MAX_AUDIO_AGE = 2 * MICROS
"""The age up to which the newest audio is compared with a frame."""


class ByteRate:
    """The bit rate of the last seconds."""

    def __init__(self) -> None:
        self._buckets: deque[list[int]] = deque(maxlen=_BUCKETS + 2)
        self._first = 0
        """The first bucket that is complete."""

    def add(self, size: int, now: int) -> None:
        """Count `size` received bytes."""
        bucket = now // _BUCKET
        buckets = self._buckets
        if not buckets:
            self._first = bucket + 1
        if buckets and bucket <= buckets[-1][0]:
            buckets[-1][1] += size
        else:
            buckets.append([bucket, size])

    def bitrate(self, now: int) -> int | None:
        """Bit/s over the last complete buckets; None before there are two."""
        if not self._buckets:
            return None
        end = now // _BUCKET
        begin = max(end - _BUCKETS, self._first)
        if end - begin < _MIN_BUCKETS:
            return None
        received = sum(size for bucket, size in self._buckets if begin <= bucket < end)
        return received * 8 * MICROS // ((end - begin) * _BUCKET)


class FeedStatistics:
    """The statistics of one connection."""

    def __init__(self, counter: TimestampCounter) -> None:
        """Measure a container with the timestamps of `counter`."""
        self._counter = counter
        self._bytes = ByteRate()
        self._frames = FrameTimes(counter)
        self._skews: deque[int] = deque(maxlen=_KEPT_SKEWS)
        """Ticks by which audio arrived before the video of the same time."""
        self._audio_pts = 0
        self._audio_arrived_at: int | None = None
        self._arrived_at: int | None = None
        self.clock = FeedClock(counter)

    @property
    def frame_step(self) -> int | None:
        """Microseconds between the last two frames; None before a second."""
        step = self._frames.step
        return None if step is None else step * MICROS // self._counter.rate

    def received(self, size: int, now: int) -> None:
        """Count `size` received bytes."""
        if size:
            self._arrived_at = now
            self._bytes.add(size, now)

    def frame(self, dts: int | None, now: int) -> None:
        """Take the start of a video frame."""
        if dts is None:
            self._frames.add_untimed(now)
            return
        if not self._frames.add(dts, now):
            self._skews.clear()
        # Frames are sent in decoding order, so audio is interleaved by DTS.
        if self._audio_arrived_at is not None and now - self._audio_arrived_at <= _MAX_AUDIO_AGE:
            self._skews.append(self._counter.difference(self._audio_pts, dts))

    def keyframe(self, pts: int) -> None:
        """Note that the newest frame is a keyframe."""
        self._frames.add_keyframe(pts)

    def audio(self, pts: int | None, now: int) -> None:
        """Take the start of an audio frame."""
        if pts is not None:
            self._audio_pts = pts
        self._audio_arrived_at = now

    def discontinuity(self) -> None:
        """Expect other timestamps next: the feed has signalled a discontinuity."""
        self._frames.discontinuity()
        self._skews.clear()
        self.clock.discontinuity()

    def report(self, now: int, video: str, audio: tuple[str, ...]) -> Report:
        """The condition at `now`, with the codecs that the inspector has found."""
        frames = self._frames
        skew = round(median(self._skews) * 1000 / self._counter.rate) if self._skews else None
        return Report(
            bitrate=self._bytes.bitrate(now),
            frame_rate=frames.rate(),
            keyframe_interval=frames.keyframe_interval,
            skew_ms=skew,
            clock_ppm=self.clock.ppm,
            dropped_frames=frames.dropped,
            late_frames=frames.late,
            silent_ms=_milliseconds(self._arrived_at, now) or 0,
            still_ms=_milliseconds(frames.arrived_at, now),
            video=video,
            audio=audio,
            mute_ms=_milliseconds(self._audio_arrived_at, now),
            unsteady=frames.unsteady,
        )


def _milliseconds(since: int | None, now: int) -> int | None:
    return None if since is None else max(0, now - since) // _MILLI
