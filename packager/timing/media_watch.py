"""When the media of a run arrives: pure, the caller passes the monotonic time in seconds."""

from fractions import Fraction

from packager.timing.ticks import UtcMicros

_OVERDUE = Fraction(3, 2)
"""Segment durations after which media is overdue: viewers have a segment or two left."""


class MediaWatch:
    """Watches the bytes of ffmpeg, and the video that the segmenter makes of them."""

    def __init__(self, segment: Fraction, now: float) -> None:
        """Expect segments of `segment` seconds from `now` on."""
        self._overdue = float(_OVERDUE * segment)
        self._bytes_at = self._video_at = now
        self._video_end: UtcMicros | None = None

    def arrived(self, now: float) -> None:
        """Note that bytes of any track arrive."""
        self._bytes_at = now

    def reached(self, end: UtcMicros | None, now: float) -> None:
        """Note how far the video has been published; None before the first."""
        if end != self._video_end:
            self._video_end, self._video_at = end, now

    def silent(self, now: float) -> float:
        """Seconds without a byte."""
        return now - self._bytes_at

    def problem(self, now: float) -> str:
        """Which media is overdue; empty if none is."""
        if (silent := self.silent(now)) > self._overdue:
            return f"no media from ffmpeg for {silent:.0f} s"
        if (without := now - self._video_at) > self._overdue:
            return f"no video from ffmpeg for {without:.0f} s"
        return ""
