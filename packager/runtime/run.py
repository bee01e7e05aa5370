"""One run of a channel's ffmpeg: what it sends is published, what it says is heeded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from packager.clock import monotonic
from packager.cmaf.boxes import Buffer
from packager.errors import FeedError
from packager.ffmpeg.progress import Message, Progress, ProgressReader, Trouble, read_message
from packager.runtime import metrics
from packager.runtime.config_file import LoadedChannel
from packager.runtime.intake import Intake
from packager.runtime.publisher import Publisher
from packager.runtime.teller import Teller
from packager.ticks import MICROS

STALL_SEGMENTS = 3
"""Segment durations without a byte after which ffmpeg is taken for dead: the live edge it leaves
must not have gone stale before another one is running."""
_SLOW_START = 15.0
"""Seconds that ffmpeg may take to its first bytes."""
_TRAILING_SEGMENTS = 4
"""Segment durations that media may trail the clock by: further back the live edge would go stale,
and ffmpeg wins back little of what it has lost."""
_SAID_AGAIN = 15.0
"""Seconds in which the same trouble is told once."""


class Troubles:
    """What a channel's ffmpegs complain of: counted, and told unless it was a moment ago."""

    def __init__(self, channel: str, teller: Teller) -> None:
        """Nothing was said yet."""
        self._channel = channel
        self._teller = teller
        self._seen: dict[Trouble, float] = {}

    def note(self, message: Message, trouble: Trouble) -> None:
        """Something was said."""
        metrics.TROUBLES.labels(self._channel, trouble).inc()
        now = monotonic()
        if now - self._seen.get(trouble, -_SAID_AGAIN) < _SAID_AGAIN:
            return
        self._seen[trouble] = now
        problem = f"{trouble}: {message.text}"
        self._teller.problem("ffmpeg.trouble", problem, level_said=message.level)


@dataclass(slots=True)
class Run:
    """What is known of the ffmpeg that runs now."""

    config: LoadedChannel
    intake: Intake
    teller: Teller
    troubles: Troubles
    newest: float = field(default_factory=monotonic)
    """Monotonic time of the newest bytes."""
    complaint: str = ""
    """The first error ffmpeg named: later ones follow from it."""
    has_left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all is there of the last segment that is wanted."""
    left: bool = False
    """It was told to end, for something else to be on air."""
    _counted: int = 0
    """Runs that were dropped and are in the metric."""

    def taker(self, track: int) -> Callable[[Buffer], None]:
        """What takes the bytes of a track."""

        def take(data: Buffer) -> None:
            self.newest = monotonic()
            for broken in self.intake.feed(track, data):
                self.teller.problem("timeline.broken", broken.reason)
            if self.intake.segmenter.has_left:
                self.has_left.set()

        return take

    async def read_log(self, lines: AsyncIterator[str]) -> None:
        """Heed what ffmpeg says."""
        async for line in lines:
            message = read_message(line)
            if message is None or message.trouble is None:
                continue
            if not self.complaint and message.level in ("error", "fatal"):
                self.complaint = message.text
            self.troubles.note(message, message.trouble)

    async def read_progress(self, lines: AsyncIterator[str]) -> None:
        """Tell how far it is."""
        reader = ProgressReader()
        async for line in lines:
            if (progress := reader.line(line)) is not None:
                self._progress(progress)

    def _progress(self, progress: Progress) -> None:
        if progress.speed is not None:
            metrics.SPEED.labels(self.config.name).set(progress.speed)
        self.teller.note(
            speed=progress.speed,
            frames=progress.frames,
            dropped=progress.dropped,
            duplicated=progress.duplicated,
        )

    def check_alive(self) -> None:
        """See that something comes.

        Raises:
            FeedError: nothing has for too long.
        """
        anchored = self.intake.segmenter.anchored
        longest = float(STALL_SEGMENTS * self.config.segment) if anchored else _SLOW_START
        if (silent := monotonic() - self.newest) > longest:
            raise FeedError(f"no media for {silent:.0f} s")

    def look(self, publisher: Publisher) -> None:
        """Count and measure what came.

        Raises:
            FeedError: it trails the clock by too much.
            JournalError: the record of a break could not be written.
        """
        segmenter, name = self.intake.segmenter, self.config.name
        metrics.DROPPED_RUNS.labels(name).inc(segmenter.dropped - self._counted)
        self._counted = segmenter.dropped
        publisher.count()
        self._measure(segmenter.lag, segmenter.anchor_lag, segmenter.clock_rate)
        if (lag := segmenter.lag or 0) > _TRAILING_SEGMENTS * self.config.segment * MICROS:
            raise FeedError(f"too slow: media trails the clock by {lag / MICROS:.1f} s")
        for broken in self.intake.keep_pace():
            self.teller.problem("timeline.broken", broken.reason)

    def _measure(self, lag: int | None, anchor_lag: int | None, rate: int) -> None:
        if lag is None or anchor_lag is None:
            return
        name = self.config.name
        metrics.LAG_SECONDS.labels(name).set(lag / MICROS)
        metrics.DRIFT_SECONDS.labels(name).set((lag - anchor_lag) / MICROS)
        metrics.CLOCK_RATE.labels(name).set(rate)
        self.teller.note(lag_ms=lag // 1000, drift_ms=(lag - anchor_lag) // 1000, clock_ppm=rate)
