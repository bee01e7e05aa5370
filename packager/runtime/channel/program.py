"""Opens the source that is to go on air, so that its media continues the channel's timeline."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from packager.config.ladder import EncodeLadder, Ladder, PassthroughLadder, may_copy
from packager.config.schema.channel import ChannelConfig
from packager.config.sources import (
    FileSource,
    LossConfig,
    PatternSource,
    Source,
    described,
    source_label,
)
from packager.errors import FeedError
from packager.ffmpeg.inputs import PipeFeed
from packager.ffmpeg.probe import SourceInfo
from packager.ffmpeg.selection import with_silence
from packager.ffmpeg.tracks import stream_tracks
from packager.runtime.channel.failover import SourceFailover
from packager.runtime.channel.live_source import LiveSource
from packager.runtime.channel.maintenance import StorageMaintenance
from packager.runtime.channel.reporter import FfmpegWarnings, StatusReporter
from packager.runtime.ffmpeg.local import LocalFfmpeg
from packager.runtime.inputs.files import open_recording
from packager.runtime.inputs.opened import OpenedInput
from packager.runtime.inputs.pattern import open_pattern
from packager.runtime.inputs.slate import open_slate, slate_ladder
from packager.timeline.model import Timeline
from packager.timing.clock import Clock, monotonic_micros
from packager.timing.ticks import MICROS, UtcMicros


@dataclass(frozen=True, slots=True)
class ChannelContext:
    """What all parts of one channel use."""

    config: ChannelConfig
    folder: Path
    """Of the channel's journal and media."""
    ffmpeg: LocalFfmpeg
    clock: Clock
    reporter: StatusReporter
    maintenance: StorageMaintenance
    warnings: FfmpegWarnings


@dataclass(frozen=True, slots=True)
class OnAirSource:
    """A source that is opened to go on air."""

    opened: OpenedInput
    ladder: Ladder
    name: str
    place: int | None = None
    """In the order of preference; None for the filler."""
    feed: LiveSource | None = None
    """The source of its bytes; None if ffmpeg reads it by itself."""
    first_byte: int = 0
    """When the first byte of the feed that ffmpeg gets arrived, in monotonic microseconds."""
    first_visible: UtcMicros | None = None
    """When the first frame that viewers see arrived."""
    connection: int = 0
    """The feed's connection, by number, when the source was opened."""
    streams: SourceInfo | None = None
    """The feed's streams when the source was opened."""

    @property
    def label(self) -> str:
        """For texts that people read, such as `source 1 (rtmp)`."""
        return self.name if self.place is None else source_label(self.place, self.name)

    @property
    def is_filler(self) -> bool:
        """Whether it replaces a missing source."""
        return self.place is None


class ProgramSelector:
    """Opens the sources of one channel."""

    def __init__(self, context: ChannelContext) -> None:
        self._context = context
        self._is_filler_usable = True
        """False once the configured filler gave no media: a grey slate replaces it."""

    async def open(self, source: Source) -> OpenedInput:
        """Open a source that ffmpeg reads by itself.

        Raises:
            FeedError: it cannot be opened.
        """
        ladder = self._context.config.ladder
        match source:
            case PatternSource():
                if not isinstance(ladder, EncodeLadder):
                    raise FeedError("a test pattern cannot be passed through: encode it")
                return open_pattern(source, ladder.frame_rate)
            case FileSource():
                return await open_recording(
                    source,
                    self._context.folder,
                    self._context.ffmpeg.path,
                    encoded=not may_copy(ladder),
                )
            case _:
                raise FeedError(f"{described(source)}: an encoder pushes it")

    async def select(
        self,
        failover: SourceFailover,
        place: int | None,
        timeline: Timeline,
        last_arrival: UtcMicros | None,
    ) -> OnAirSource | None:
        """Open the source at `place` so that it continues `timeline`; None if it has gone.

        `last_arrival` is when the newest media of the source before it arrived.
        """
        if place is None:
            return await self._filler(timeline)
        source = failover.sources[place]
        if isinstance(source, LiveSource):
            return self._live(source, place, timeline, last_arrival)
        try:
            opened = await self.open(source)
        except FeedError as error:
            problem = f"{described(source)}: {error}"
            self._context.reporter.report_problem("source.lost", problem)
            failover.shun(place)
            return None
        return OnAirSource(opened, self._context.config.ladder, described(source), place)

    async def _filler(self, timeline: Timeline) -> OnAirSource:
        config = self._context.config
        ladder = slate_ladder(config.ladder, config.segment, timeline)
        loss = config.loss if self._is_filler_usable else LossConfig(filler="slate")
        opened = await open_slate(
            loss, ladder, timeline, self._context.folder, self._context.ffmpeg.path
        )
        return OnAirSource(opened, ladder, "filler")

    def _live(
        self,
        source: LiveSource,
        place: int,
        timeline: Timeline,
        last_arrival: UtcMicros | None,
    ) -> OnAirSource | None:
        """Begin with the keyframe from which media fits behind `timeline` and was not seen yet."""
        config = self._context.config
        now, utc = monotonic_micros(), self._context.clock.now()
        free = timeline.grid.micros(timeline.last_occupied + 1)
        wanted = now + max(last_arrival or 0, free) - utc
        if wanted > now + 2 * config.segment * MICROS:
            wanted = now  # the clock was set back
        start = source.start_at(wanted)
        if start is None:
            return None
        # A copied stream begins with a keyframe.
        skip = 0 if may_copy(config.ladder) else max(0, wanted - start.arrived_at)
        step = Fraction(start.frame_step, MICROS)
        feed = PipeFeed(start.container, Fraction(skip, MICROS), step)
        least = 0 if isinstance(config.ladder, PassthroughLadder) else 1
        info = with_silence(start.info, stream_tracks(config.ladder, timeline.audio_tracks), least)
        return OnAirSource(
            OpenedInput(feed, info, endless=False),
            config.ladder,
            source.name,
            place,
            source,
            first_byte=start.arrived_at,
            first_visible=UtcMicros(utc - now + start.arrived_at + skip),
            connection=source.connections,
            streams=start.info,
        )

    def replace_filler(self) -> None:
        """Send a grey slate from the next filler on: the configured one gave no media."""
        if self._is_filler_usable:
            self._is_filler_usable = False
            problem = "the slate cannot be shown: a grey one replaces it"
            self._context.reporter.report_problem("slate.replaced", problem)
