"""Copies of a track's segments, as several encoders push them, and the choice among them.

A segment is published once it is whole, and whole from one encoder: the first whole copy counts.
So nobody sees half a segment of an encoder that stopped while another had all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from packager.cmaf.header import Header
from packager.cmaf.run import Run, joined
from packager.ticks import MICROS, Grid, UtcMicros, round_half_up
from packager.track import TrackKind

MOST_BYTES = 128 << 20
"""Of media of one track that is held back; what comes then is dropped."""
_MOST_FEEDS = 16
"""Of a track, that are remembered."""
_CHUNKS = 5
"""A second, at most: encoders may send a fragment a frame."""


@dataclass(slots=True, eq=False)
class Feed:
    """What one encoder sends of a track: one long body, or one after another."""

    sender: str
    """Tells encoders apart, as far as one can."""
    is_open: bool = True
    composition: int | None = None
    """Of its first keyframe: taken off, so that decode times are presentation times there."""
    expected: int | None = None
    """Where its next run should begin, in ticks since the epoch; None at first or after a break."""
    number: int = -1
    """Of the segment that it is at."""
    copy: "Copy | None" = None
    """Its copy of that."""


@dataclass(slots=True, eq=False)
class Copy:
    """One encoder's copy of one segment."""

    number: int
    feed: Feed
    header: Header
    begins_whole: bool
    """On the boundary, or right behind what the same encoder sent before."""
    begun: UtcMicros
    """When its first run came."""
    grown: UtcMicros
    """When its newest run came."""
    is_needed: bool = True
    whole: UtcMicros | None = None
    """When nothing more could come for it."""
    runs: list[Run] = field(default_factory=list[Run])
    size: int = 0
    """Bytes."""

    @property
    def start(self) -> int:
        """Ticks since the epoch."""
        return self.runs[0].start

    @property
    def end(self) -> int:
        """Ticks since the epoch."""
        return self.runs[-1].start + self.runs[-1].duration

    @property
    def half(self) -> int:
        """Half a sample, in ticks."""
        return self.runs[0].durations[0] // 2


@dataclass(slots=True)
class Copies:
    """The state of one track."""

    grid: Grid
    header: Header
    last: int
    """The newest segment that is published or passed over."""
    is_begun: bool = False
    """Whether it is known which segment is the first to be published."""
    end: int | None = None
    """Where that ended, in ticks since the epoch; None where nothing of this period has."""
    seen: UtcMicros | None = None
    """When something that could be used came last."""
    dropped: int = 0
    """Runs that no segment could take."""
    _feeds: list[Feed] = field(default_factory=list[Feed])
    _held: dict[int, list[Copy]] = field(default_factory=dict[int, list[Copy]])
    _is_regular: bool = False
    """A keyframe on each boundary was seen: a segment is known to be whole at its last frame."""

    @property
    def _timescale(self) -> int:
        return self.header.facts.timescale

    # Runs

    def push(
        self, feed: Feed | None, sender: str, header: Header, run: Run, now: UtcMicros
    ) -> Feed:
        """`run`, in ticks since the epoch, has come from `sender`.

        Gives back the feed that it was taken for; `feed` is that of the run before in one body.
        """
        half = run.durations[0] // 2
        if feed is None:
            feed = self._feed(sender, run.start, half)
        if feed.composition is None:
            if not run.keyframe:
                self.dropped += 1
                return feed
            feed.composition = run.compositions[0]
        run = run.moved(feed.composition, feed.composition)
        if feed.expected is not None and abs(run.start - feed.expected) > half:
            self._break(feed, now)
        is_video = header.facts.kind is TrackKind.VIDEO
        for piece in _at_keyframes(run) if is_video else self._at_boundaries(run):
            self._take(feed, header, piece, now, starts=not is_video or piece.keyframe)
            feed.expected = piece.start + piece.duration
        self.seen = now
        return feed

    def _feed(self, sender: str, start: int, half: int) -> Feed:
        """That of an encoder which goes on with another body at `start`, or a new one."""
        for feed in reversed(self._feeds):
            if feed.sender != sender or feed.is_open or feed.expected is None:
                continue
            if abs(start + (feed.composition or 0) - feed.expected) <= half:
                feed.is_open = True
                return feed
        fresh = Feed(sender)
        idle = [feed for feed in self._feeds if not feed.is_open]
        if len(self._feeds) >= _MOST_FEEDS and idle:
            self._feeds.remove(idle[0])
        self._feeds.append(fresh)
        return fresh

    def _at_boundaries(self, run: Run) -> Iterator[Run]:
        """`run`, parted where its frames are nearest to the boundaries of the grid."""
        rest: Run | None = run
        while rest is not None:
            number = self._number_at(rest)
            index = max(1, rest.samples_before(self.grid.boundary(number + 1, self._timescale)))
            whole, rest = rest, None
            if index < len(whole.sizes):
                whole, rest = whole.split(index)
            yield whole

    def _number_at(self, run: Run) -> int:
        return self.grid.number_at(run.start + run.durations[0] // 2, self._timescale)

    def _take(self, feed: Feed, header: Header, run: Run, now: UtcMicros, *, starts: bool) -> None:
        if starts:
            number = self._number_at(run)
            if feed.copy is None or feed.copy.number != number:
                self._begin(feed, header, run, number, now)
        if feed.copy is None:
            self.dropped += 1
            # It ended on a boundary, and yet no keyframe came there.
            self._is_regular = False
            return
        self._add(feed.copy, run, now)
        if (self._is_regular or not _is_video(header)) and self._is_at_end(feed.copy, run):
            self._finish(feed, now)

    def _begin(self, feed: Feed, header: Header, run: Run, number: int, now: UtcMicros) -> None:
        goes_on = feed.expected is not None
        if goes_on and feed.copy is not None:
            self._finish(feed, now)
        half = run.durations[0] // 2
        is_on_grid = abs(run.start - self.grid.boundary(number, self._timescale)) <= half
        if goes_on:
            self._is_regular = is_on_grid and number == feed.number + 1
        feed.number = number
        feed.copy = copy = Copy(number, feed, header, goes_on or is_on_grid, now, now)
        others = self._held.get(number, [])
        copy.is_needed = number > self.last and not any(c.whole and c.begins_whole for c in others)

    def _add(self, copy: Copy, run: Run, now: UtcMicros) -> None:
        copy.grown = now
        if not copy.is_needed:
            copy.runs = [run]  # its end is all that is wanted of it
            return
        if self._size() + len(run.payload) > MOST_BYTES:
            self.dropped += 1
            copy.feed.copy = copy.feed.expected = None
            return
        if not copy.runs:
            self._held.setdefault(copy.number, []).append(copy)
        copy.runs.append(run)
        copy.size += len(run.payload)

    def _size(self) -> int:
        return sum(copy.size for copies in self._held.values() for copy in copies)

    def _is_at_end(self, copy: Copy, run: Run) -> bool:
        boundary = self.grid.boundary(copy.number + 1, self._timescale)
        return run.start + run.duration + run.durations[-1] // 2 >= boundary

    def _finish(self, feed: Feed, now: UtcMicros) -> None:
        if feed.copy is not None:
            feed.copy.whole = now
            feed.copy = None

    def _break(self, feed: Feed, now: UtcMicros) -> None:
        """Its times break off: what it was at stays as it is."""
        self._finish_if_at_end(feed, now)
        feed.copy = feed.expected = None

    def _finish_if_at_end(self, feed: Feed, now: UtcMicros) -> None:
        if (copy := feed.copy) is not None and copy.runs and self._is_at_end(copy, copy.runs[-1]):
            self._finish(feed, now)

    def close(self, feed: Feed, now: UtcMicros) -> None:
        """The body that brought `feed` is over."""
        feed.is_open = False
        self._finish_if_at_end(feed, now)

    def begin_again(self, last: int) -> None:
        """A new period: segments up to `last` are over."""
        self.end = None
        self._is_regular = False
        self._pass_over(last)
        self.is_begun = False

    def begin(self, number: int) -> None:
        """The period begins with segment `number`."""
        self._pass_over(number - 1)
        self.is_begun = True

    def _pass_over(self, last: int) -> None:
        self.last = max(self.last, last)
        for number in [number for number in self._held if number <= last]:
            self._forget(number)

    def drop_all(self) -> None:
        """Nothing that was held is of use, nor what goes on from there."""
        for number in list(self._held):
            self._forget(number)
        for feed in self._feeds:
            feed.copy = feed.expected = feed.composition = None

    def _forget(self, number: int) -> None:
        for copy in self._held.pop(number):
            copy.is_needed = False
            copy.size = 0

    # The choice

    def due(self, now: UtcMicros) -> Copy | None:
        """The copy to be published next, if there is one by now."""
        while self._held:
            number = min(self._held)
            fitting = [copy for copy in self._held[number] if self._fits(copy)]
            whole = next((copy for copy in fitting if self._is_whole(copy)), None)
            if whole is not None:
                return whole if self._is_its_turn(whole, now) else None
            if any(self._may_grow(copy, now) for copy in self._held[number]):
                return None
            usable = [copy for copy in fitting if copy.begins_whole or self.end is not None]
            if usable:
                return max(usable, key=lambda copy: copy.end - copy.start)
            # Nothing, or the rest of a segment that an encoder came too late for at the start.
            self._forget(number)
        return None

    def _is_whole(self, copy: Copy) -> bool:
        return copy.whole is not None and (copy.begins_whole or self._follows(copy))

    def _is_its_turn(self, copy: Copy, now: UtcMicros) -> bool:
        if not self.is_begun or copy.number == self.last + 1 or self._follows(copy):
            return True
        # What is missing before it may be on its way from another encoder.
        return passed(copy.whole or 0, self._segment // 2, now)

    def _may_grow(self, copy: Copy, now: UtcMicros) -> bool:
        """Whether more of it, or another copy of it, is worth to wait for."""
        return not passed(copy.grown, self._segment, now)

    @property
    def _segment(self) -> int:
        """Microseconds."""
        return round_half_up(self.grid.duration * MICROS)

    def _follows(self, copy: Copy) -> bool:
        return self.end is not None and abs(copy.start - self.end) <= copy.half

    def _fits(self, copy: Copy) -> bool:
        """Whether it begins where the segment before ended, or later; sound can be cut."""
        if self.end is None or copy.start >= self.end - copy.half:
            return True
        return not _is_video(copy.header) and copy.end > self.end + copy.half

    def take(self, copy: Copy) -> list[Run]:
        """What of `copy`, which is due, is to be published, as chunks; it is over then."""
        runs = copy.runs
        if self.end is not None and not _is_video(copy.header):
            runs = list(_from(runs, self.end))
        self.last = copy.number
        self.end = copy.end
        self._forget(copy.number)
        return list(_chunks(runs, copy.header.facts.timescale // _CHUNKS))


def _is_video(header: Header) -> bool:
    return header.facts.kind is TrackKind.VIDEO


def _at_keyframes(run: Run) -> Iterator[Run]:
    """`run`, parted before each keyframe in it."""
    rest = run
    index = 1
    while index < len(rest.sizes):
        if rest.is_keyframe(index):
            head, rest = rest.split(index)
            yield head
            index = 0
        index += 1
    yield rest


def _from(runs: list[Run], start: int) -> Iterator[Run]:
    """What of `runs` is nearer to what comes after `start`."""
    for run in runs:
        index = run.samples_before(start)
        if index == 0:
            yield run
        elif index < len(run.sizes):
            yield run.split(index)[1]


def _chunks(runs: list[Run], length: int) -> Iterator[Run]:
    """`runs` put together to no less than `length` ticks each, but for the last."""
    together: list[Run] = []
    for run in runs:
        together.append(run)
        if sum(each.duration for each in together) >= length:
            yield joined(together)
            together = []
    if together:
        yield joined(together)


def passed(since: int, patience: int, now: int) -> bool:
    """Whether `patience` is over; it is also where the clock was set back."""
    return not 0 <= now - since < patience
