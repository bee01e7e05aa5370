"""Runs of samples in, segments on the UTC grid out.

One `Segmenter` serves one run of a source: the bytes of all its tracks from an encoder's start to
its end. It decides, in one place for all tracks, where the period is anchored, where segments are
cut and what their numbers are. It does nothing: it returns what is to be stored and written down,
in that order.

The rules:

- A period starts with the first keyframe of the lead (the first video track) whose grid boundary,
  at or before the instant it arrived, lies after everything that is there already. That keyframe
  is put on the boundary. So media time trails the wall clock by less than a segment and never runs
  ahead of it, and no number is used twice.
- A video segment starts with the first keyframe in its cell of the grid.
- An audio segment starts with the frame nearest to the lead's boundary.
- Times that break off by more than `_JUMP` end the period; the next keyframe starts another. A
  track that was away, and is back where the others are, has a hole instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from packager.actions import Action, Broken, Note, Store
from packager.cmaf.init import InitFacts
from packager.cmaf.mend import evened, without_jumps
from packager.cmaf.run import Run, joined, write, write_reference
from packager.drift import Drift
from packager.latency import Parts
from packager.records import (
    Anchor,
    ChunkAdded,
    PeriodStarted,
    SegmentEnded,
    TrackAdded,
)
from packager.slew import Slew
from packager.ticks import MICROS, Grid, Ticks, UtcMicros, micros_of, rescale, round_half_up
from packager.track import Track, TrackKind, TrackSpec
from packager.track_state import TrackState
from packager.trailing import Trailing

_JUMP = 1
"""Seconds that a track's times may break off by before the period ends."""
_APART = Fraction(1, 2)
"""Seconds that a track may be ahead of all others when it comes back."""
_PENDING = 1024
"""Runs of one track held back for the lead; older ones are dropped."""
_PATIENCE = 2 * MICROS
"""Microseconds that a break waits for the other tracks to show it too."""
_CUTS = 64
"""Segments of the lead that audio may trail by."""

_AHEAD = 2
"""The part of a segment that media may be ahead of the clock by: frames do not come evenly, and an
encoder that the machine kept waiting at its start catches up."""
_LEAP = 5 * MICROS // 4
"""Microseconds that media may be ahead of the clock by in any case: a leap second sets it back."""
_SET_BACK = 60 * MICROS
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class _Jump:
    """The break that ended the last period."""

    before: Fraction
    """Seconds of source time that it jumped from, and to."""
    after: Fraction
    until: int
    """The instant after which no track is taken to be on the other side of it."""


@dataclass(slots=True)
class Segmenter:
    """The state of one run of a source."""

    grid: Grid
    specs: Sequence[TrackSpec]
    on_grid: bool
    """Keyframes are forced on every boundary: a segment is known to be whole at its last frame."""
    last_number: int
    """The newest number that the timeline's media so far lies in; -1 where there is none."""
    next_period: int
    bitrates: dict[str, int] = field(default_factory=dict[str, int])
    """Measured nominal bit rates of earlier periods, by track."""
    came: UtcMicros | None = None
    """When the source's first picture came in, where that was before it could be pushed here."""
    filler: bool = False
    """Nobody's feed: what is sent while there is none."""
    leave_after: int | None = None
    """The last segment that is wanted; None where there is none."""
    parts: Parts | None = None
    """What sound is cut into, in step with the picture's chunks; None for the chunks it came in."""
    lag: int | None = None
    """Microseconds that the lead's newest run trails the wall clock."""
    anchor_lag: int | None = None
    """The same at the start of the period."""
    dropped: int = 0
    """Runs that no segment could take: before a keyframe or before the period."""
    _tracks: dict[str, TrackState] = field(init=False)
    _lead: TrackState = field(init=False)
    _period_number: int | None = field(init=False, default=None)
    _cuts: dict[int, int] = field(init=False, default_factory=dict[int, int])
    """Where the lead's segments start, in its ticks since the epoch; the newest few."""
    _jump: _Jump | None = field(init=False, default=None)
    _drift: Drift = field(init=False, default_factory=Drift)
    _slew: Slew = field(init=False, default_factory=Slew)
    _trail: int | None = field(init=False, default=None)
    """Microseconds that the period's first picture came in after it is said to be."""
    _trailing: Trailing = field(init=False)
    _first: Fraction | None = field(init=False, default=None)
    """Seconds of source time of the lead's first run."""

    def __post_init__(self) -> None:
        """Find the lead among the specs."""
        self._tracks = {spec.id: TrackState(spec) for spec in self.specs}
        self._lead = next(t for t in self._tracks.values() if t.spec.kind is TrackKind.VIDEO)
        self._trailing = self._patient()

    def _patient(self) -> Trailing:
        return Trailing(max(round(self.grid.duration * MICROS), _LEAP))

    @property
    def anchored(self) -> bool:
        """Whether a period has started."""
        return self._period_number is not None

    @property
    def seen(self) -> UtcMicros | None:
        """When the end of the lead's newest chunk came in; None before any."""
        if self._trail is None or not self._lead.end:
            return None
        return UtcMicros(micros_of(self._lead.end, self._lead.timescale) + self._trail)

    @property
    def has_left(self) -> bool:
        """Whether all is there that is wanted."""
        last = self.leave_after
        tracks = [track for track in self._tracks.values() if track.facts is not None]
        return last is not None and all(track.last >= last for track in tracks)

    def _wants(self, number: int) -> bool:
        return self.leave_after is None or number <= self.leave_after

    @property
    def clock_rate(self) -> int:
        """Parts per million that media time gains on the source's clock, to stay with UTC."""
        return self._drift.rate

    @property
    def _cuts_by_grid(self) -> bool:
        """Whether the grid tells where segments end; else the lead's keyframes do."""
        return self.on_grid and self._slew.is_still

    def init(self, track_id: str, facts: InitFacts, version: str) -> Iterator[Action]:
        """The init section of a track is known and stored."""
        track = self._tracks[track_id]
        track.facts, track.version = facts, version
        if self.anchored:
            yield Note(TrackAdded(self._describe(track)))

    def push(self, track_id: str, run: Run, now: UtcMicros) -> Iterator[Action]:
        """A run of samples has arrived at the instant `now`."""
        track = self._tracks[track_id]
        if track.facts is None:
            self.dropped += 1
            return
        for piece in without_jumps(run, _JUMP * track.timescale):
            yield from self._push(track, piece, now)

    def _push(self, track: TrackState, run: Run, now: UtcMicros) -> Iterator[Action]:
        if track.behind and self._is_before_jump(track, run, now):
            self.dropped += 1
            return
        track.behind = False
        if self._is_jump(track, run):
            yield from self._break(track, run, now)
        if self.on_grid and track.spec.kind is TrackKind.AUDIO:
            even = evened(run, track.expected)
            if even is None:
                self.dropped += 1
                return
            run = even
        track.expected = run.start + run.duration
        run = self._slew.applied(run, track.timescale)
        if not self.anchored:
            self._hold(track, run)
            if track is self._lead:
                yield from self._try_anchor(now)
            return
        if track.spec.kind is TrackKind.VIDEO:
            yield from self._video(track, run, now)
        else:
            self._hold(track, run)
        if track is self._lead:
            self.lag = self._lag(run, now)
            if self._drift.seen(self.lag, now):
                self._slew.turn(self._drift.rate)
            for other in self._tracks.values():
                yield from self._drain(other, now)
        else:
            yield from self._drain(track, now)

    def _hold(self, track: TrackState, run: Run) -> None:
        track.pending.append(run)
        if len(track.pending) > _PENDING:
            del track.pending[0]
            self.dropped += 1

    def flush(self, now: UtcMicros) -> Iterator[Action]:
        """The source is over: what is open is ended as it is."""
        for track in self._tracks.values():
            yield from self._drain(track, now, final=True)
            yield from self._end(track, now)
            track.pending.clear()

    def _break(self, track: TrackState, run: Run, now: UtcMicros) -> Iterator[Action]:
        before = Fraction(track.expected or 0, track.timescale)
        after = Fraction(run.start, track.timescale)
        self._jump = _Jump(before, after, now + _PATIENCE)
        for other in self._tracks.values():
            other.behind = other is not track
        if not self.anchored:
            for other in self._tracks.values():
                other.pending.clear()
            return
        by = round_half_up((after - before) * 1000)
        yield from self._end_period(f"timestamps of {track.spec.id} jumped by {by} ms", now)

    def keep_pace(self, now: UtcMicros) -> Iterator[Action]:
        """End the period if its media runs ahead of the clock; the next waits for its number.

        A source that sends what it has all at once after the period's first keyframe does that.
        Where it is further ahead than any source sends at once, the clock was set back.

        With low latency it also ends where media has come to trail the clock by a segment more than
        it did: who goes by the clock would ask for what is not there, for good.
        """
        if not self.anchored or self.lag is None or self.anchor_lag is None:
            return
        segment = self.grid.duration * MICROS
        if max(segment / _AHEAD, Fraction(_LEAP)) < -self.lag < _SET_BACK:
            yield from self._end_period(f"media ran {-self.lag // 1000} ms ahead of the clock", now)
        elif self.parts is not None and self._trailing.stays(self.lag - self.anchor_lag, now):
            yield from self._end_period(f"media trails the clock by {self.lag // 1000} ms", now)

    def _end_period(self, reason: str, now: UtcMicros) -> Iterator[Action]:
        yield from self.flush(now)
        yield Broken(reason)
        self.last_number = max(self.last_number, *map(self._reached, self._tracks.values()))
        self._period_number = self.lag = None
        self._cuts.clear()
        self._drift, self._trailing = Drift(), self._patient()
        self._slew.reset()
        for track in self._tracks.values():
            track.shift = track.expected = None

    def _reached(self, track: TrackState) -> int:
        """The newest cell of the grid that a track's media lies in."""
        return self.grid.number_at(track.end - track.half, track.timescale)

    def _is_jump(self, track: TrackState, run: Run) -> bool:
        """Whether the times of a track break off.

        They do not where it was away and is back where the others have gone on to meanwhile, unless
        the others are cut where its keyframes are.
        """
        expected, shift = track.expected, track.shift
        if expected is None or not _off(run.start - expected, track.timescale):
            return False
        cuts_others = track is self._lead and not self._cuts_by_grid
        if shift is None or run.start < expected or cuts_others:
            return True
        others = [
            Fraction(other.expected + other.shift, other.timescale)
            for other in self._tracks.values()
            if other is not track and other.expected is not None and other.shift is not None
        ]
        foremost = max(others, default=Fraction(0))
        return Fraction(run.start + shift, track.timescale) > foremost + _APART

    def _is_before_jump(self, track: TrackState, run: Run, now: UtcMicros) -> bool:
        """Whether `run` belongs to what the break ended: tracks reach it at different times."""
        jump, time = self._jump, Fraction(run.start, track.timescale)
        if jump is None or now > jump.until:
            return False
        return abs(time - jump.before) < abs(time - jump.after)

    def _lag(self, run: Run, now: UtcMicros) -> int:
        end = run.start + run.duration + (self._lead.shift or 0)
        return now - micros_of(end, self._lead.timescale)

    # The anchor

    def _try_anchor(self, now: UtcMicros) -> Iterator[Action]:
        lead = self._lead
        run = lead.pending.pop()
        instant = self._arrival(run, now)
        number = self.grid.number_at_micros(instant)
        if self.grid.micros(self.last_number) > now + _SET_BACK:
            number = self.last_number + 1  # rather than to wait until the clock is there again
        if not run.keyframe or number <= self.last_number:
            self.dropped += 1
            return
        source = Fraction(run.start + run.compositions[0], lead.timescale)
        anchor = Anchor(source, self.grid.micros(number), instant)
        self._period_number, self.came = number, None
        self._trail = instant - anchor.utc
        part = self.parts.target_micros if self.parts else 0
        yield Note(PeriodStarted(self.next_period, number, anchor, filler=self.filler, part=part))
        self.next_period += 1
        for track in self._tracks.values():
            if track.facts is not None:
                yield Note(TrackAdded(self._describe(track)))
        self._cuts = {number: self.grid.boundary(number, lead.timescale)}
        yield from self._video(lead, run, now)
        self.lag = self.anchor_lag = self._lag(run, now)
        for track in self._tracks.values():
            held = track.pending
            if track.spec.kind is TrackKind.VIDEO:
                track.pending = []
                for early in held:
                    yield from self._video(track, early, now)
            else:
                yield from self._drain(track, now)

    def _arrival(self, run: Run, now: UtcMicros) -> UtcMicros:
        """When the first bytes of a run of the lead came in, which is being pushed at `now`.

        Of a feed that was held back for a while they come faster than they did.
        """
        length = rescale(run.duration, self._lead.timescale, MICROS)
        pushed = UtcMicros(now - length)
        if self.came is None:
            return pushed
        source = Fraction(run.start, self._lead.timescale)
        if self._first is None:
            self._first = source
        since = round_half_up((source - self._first) * MICROS)
        return min(pushed, UtcMicros(self.came + since)) if since >= 0 else pushed

    def _shift(self, track: TrackState) -> int:
        """Ticks from a track's source time to UTC: the anchor's, whole by construction."""
        lead = self._lead
        if lead.shift is None or track is lead:
            msg = "no anchor"
            raise AssertionError(msg)
        return rescale(lead.shift, lead.timescale, track.timescale)

    def _describe(self, track: TrackState) -> Track:
        facts, spec = track.facts, track.spec
        if facts is None:
            msg = f"track {spec.id} is not known yet"
            raise AssertionError(msg)
        return Track(
            id=spec.id,
            kind=facts.kind,
            version=track.version,
            timescale=facts.timescale,
            codecs=facts.codec.string,
            codec_private=facts.codec.private.hex().upper(),
            bitrate=spec.bitrate or self.bitrates.get(spec.id, 0),
            width=facts.width,
            height=facts.height,
            frame_rate=spec.frame_rate,
            sample_rate=facts.sample_rate,
            channels=facts.channels,
            sample_aspect=None if facts.sample_aspect == 1 else facts.sample_aspect,
            language=facts.language,
        )

    # Video

    def _video(self, track: TrackState, run: Run, now: UtcMicros) -> Iterator[Action]:
        if track.shift is None and (not run.keyframe or not self._place(track, run)):
            self.dropped += 1
            return
        run = run.moved((track.shift or 0) + track.composition, track.composition)
        if run.keyframe:
            half = track.half_sample(run)
            number = self.grid.number_at(run.start + half, track.timescale)
            if number != track.number:
                yield from self._end(track, now)
                if number > track.last:
                    self._cut(track, number, run.start)
                    track.number = number if self._wants(number) else -1
        if track.number < 0:
            self.dropped += 1
            return
        yield self._store(track, run)
        if self._cuts_by_grid:
            boundary = self.grid.boundary(track.number + 1, track.timescale)
            if run.start + run.duration + track.half_sample(run) >= boundary:
                yield from self._end(track, now)

    def _place(self, track: TrackState, run: Run) -> bool:
        """Relate a video track's times to UTC at its first keyframe of the period."""
        number = self._period_number or 0
        composition = run.compositions[0]
        if track is self._lead:
            boundary = self.grid.boundary(number, track.timescale)
            shift = boundary - run.start - composition
        else:
            shift = self._shift(track)
            start = run.start + composition + shift + track.half_sample(run)
            if self.grid.number_at(start, track.timescale) < number:
                return False
        track.shift, track.composition = shift, composition
        return True

    def _cut(self, track: TrackState, number: int, start: int) -> None:
        """Remember where the lead's segments start, as far back as audio may trail it."""
        if track is self._lead:
            self._cuts[number] = start
            if len(self._cuts) > _CUTS:
                del self._cuts[next(iter(self._cuts))]

    # Audio

    def _drain(self, track: TrackState, now: UtcMicros, *, final: bool = False) -> Iterator[Action]:
        """Give a track's held samples to the segments whose boundaries are known."""
        if track.spec.kind is TrackKind.VIDEO or not self.anchored or not track.pending:
            return
        if track.shift is None:
            track.shift = self._shift(track)
        held, track.pending = track.pending, []
        for index, source in enumerate(held):
            run = self._in_period(track, source.moved(track.shift))
            while run is not None:
                taken, rest = self._cut_audio(track, run, final=final)
                if taken is None and rest is run:
                    track.pending = [run.moved(-track.shift), *held[index + 1 :]]
                    return
                if taken is not None:
                    yield from self._store_sound(track, taken)
                if self._is_whole(track, rest):
                    yield from self._end(track, now)
                run = rest

    def _in_period(self, track: TrackState, run: Run) -> Run | None:
        """What of `run` lies at or after the start of the period, to the nearest frame."""
        if track.number >= 0 or track.last >= (self._period_number or 0):
            return run
        begin = self.grid.boundary(self._period_number or 0, track.timescale)
        index = run.samples_before(begin)
        if index == len(run.sizes):
            self.dropped += 1
            return None
        return run.split(index)[1] if index else run

    def _cut_audio(
        self, track: TrackState, run: Run, *, final: bool
    ) -> tuple[Run | None, Run | None]:
        """What of `run` the open segment takes, and what is left.

        All of it is left where the lead has not shown yet where the segment ends, or the picture
        is more than a segment behind.
        """
        ahead = run.start - floor(self._shown() * track.timescale)
        if final and ahead > _JUMP * track.timescale:
            self.dropped += 1
            return None, None
        if not final and ahead > self.grid.duration * track.timescale:
            return None, run
        if track.number < 0:
            track.number = self._number_at(track, run.start + run.durations[0] // 2)
            if track.number <= track.last or not self._wants(track.number):
                track.number = -1
                self.dropped += 1
                return None, None
        cut = self._next_cut(track)
        if cut is None:
            known = rescale(self._lead.end, self._lead.timescale, track.timescale)
            known = max(known, self.grid.boundary(track.number + 1, track.timescale))
            if final or run.start + run.duration <= known - run.durations[0] // 2:
                return run, None
            return None, run
        index = run.samples_before(cut)
        if index == len(run.sizes):
            return run, None
        head, tail = run.split(index)
        return (head if index else None), tail

    def _store_sound(self, track: TrackState, run: Run) -> Iterator[Action]:
        """Store what `run` completes of the parts of the open segment."""
        if self.parts is None:
            yield self._store(track, run)
            return
        if track.part is not None and track.part.start + track.part.duration != run.start:
            yield from self._store_part(track)
        if track.part is None and not track.chunks:
            track.begin = run.start
        rest: Run | None = run if track.part is None else joined([track.part, run])
        while rest is not None:
            due = track.begin + round_half_up(
                (track.chunks + 1) * self.parts.length * track.timescale
            )
            count = len(rest.sizes)
            index = rest.samples_before(due)
            if index == count and rest.start + rest.duration + rest.durations[-1] // 2 < due:
                break
            head, rest = rest.split(index) if 0 < index < count else (rest, None)
            yield self._store(track, head)
        track.part = rest

    def _store_part(self, track: TrackState) -> Iterator[Action]:
        """Store what is there of a part, for no more of it comes."""
        if track.part is not None:
            yield self._store(track, track.part)
            track.part = None

    def _shown(self) -> Fraction:
        """Seconds since the epoch that the picture has reached.

        On the grid any rendition shows it: the lead may have died alone.
        """
        pictures = [t for t in self._tracks.values() if t.spec.kind is TrackKind.VIDEO]
        shown = pictures if self._cuts_by_grid else [self._lead]
        return max(Fraction(track.end, track.timescale) for track in shown)

    def _number_at(self, track: TrackState, time: int) -> int:
        """The segment that audio at `time` belongs to."""
        if self._cuts_by_grid:
            return self.grid.number_at(time, track.timescale)
        numbers = [
            number
            for number, start in self._cuts.items()
            if rescale(start, self._lead.timescale, track.timescale) <= time
        ]
        return max(numbers, default=self._period_number or 0)

    def _next_cut(self, track: TrackState) -> int | None:
        """Where the segment after the open one starts, in the track's ticks; None if unknown."""
        if self._cuts_by_grid:
            return self.grid.boundary(track.number + 1, track.timescale)
        following = [start for number, start in self._cuts.items() if number > track.number]
        if not following:
            return None
        return rescale(min(following), self._lead.timescale, track.timescale)

    def _is_whole(self, track: TrackState, rest: Run | None) -> bool:
        """Whether nothing more can come for the open segment."""
        if track.number < 0:
            return False
        if rest is not None:
            return True
        cut, part = self._next_cut(track), track.part
        end, half = track.end, track.half
        if part is not None:
            end, half = part.start + part.duration, part.durations[-1] // 2
        return cut is not None and end + half >= cut

    # Segments

    def _store(self, track: TrackState, run: Run) -> Store:
        parts = write(run, (track.number << 6) + track.chunks)
        if self.parts is not None and self._trail is not None and not track.chunks:
            # Players of low latency may ask how late the segment is that they are getting.
            seen = UtcMicros(micros_of(run.start, track.timescale) + self._trail)
            parts = [write_reference(run.start, seen), *parts]
        size = sum(map(len, parts))
        length = run.duration
        record = ChunkAdded(track.spec.id, track.number, Ticks(run.start), Ticks(length), size)
        track.size += size
        track.ticks += length
        track.chunks += 1
        track.end = run.start + length
        track.half = run.durations[-1] // 2
        return Store(record, parts)

    def _end(self, track: TrackState, now: UtcMicros) -> Iterator[Action]:
        yield from self._store_part(track)
        if track.chunks:
            yield from self._measure(track)
            yield Note(SegmentEnded(track.spec.id, track.number, now))
            track.last = track.number
        track.number = -1
        track.size = track.ticks = track.chunks = 0

    def _measure(self, track: TrackState) -> Iterator[Action]:
        """Take the first segment's rate for a nominal one that nobody gave."""
        if track.spec.bitrate or track.spec.id in self.bitrates:
            return
        rate = round_half_up(Fraction(track.size * 8 * track.timescale, track.ticks * 1000)) * 1000
        while rate in self.bitrates.values():
            rate += 1000  # a nominal rate is also an address and must differ
        self.bitrates[track.spec.id] = rate
        yield Note(TrackAdded(self._describe(track)))


def _off(by: int, timescale: int) -> bool:
    return abs(by) > _JUMP * timescale
