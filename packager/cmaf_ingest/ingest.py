"""The fragments that encoders push, merged to a channel's timeline.

Encoders announce tracks by CMAF headers. All segments lie on the channel's grid, each from one
encoder (`redundancy`). Times are UTC, or anchored once (`ingest_clock`). A period ends only where
the parameters or the clock change.

    state       event                                     next state
    waiting     first segments are complete               in a period (PeriodStarted)
    in a period a segment is complete                     in a period (StoreChunk ...)
    in a period other parameters, or another clock        waiting (EndPeriod)

It performs no I/O: it returns the actions in their order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from packager.cmaf.ingest_header import IngestHeader
from packager.cmaf.samples import write
from packager.cmaf_ingest.announcements import (
    HeaderAnnouncements,
    IngestRefusedError,
    IngestSender,
    NoHeaderError,
)
from packager.cmaf_ingest.copies import RedundantFeed, SegmentCopy, is_video
from packager.cmaf_ingest.ingest_clock import IngestClock, IngestFragment, passed
from packager.cmaf_ingest.redundancy import SegmentCopies
from packager.segmenter.actions import Action, EndPeriod, StoreChunk, StoreInit, WriteRecord
from packager.timeline.model import Timeline
from packager.timeline.records import Anchor, ChunkAdded, PeriodStarted, SegmentEnded, TrackAdded
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, Ticks, UtcMicros, micros_of, round_half_up
from packager.track import NominalRates

_MAX_TRACKS = 32
_MAX_FRAGMENT = 60
"""Seconds of a fragment."""
_MAX_NOTICES = 32


@dataclass(slots=True)
class _Track:
    id: str
    copies: SegmentCopies
    announced: HeaderAnnouncements = field(default_factory=HeaderAnnouncements)
    is_described: bool = False
    """Whether the period has a description of the track."""


@dataclass(slots=True)
class CmafIngest:
    """The state of one channel."""

    grid: Grid
    last_number: int
    """The newest segment number that the timeline's media occupies; -1 before the first."""
    next_period: int
    rates: NominalRates
    lag: int | None = None
    """Microseconds that the newest video run trails the clock."""
    anchor_lag: int | None = None
    """The lag at the start of the period."""
    anchored: bool = field(init=False, default=False)
    """Whether a period is in progress."""
    _tracks: dict[str, _Track] = field(init=False, default_factory=dict[str, _Track])
    _clock: IngestClock = field(init=False)
    _ready_at: UtcMicros | None = field(init=False, default=None)
    """Completion of the first segment of the next period."""
    _breaks: list[EndPeriod] = field(init=False, default_factory=list[EndPeriod])
    _new_tracks: list[str] = field(init=False, default_factory=list[str])
    _notices: list[str] = field(init=False, default_factory=list[str])

    def __post_init__(self) -> None:
        """Start without a clock."""
        self._clock = IngestClock(self.grid)

    @staticmethod
    def onto(timeline: Timeline) -> "CmafIngest":
        """The ingest that continues `timeline`."""
        latest = {name: timeline.latest(name) for name in timeline.tracks}
        rates = {name: track.bitrate for name, track in latest.items() if track and track.bitrate}
        next_period = timeline.period.index + 1 if timeline.period else 0
        return CmafIngest(timeline.grid, timeline.last_occupied, next_period, NominalRates(rates))

    @property
    def dropped(self) -> int:
        """Runs that no segment could take."""
        return sum(track.copies.dropped for track in self._tracks.values())

    def take_new_tracks(self) -> list[str]:
        """Names and codecs of the tracks that were added since the last call."""
        taken, self._new_tracks = self._new_tracks, []
        return taken

    def take_notices(self) -> list[str]:
        """Problems that were found since the last call."""
        taken, self._notices = self._notices, []
        return taken

    # Headers

    def announce(
        self, track_id: str, sender: IngestSender, header: IngestHeader, now: UtcMicros
    ) -> None:
        """Add the header of a track that `sender` has sent.

        Raises:
            IngestRefusedError: it contradicts the header of another encoder.
        """
        track = self._tracks.get(track_id)
        if track is None:
            track = self._add_track(track_id, header)
        elif unlike := header.unlike(track.copies.header):
            newest = track.copies.newest
            if newest is not None and not self._clock.is_silent(newest, now):
                raise IngestRefusedError(f"track {track_id} has another header: {unlike}")
            self._end_period(f"the parameters of {track_id} changed: {unlike}")
            track.announced.clear()
            track.copies.drop_all()
            track.copies.header = header
        track.announced.add(sender, header)

    def _add_track(self, track_id: str, header: IngestHeader) -> _Track:
        if len(self._tracks) >= _MAX_TRACKS:
            raise IngestRefusedError(f"more than {_MAX_TRACKS} tracks")
        copies = SegmentCopies(self.grid, header, self.last_number, has_begun=self.anchored)
        track = self._tracks[track_id] = _Track(track_id, copies)
        self._new_tracks.append(f"{track_id}: {header.facts.codec.string}")
        return track

    def header_of(self, track_id: str, sender: IngestSender) -> IngestHeader | None:
        """The header for the fragments of a track by `sender`; None if there is no such track.

        Raises:
            NoHeaderError: the header is unknown or ambiguous.
        """
        track = self._tracks.get(track_id)
        if track is None:
            return None
        header = track.announced.header_of(sender)
        if header is None:
            raise NoHeaderError(f"no header of track {track_id} from this encoder")
        return header

    # Fragments

    def push(
        self, fragment: IngestFragment, feed: RedundantFeed | None, now: UtcMicros
    ) -> RedundantFeed | None:
        """Add a fragment; `feed` is the result for the fragment before in the same body.

        Raises:
            IngestRefusedError: it is not media of the track.
        """
        track = self._tracks[fragment.track]
        header, run, timescale = fragment.header, fragment.run, fragment.timescale
        if header.unlike(track.copies.header):
            raise IngestRefusedError(f"the header of track {track.id} has changed")
        if not 0 < run.duration <= _MAX_FRAGMENT * timescale or not all(run.durations):
            raise IngestRefusedError(f"a fragment of {run.duration} ticks, {timescale} a second")
        fragment = IngestFragment(track.id, fragment.sender, header, run.moved(header.edit))
        shift = self._shift(fragment, now)
        if shift is None:
            track.copies.dropped += 1
            return feed
        self._push_early(shift, now)
        run = fragment.shifted(shift)
        if fragment.is_video:
            self.lag = now - micros_of(run.start + run.duration, timescale)
        return track.copies.push(feed, fragment.sender.name, header, run, now)

    def close(self, track_id: str, feed: RedundantFeed, now: UtcMicros) -> None:
        """End the request body that brought `feed`."""
        self._tracks[track_id].copies.close(feed, now)

    def _push_early(self, shift: Fraction, now: UtcMicros) -> None:
        """Add the fragments that waited for the clock."""
        for fragment in self._clock.take_early():
            copies = self._tracks[fragment.track].copies
            run = fragment.shifted(shift)
            feed = copies.push(None, fragment.sender.name, fragment.header, run, now)
            # Closed, so that the body of the fragment continues it.
            copies.close(feed, now)
            copies.dropped -= 1

    def _shift(self, fragment: IngestFragment, now: UtcMicros) -> Fraction | None:
        """Seconds that make the times of a fragment UTC; None if it cannot be used."""
        has_video = any(is_video(track.copies.header) for track in self._tracks.values())
        verdict = self._clock.judge(fragment, now, self.last_number, has_video=has_video)
        notice = verdict.notice
        if notice and notice not in self._notices and len(self._notices) < _MAX_NOTICES:
            self._notices.append(notice)
        if verdict.is_other_clock:
            self._end_period("the encoder's clock is another one")
            for other in self._tracks.values():
                other.copies.drop_all()
        return verdict.shift

    # Segments

    def due(self, now: UtcMicros) -> Iterator[Action]:
        """The actions that are due at the instant `now`."""
        yield from self._breaks
        self._breaks.clear()
        if not self.anchored:
            ready = self._first_copies(now)
            if not ready:
                return
            yield from self._begin_period(ready)
        for track in self._tracks.values():
            while (copy := track.copies.due(now)) is not None:
                yield from self._publish(track, copy, now)

    def _first_copies(self, now: UtcMicros) -> dict[str, SegmentCopy]:
        """The segments that a period starts with; empty while other tracks may follow soon."""
        ready: dict[str, SegmentCopy] = {}
        waiting = False
        for track in self._tracks.values():
            if (copy := track.copies.due(now)) is not None:
                ready[track.id] = copy
            elif (newest := track.copies.newest) is not None:
                waiting = waiting or not self._clock.is_silent(newest, now)
        if ready and self._ready_at is None:
            self._ready_at = now
        segment = round_half_up(self.grid.duration * MICROS)
        if waiting and self._ready_at is not None and not passed(self._ready_at, segment, now):
            return {}
        return ready

    def _begin_period(self, ready: dict[str, SegmentCopy]) -> Iterator[Action]:
        first = min(ready.values(), key=lambda copy: copy.number)
        number = first.number
        length = micros_of(first.runs[0].duration, first.header.facts.timescale)
        source = number * self.grid.duration - self._clock.shift
        anchor = Anchor(source, self.grid.micros(number), UtcMicros(first.begun - length))
        yield WriteRecord(PeriodStarted(self.next_period, number, anchor))
        self.next_period += 1
        self.last_number = max(self.last_number, number - 1)
        for track in self._tracks.values():
            track.copies.begin_period(number)
        self.anchored, self._ready_at, self.anchor_lag = True, None, self.lag
        for name, copy in ready.items():
            yield from self._describe(self._tracks[name], copy)

    def _end_period(self, reason: str) -> None:
        """End the period; media from here on belongs to the next one."""
        if self.anchored:
            self._breaks.append(EndPeriod(reason))
        self.anchored, self._ready_at = False, None
        last = max((track.copies.last for track in self._tracks.values()), default=-1)
        self.last_number = max(self.last_number, last)
        for track in self._tracks.values():
            track.copies.end_period(self.last_number)
            track.is_described = False

    def _publish(self, track: _Track, copy: SegmentCopy, now: UtcMicros) -> Iterator[Action]:
        if not track.is_described:
            yield from self._describe(track, copy)
        for index, run in enumerate(track.copies.take(copy)):
            parts = write(run, (copy.number << 6) + index)
            size = sum(map(len, parts))
            length = Ticks(run.duration)
            yield StoreChunk(
                ChunkAdded(track.id, copy.number, Ticks(run.start), length, size), parts
            )
        yield WriteRecord(SegmentEnded(track.id, copy.number, now))

    def _describe(self, track: _Track, copy: SegmentCopy) -> Iterator[Action]:
        """Describe a track by its header and its first segment."""
        header, timescale = track.copies.header, track.copies.header.facts.timescale
        track.is_described = True
        lengths = {length for run in copy.runs for length in run.durations}
        is_even = is_video(header) and len(lengths) == 1
        frame_rate = Fraction(timescale, lengths.pop()) if is_even else None
        bitrate = self.rates.measure(track.id, copy.size, copy.end - copy.start, timescale)
        yield StoreInit(track.id, header.version, header.data)
        described = header.facts.describe(track.id, header.version, bitrate, frame_rate)
        yield WriteRecord(TrackAdded(described))
