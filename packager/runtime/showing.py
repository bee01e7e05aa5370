"""What is on air: a source opened for ffmpeg, from the instant on that goes on what was before."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from packager.clock import Clock, monotonic_micros
from packager.errors import FeedError
from packager.ffmpeg.command import PipeFeed
from packager.ffmpeg.probe import SourceInfo
from packager.ffmpeg.selection import with_silence
from packager.profile import EncodeLadder, Ladder
from packager.runtime.config_file import LoadedChannel
from packager.runtime.feed import Feed
from packager.runtime.feeds import Feeds
from packager.runtime.publisher import Publisher
from packager.runtime.sources import Opened
from packager.runtime.sources.pattern import open_pattern
from packager.runtime.sources.recording import open_recording
from packager.runtime.sources.slate import open_slate, slate_ladder
from packager.runtime.teller import Teller
from packager.source import FileSource, LossConfig, PatternSource, Source, described
from packager.ticks import MICROS, UtcMicros


@dataclass(frozen=True, slots=True)
class Shown:
    """What is on air."""

    opened: Opened
    ladder: Ladder
    name: str
    place: int | None = None
    """Of its source, in the order of preference; None for the filler."""
    feed: Feed | None = None
    came: int = 0
    """When the first of the feed came that ffmpeg gets, in monotonic microseconds."""
    begins: UtcMicros | None = None
    """When the first came that is to be seen."""
    connection: int = 0
    """Of the feed, which one it was when it was begun with."""
    known: SourceInfo | None = None
    """The streams of the feed when it was begun with."""

    @property
    def is_filler(self) -> bool:
        """Whether it is nobody's feed."""
        return self.place is None


class Showing:
    """Opens what one channel shows."""

    def __init__(
        self, config: LoadedChannel, folder: Path, program: str, clock: Clock, teller: Teller
    ) -> None:
        """Open the sources of `config`, whose folder is `folder`, for the ffmpeg `program`."""
        self._config = config
        self._folder = folder
        self._program = program
        self._clock = clock
        self._teller = teller
        self._has_picture = True
        """The filler is as configured, as far as is known."""

    async def open(self, source: Source) -> Opened:
        """A source that ffmpeg reads by itself.

        Raises:
            FeedError: it cannot be had.
        """
        ladder = self._config.ladder
        match source:
            case PatternSource():
                if not isinstance(ladder, EncodeLadder):
                    raise FeedError("there is nothing to pass through in a test pattern")
                return open_pattern(source, ladder.frame_rate)
            case FileSource():
                encoded = isinstance(ladder, EncodeLadder)
                return await open_recording(source, self._folder, self._program, encoded=encoded)
            case _:
                raise FeedError("encoders push it")

    async def show(
        self, feeds: Feeds, place: int | None, publisher: Publisher, seen: UtcMicros | None
    ) -> Shown | None:
        """What to send of the source at `place`; None where it has gone meanwhile.

        `seen` is when the last came in of what was on air before.
        """
        config = self._config
        if place is None:
            timeline = publisher.timeline
            ladder = slate_ladder(config.ladder, config.segment, timeline)
            loss = config.loss if self._has_picture else LossConfig(filler="slate")
            opened = await open_slate(loss, ladder, timeline, self._folder, self._program)
            return Shown(opened, ladder, "filler")
        source = feeds.sources[place]
        if not isinstance(source, Feed):
            try:
                opened = await self.open(source)
            except FeedError as error:
                self._teller.problem("source.lost", f"{described(source)}: {error}")
                feeds.shun(place)
                return None
            return Shown(opened, config.ladder, described(source), place)
        now, utc = monotonic_micros(), self._clock.now()
        # No sooner than the timeline has room for it, nor what was seen already.
        free = publisher.timeline.grid.micros(publisher.timeline.reached + 1)
        wanted = now + max(seen or 0, free) - utc
        if wanted > now + 2 * config.segment * MICROS:
            wanted = now  # the clock was set back
        beginning = source.beginning(wanted)
        if beginning is None:
            return None
        skip = 0
        if isinstance(config.ladder, EncodeLadder):
            skip = max(0, wanted - beginning.came)
        feed = PipeFeed(beginning.container, Fraction(skip, MICROS))
        least = 1 if isinstance(config.ladder, EncodeLadder) else 0
        info = with_silence(beginning.info, publisher.timeline.sounds, least)
        return Shown(
            Opened(feed, info, endless=False),
            config.ladder,
            source.name,
            place,
            source,
            beginning.came,
            UtcMicros(utc - now + beginning.came + skip),
            source.connections,
            beginning.info,
        )

    def avoid(self, feeds: Feeds | None, shown: Shown) -> None:
        """Nothing came out of what nobody sends: take something else for now."""
        if shown.is_filler and self._has_picture:
            self._has_picture = False
            self._teller.problem("slate.unusable", "the slate cannot be shown: it is grey instead")
        elif shown.place is not None and feeds is not None:
            feeds.shun(shown.place)
