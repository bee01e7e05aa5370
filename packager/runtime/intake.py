"""The way of one run's bytes: demuxed, segmented, published."""

from collections.abc import Iterable, Iterator, Sequence

from packager.actions import Action, Broken
from packager.clock import Clock, monotonic
from packager.cmaf.boxes import Buffer
from packager.cmaf.demuxer import Demuxer, Init
from packager.cmaf.run import Run
from packager.latency import Parts
from packager.runtime import metrics
from packager.runtime.publisher import Publisher
from packager.segmenter import Segmenter
from packager.ticks import UtcMicros
from packager.timeline import Timeline
from packager.track import TrackSpec


class Intake:
    """Takes the bytes of every track of one run of a source."""

    def __init__(
        self,
        channel: str,
        specs: Sequence[TrackSpec],
        publisher: Publisher,
        clock: Clock,
        *,
        encoded: bool,
        came: UtcMicros | None = None,
        filler: bool = False,
        parts: Parts | None = None,
    ) -> None:
        """`encoded`: keyframes are forced on the grid; otherwise the feed is passed through.

        Of `came`, `filler` and `parts` see `Segmenter`.
        """
        self._channel = channel
        self._publisher = publisher
        self._clock = clock
        self._demuxers = [Demuxer(watch_parameters=not encoded) for _ in specs]
        self._specs = specs
        timeline = publisher.timeline
        self.segmenter = Segmenter(
            grid=timeline.grid,
            specs=specs,
            on_grid=encoded,
            last_number=timeline.reached,
            next_period=timeline.period.index + 1 if timeline.period else 0,
            bitrates={} if encoded else _measured(timeline),
            came=came,
            filler=filler,
            parts=parts,
        )
        self._in_step = True
        self._latency = metrics.PUBLISH_SECONDS.labels(channel)

    def demux(self, track: int, data: Buffer) -> Iterator[Init | Run]:
        """What the bytes of track number `track` complete.

        Raises:
            MediaError: they are not what an encoder sends.
            FeedError: the stream's parameters changed.
        """
        return self._demuxers[track].feed(data)

    def take(self, track: int, item: Init | Run) -> list[Broken]:
        """Publish what the segmenter makes of `item`; gives back the breaks in the timeline.

        Raises:
            StoreError: the media could not be stored.
            JournalError: the record could not be written.
        """
        name = self._specs[track].id
        if isinstance(item, Init):
            self._publisher.store.write_init(name, item.version, item.data)
            actions = self.segmenter.init(name, item.facts, item.version)
        else:
            actions = self.segmenter.push(name, item, self._clock.now())
        return self._publish(actions)

    def _publish(self, actions: Iterable[Action]) -> list[Broken]:
        self._in_step = False
        breaks = self._publisher.publish(actions)
        self._in_step = True
        return breaks

    def feed(self, track: int, data: Buffer) -> list[Broken]:
        """`demux`, then `take`, timed."""
        arrived = monotonic()
        breaks: list[Broken] = []
        for item in self.demux(track, data):
            breaks += self.take(track, item)
            self._latency.observe(monotonic() - arrived)
        return breaks

    def keep_pace(self) -> list[Broken]:
        """End the period if its media does not go with the clock; gives back that break.

        Raises:
            JournalError: the record could not be written.
        """
        return self._publish(self.segmenter.keep_pace(self._clock.now()))

    def finish(self) -> None:
        """No more bytes: what is open ends as it is.

        After a failure it stays open: what the segmenter knows is not what is published.
        """
        if self._in_step:
            self._publisher.publish(self.segmenter.flush(self._clock.now()))
        self._publisher.store.close_all()


def _measured(timeline: Timeline) -> dict[str, int]:
    latest = {name: timeline.latest(name) for name in timeline.tracks}
    return {name: track.bitrate for name, track in latest.items() if track and track.bitrate}
