"""The media path of one run: bytes are demuxed, segmented and published."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packager.cmaf.boxes import Buffer
from packager.cmaf.demuxer import Demuxer, Init
from packager.cmaf.samples import SampleRun
from packager.config.parts import Parts
from packager.runtime.storage.publisher import Publisher
from packager.runtime.telemetry import metrics
from packager.segmenter.actions import Action, EndPeriod
from packager.segmenter.config import SegmenterConfig
from packager.segmenter.segmenter import Segmenter
from packager.timeline.model import Timeline
from packager.timing.clock import Clock, monotonic
from packager.timing.ticks import UtcMicros
from packager.track import TrackKind, TrackSpec


@dataclass(frozen=True, slots=True)
class PipelineInput:
    """What enters a pipeline."""

    specs: tuple[TrackSpec, ...]
    first_arrival: UtcMicros | None = None
    """When the first frame arrived, if that was before it could be pushed here."""
    began_at: UtcMicros | None = None
    """When ffmpeg begins to read a source at the pace of its own clock; None for another source."""
    is_filler: bool = False
    """The media replaces a missing source."""
    parts: Parts | None = None
    """How audio is cut into parts; None keeps the encoder's chunks."""

    @property
    def keyframes_on_grid(self) -> bool:
        """Whether keyframes are forced on the grid, since no video is copied."""
        return not any(spec.copied and spec.kind is TrackKind.VIDEO for spec in self.specs)


class Pipeline:
    """Takes the bytes of every track of one run of a source."""

    def __init__(
        self, channel: str, media: PipelineInput, publisher: Publisher, clock: Clock
    ) -> None:
        """Publish `media` behind the timeline of `publisher`."""
        self._publisher = publisher
        self._clock = clock
        self._demuxers = [Demuxer(watch_parameters=spec.copied) for spec in media.specs]
        self._specs = media.specs
        timeline = publisher.timeline
        self._segmenter = Segmenter(
            SegmenterConfig(
                grid=timeline.grid,
                specs=media.specs,
                keyframes_on_grid=media.keyframes_on_grid,
                last_number=timeline.last_occupied,
                next_period=timeline.period.index + 1 if timeline.period else 0,
                bitrates=_measured(timeline),
                arrived_at=media.first_arrival,
                began_at=media.began_at,
                filler=media.is_filler,
                parts=media.parts,
            )
        )
        self._is_consistent = True
        """False after a failure: the segmenter counts media that is not published."""
        self._latency = metrics.PUBLISH_SECONDS.labels(channel)

    @property
    def is_anchored(self) -> bool:
        """Whether a period has started: there is media."""
        return self._segmenter.anchored

    @property
    def last_arrival(self) -> UtcMicros | None:
        """When the end of the newest video chunk arrived; None before the first."""
        return self._segmenter.last_arrival

    @property
    def lag(self) -> int | None:
        """Microseconds that the newest video is behind the wall clock."""
        return self._segmenter.lag

    @property
    def anchor_lag(self) -> int | None:
        """The lag at the start of the period, in microseconds."""
        return self._segmenter.anchor_lag

    @property
    def clock_rate(self) -> int:
        """Parts per million that media time gains on the source's clock."""
        return self._segmenter.clock_rate

    @property
    def dropped(self) -> int:
        """Runs of samples that no segment could take."""
        return self._segmenter.dropped

    def leave_after(self, number: int) -> None:
        """Publish nothing after segment `number`."""
        self._segmenter.stop_after(number)

    @property
    def has_left(self) -> bool:
        """Whether all tracks have ended the segment of `leave_after`."""
        return self._segmenter.has_left

    def demux(self, track: int, data: Buffer) -> Iterator[Init | SampleRun]:
        """The items that the bytes of track number `track` complete.

        Raises:
            MediaError: the bytes are not CMAF.
            FeedError: the stream's parameters changed.
        """
        return self._demuxers[track].feed(data)

    def take(self, track: int, item: Init | SampleRun) -> list[EndPeriod]:
        """Publish what the segmenter makes of `item`; returns the ends of periods.

        Raises:
            StoreError: the media could not be stored.
            JournalError: the record could not be written.
        """
        name = self._specs[track].id
        if isinstance(item, Init):
            self._publisher.store.write_init(name, item.version, item.data)
            actions = self._segmenter.init(name, item.facts, item.version)
        else:
            actions = self._segmenter.push(name, item, self._clock.now())
        return self._publish(actions)

    def _publish(self, actions: Iterable[Action]) -> list[EndPeriod]:
        self._is_consistent = False
        ends = self._publisher.publish(actions)
        self._is_consistent = True
        return ends

    def feed(self, track: int, data: Buffer) -> list[EndPeriod]:
        """`demux`, then `take`, with the time of both in a metric."""
        arrived = monotonic()
        ends: list[EndPeriod] = []
        for item in self.demux(track, data):
            ends += self.take(track, item)
            self._latency.observe(monotonic() - arrived)
        return ends

    def keep_pace(self) -> list[EndPeriod]:
        """End the period if its media does not keep pace with the clock; returns that end.

        Raises:
            JournalError: the record could not be written.
        """
        return self._publish(self._segmenter.keep_pace(self._clock.now()))

    def finish(self) -> None:
        """End all open segments as they are.

        After a failure they stay open: the segmenter and the journal differ.
        """
        if self._is_consistent:
            self._publisher.publish(self._segmenter.flush(self._clock.now()))
        self._publisher.store.close_all()


def _measured(timeline: Timeline) -> dict[str, int]:
    """The measured bit rate of each track of the timeline, in bit/s."""
    latest = {name: timeline.latest(name) for name in timeline.tracks}
    return {name: track.bitrate for name, track in latest.items() if track and track.bitrate}
