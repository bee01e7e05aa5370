"""What encoders push, put together to a channel's timeline.

Tracks are those that encoders announce by CMAF headers. An encoder's times are UTC already, and
kept. Where they are not, they are anchored by arrival, once for all tracks: then there can be but
one encoder. All segments lie on the channel's grid, each from one encoder (see
`packager.cmaf_push.copies`). A period begins anew only where the parameters or the clock change.

It does nothing: it returns what is to be stored and written down, in that order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from packager.actions import Action, Broken, Note, Store, StoreInit
from packager.cmaf.header import Header
from packager.cmaf.run import Run, write
from packager.cmaf_push.copies import Copies, Copy, Feed, passed
from packager.errors import FeedError
from packager.records import Anchor, ChunkAdded, PeriodStarted, SegmentEnded, TrackAdded
from packager.ticks import MICROS, Grid, Ticks, UtcMicros, micros_of, round_half_up
from packager.timeline import Timeline
from packager.track import Track, TrackKind

_NEAR = 60 * MICROS
"""Microseconds that UTC times may be off from the clock."""
_MOST_TRACKS = 32
_MOST_SENDERS = 32
"""Whose headers of a track are remembered."""
_LONGEST = 60
"""Seconds of a fragment."""
_MOST_NOTICES = 32
_MOST_EARLY = 256
"""Runs that are kept until there is a picture to anchor them by."""


class RefusedError(FeedError):
    """A header or fragment that cannot be part of the channel."""


class NoHeaderError(FeedError):
    """A fragment of a track of which no header has come."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, as far as that can be told."""

    name: str
    """The same for all that one encoder sends."""
    connection: str
    """Tells two on one machine apart, if they keep their connections."""


@dataclass(frozen=True, slots=True)
class _Announced:
    sender: Sender
    header: Header


@dataclass(slots=True)
class _Track:
    id: str
    copies: Copies
    announced: list[_Announced] = field(default_factory=list[_Announced])
    is_described: bool = False
    """Whether the period has it."""
    bitrate: int = 0


@dataclass(frozen=True, slots=True)
class _Base:
    """What makes times UTC."""

    shift: Fraction
    """Seconds; 0 where they are."""
    sender: str = ""
    """The one whose times are not UTC; empty where all are."""


@dataclass(slots=True)
class Merge:
    """The state of one channel."""

    grid: Grid
    last_number: int
    """The newest number that the timeline's media so far lies in; -1 where there is none."""
    next_period: int
    bitrates: dict[str, int] = field(default_factory=dict[str, int])
    """Measured nominal bit rates of earlier periods, by track."""
    lag: int | None = None
    """Microseconds that the newest run of a picture trails the clock."""
    anchor_lag: int | None = None
    """The same at the start of the period."""
    news: list[str] = field(default_factory=list[str])
    """What has come, for whoever takes it away."""
    notices: list[str] = field(default_factory=list[str])
    """What is not as it should be, likewise."""
    _tracks: dict[str, _Track] = field(init=False, default_factory=dict[str, _Track])
    _base: _Base | None = field(init=False, default=None)
    _based: UtcMicros = field(init=False, default=UtcMicros(0))
    """When times last were in order."""
    _early: list[tuple[_Track, Sender, Header, Run]] = field(
        init=False, default_factory=list[tuple[_Track, Sender, Header, Run]]
    )
    """Runs, by the encoder's clock, that came before it was anchored."""
    _earliest: UtcMicros = field(init=False, default=UtcMicros(0))
    """When the first of them came."""
    _is_on: bool = field(init=False, default=False)
    """Whether a period has begun."""
    _ready: UtcMicros | None = field(init=False, default=None)
    """When the first segment of the next period was ready."""
    _breaks: list[Broken] = field(init=False, default_factory=list[Broken])

    @staticmethod
    def onto(timeline: Timeline) -> "Merge":
        """What goes on after `timeline`."""
        latest = {name: timeline.latest(name) for name in timeline.tracks}
        return Merge(
            timeline.grid,
            timeline.reached,
            timeline.period.index + 1 if timeline.period else 0,
            {name: track.bitrate for name, track in latest.items() if track and track.bitrate},
        )

    @property
    def anchored(self) -> bool:
        """Whether a period has begun."""
        return self._is_on

    @property
    def dropped(self) -> int:
        """Runs that no segment could take."""
        return sum(track.copies.dropped for track in self._tracks.values())

    @property
    def _segment(self) -> int:
        """Microseconds."""
        return round_half_up(self.grid.duration * MICROS)

    def _is_silent(self, since: int, now: UtcMicros) -> bool:
        """Whether nothing has come for so long that somebody else may."""
        return passed(since, self._segment * 3 // 2, now)

    # Headers

    def announce(self, track_id: str, sender: Sender, header: Header, now: UtcMicros) -> None:
        """`sender` has sent the header of a track.

        Raises:
            RefusedError: it does not go with that of another encoder.
        """
        track = self._tracks.get(track_id)
        if track is None:
            if len(self._tracks) >= _MOST_TRACKS:
                raise RefusedError(f"more than {_MOST_TRACKS} tracks")
            copies = Copies(self.grid, header, self.last_number, is_begun=self._is_on)
            track = _Track(track_id, copies)
            self._tracks[track_id] = track
            self.news.append(f"{track_id}: {header.facts.codec.string}")
        elif unlike := header.unlike(track.copies.header):
            seen = track.copies.seen
            if seen is not None and not self._is_silent(seen, now):
                raise RefusedError(f"track {track_id} has another header: {unlike}")
            self._begin_anew(f"the parameters of {track_id} changed: {unlike}")
            track.announced.clear()
            track.copies.drop_all()
            track.copies.header = header
        others = [known for known in track.announced if known.sender != sender]
        track.announced = [*others[1 - _MOST_SENDERS :], _Announced(sender, header)]

    def header_of(self, track_id: str, sender: Sender) -> Header | None:
        """The header that fragments of a track by `sender` go with; None if there is no such track.

        Raises:
            NoHeaderError: it could be one of several, or none has come.
        """
        track = self._tracks.get(track_id)
        if track is None:
            return None
        known = track.announced
        for same in (
            [one.header for one in known if one.sender == sender],
            [one.header for one in known if one.sender.name == sender.name],
        ):
            if same:
                return same[-1]
        kinds = {(one.header.edit, one.header.facts.defaults) for one in known}
        if len(kinds) != 1:
            raise NoHeaderError(f"no header of track {track_id} from this encoder")
        return known[-1].header

    # Fragments

    def push(
        self,
        track_id: str,
        feed: Feed | None,
        sender: Sender,
        header: Header,
        run: Run,
        now: UtcMicros,
    ) -> Feed | None:
        """A run of `sender` with its own times has come; `feed` is what came of the run before.

        Raises:
            RefusedError: it is no media.
        """
        track = self._tracks[track_id]
        if header.unlike(track.copies.header):
            raise RefusedError(f"track {track_id} has another header by now")
        timescale = header.facts.timescale
        if not 0 < run.duration <= _LONGEST * timescale or not all(run.durations):
            raise RefusedError(f"a fragment of {run.duration} ticks, {timescale} a second")
        run = run.moved(header.edit)
        shift = self._shift(track, sender, header, run, now)
        if shift is None:
            track.copies.dropped += 1
            return feed
        if self._early:
            self._take_early(shift, now)
        run = run.moved(round_half_up(shift * timescale))
        if header.facts.kind is TrackKind.VIDEO:
            self.lag = now - micros_of(run.start + run.duration, timescale)
        return track.copies.push(feed, sender.name, header, run, now)

    def close(self, track_id: str, feed: Feed, now: UtcMicros) -> None:
        """The body that brought `feed` is over."""
        self._tracks[track_id].copies.close(feed, now)

    def _take_early(self, shift: Fraction, now: UtcMicros) -> None:
        early, self._early = self._early, []
        for track, sender, header, run in early:
            if self._base is None or sender.name != self._base.sender:
                continue
            moved = run.moved(round_half_up(shift * header.facts.timescale))
            feed = track.copies.push(None, sender.name, header, moved, now)
            # For its body to go on with.
            track.copies.close(feed, now)
            track.copies.dropped -= 1

    def _shift(
        self, track: _Track, sender: Sender, header: Header, run: Run, now: UtcMicros
    ) -> Fraction | None:
        """Seconds that make the times of `run` UTC; None where it cannot be taken."""
        timescale = header.facts.timescale
        start = Fraction(run.start + run.compositions[0], timescale)
        is_utc = abs(start * MICROS - now) <= _NEAR
        base = self._base
        if base is not None and self._goes_with(base, sender, start, now):
            self._based = now
            return base.shift
        if base is not None and not self._is_silent(self._based, now):
            off = floor((start + base.shift) * MICROS - now) // 1000
            self._tell(f"times of {track.id} are {off} ms from those of the channel: not taken")
            return None
        if not is_utc and not self._can_anchor(track, run, now):
            if header.facts.kind is not TrackKind.VIDEO:
                self._earliest = self._earliest if self._early else now
                self._early = [*self._early[1 - _MOST_EARLY :], (track, sender, header, run)]
            return None
        if is_utc:
            fresh = _Base(Fraction(0))
        else:
            fresh = _Base(self._anchor(start, run, timescale, now), sender.name)
            self._tell("times are not UTC: anchored by arrival, for one encoder alone")
        if base is not None and fresh != base:
            self._begin_anew("the encoder's clock is another one")
            for other in self._tracks.values():
                other.copies.drop_all()
        self._base, self._based = fresh, now
        return fresh.shift

    def _goes_with(self, base: _Base, sender: Sender, start: Fraction, now: UtcMicros) -> bool:
        off = abs((start + base.shift) * MICROS - now)
        if not base.sender:
            return off <= _NEAR
        # Its clock is not ours: it drifts.
        return base.sender == sender.name and off <= max(3 * self._segment, 5 * MICROS)

    def _can_anchor(self, track: _Track, run: Run, now: UtcMicros) -> bool:
        """Whether a period may be anchored by `run`: by a picture, if one comes."""
        tracks = self._tracks.values()
        if track.copies.header.facts.kind is TrackKind.VIDEO:
            return run.keyframe
        if any(other.copies.header.facts.kind is TrackKind.VIDEO for other in tracks):
            return False
        return bool(self._early) and passed(self._earliest, self._segment, now)

    def _anchor(self, start: Fraction, run: Run, timescale: int, now: UtcMicros) -> Fraction:
        """Seconds from the encoder's clock to UTC: `start` is put on the boundary before now."""
        length = Fraction(run.duration, timescale)
        number = self.grid.number_at_micros(now - round_half_up(length * MICROS))
        return max(number, self.last_number + 1) * self.grid.duration - start

    def _tell(self, notice: str) -> None:
        if notice not in self.notices and len(self.notices) < _MOST_NOTICES:
            self.notices.append(notice)

    # Segments

    def due(self, now: UtcMicros) -> Iterator[Action]:
        """What is to be done by now."""
        yield from self._breaks
        self._breaks.clear()
        if not self._is_on:
            ready = self._first_ones(now)
            if not ready:
                return
            yield from self._begin(ready)
        for track in self._tracks.values():
            while (copy := track.copies.due(now)) is not None:
                yield from self._publish(track, copy, now)

    def _first_ones(self, now: UtcMicros) -> dict[str, Copy]:
        """The segments that a period begins with; none while others are worth to wait for."""
        ready: dict[str, Copy] = {}
        waiting = False
        for track in self._tracks.values():
            if (copy := track.copies.due(now)) is not None:
                ready[track.id] = copy
            elif (seen := track.copies.seen) is not None:
                waiting = waiting or not self._is_silent(seen, now)
        if ready and self._ready is None:
            self._ready = now
        if waiting and self._ready is not None and not passed(self._ready, self._segment, now):
            return {}
        return ready

    def _begin(self, ready: dict[str, Copy]) -> Iterator[Action]:
        number = min(copy.number for copy in ready.values())
        first = min(ready.values(), key=lambda copy: copy.number)
        boundary = self.grid.micros(number)
        length = micros_of(first.runs[0].duration, first.header.facts.timescale)
        shift = self._base.shift if self._base else Fraction(0)
        source = number * self.grid.duration - shift
        yield Note(
            PeriodStarted(
                self.next_period, number, Anchor(source, boundary, UtcMicros(first.begun - length))
            )
        )
        self.next_period += 1
        self.last_number = max(self.last_number, number - 1)
        for track in self._tracks.values():
            track.copies.begin(number)
        self._is_on, self._ready, self.anchor_lag = True, None, self.lag
        for name, copy in ready.items():
            yield from self._describe(self._tracks[name], copy)

    def _begin_anew(self, reason: str) -> None:
        """What comes is of a new period, after all that there is."""
        if self._is_on:
            self._breaks.append(Broken(reason))
        self._is_on, self._ready = False, None
        last = max((track.copies.last for track in self._tracks.values()), default=-1)
        self.last_number = max(self.last_number, last)
        for track in self._tracks.values():
            track.copies.begin_again(self.last_number)
            track.is_described = False

    def _publish(self, track: _Track, copy: Copy, now: UtcMicros) -> Iterator[Action]:
        if not track.is_described:
            yield from self._describe(track, copy)
        for index, run in enumerate(track.copies.take(copy)):
            parts = write(run, (copy.number << 6) + index)
            size = sum(map(len, parts))
            length = Ticks(run.duration)
            yield Store(ChunkAdded(track.id, copy.number, Ticks(run.start), length, size), parts)
        yield Note(SegmentEnded(track.id, copy.number, now))

    def _describe(self, track: _Track, copy: Copy) -> Iterator[Action]:
        header, facts = track.copies.header, track.copies.header.facts
        track.is_described = True
        lengths = {length for run in copy.runs for length in run.durations}
        is_even = facts.kind is TrackKind.VIDEO and len(lengths) == 1
        yield StoreInit(track.id, header.version, header.data)
        yield Note(
            TrackAdded(
                Track(
                    id=track.id,
                    kind=facts.kind,
                    version=header.version,
                    timescale=facts.timescale,
                    codecs=facts.codec.string,
                    codec_private=facts.codec.private.hex().upper(),
                    bitrate=self._bitrate(track, copy),
                    width=facts.width,
                    height=facts.height,
                    frame_rate=Fraction(facts.timescale, lengths.pop()) if is_even else None,
                    sample_rate=facts.sample_rate,
                    channels=facts.channels,
                    sample_aspect=None if facts.sample_aspect == 1 else facts.sample_aspect,
                    language=facts.language,
                )
            )
        )

    def _bitrate(self, track: _Track, copy: Copy) -> int:
        """A nominal rate that nobody gave: that of the first segment there was."""
        if track.id not in self.bitrates:
            seconds = Fraction(copy.end - copy.start, track.copies.header.facts.timescale)
            rate = max(1, round_half_up(copy.size * 8 / seconds / 1000)) * 1000
            while rate in self.bitrates.values():
                rate += 1000  # it is also an address and must differ
            self.bitrates[track.id] = rate
        return self.bitrates[track.id]
