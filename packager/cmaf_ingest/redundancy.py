"""The choice among copies of a track's segments that several encoders push.

A segment is published once it is complete, from one encoder: the first complete copy counts. So no
viewer receives half a segment of an encoder that stopped while another one had all of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from packager.cmaf.ingest_header import IngestHeader
from packager.cmaf.samples import SampleRun
from packager.cmaf_ingest.copies import (
    HeldCopies,
    RedundantFeed,
    SegmentCopy,
    from_time,
    in_chunks,
    is_video,
    split_at_keyframes,
)
from packager.cmaf_ingest.ingest_clock import passed
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros, round_half_up

MAX_HELD = 128 << 20
"""Bytes of media of one track that are held back; media beyond that is dropped."""
_MAX_FEEDS = 16
"""Feeds of a track that are kept."""
_MAX_PAUSE = 10 * MICROS
"""Microseconds of media in a body that another body is expected to follow. A longer body is a
stream, and its end is the end of the stream."""
_CHUNKS = 5
"""Chunks a second, at most: encoders may send a fragment per frame."""


@dataclass(slots=True)
class SegmentCopies:
    """The feeds and copies of one track."""

    grid: Grid
    header: IngestHeader
    last: int
    """The newest segment that is published or skipped."""
    has_begun: bool = False
    """Whether the first segment of the period is known."""
    end: int | None = None
    """End of the newest published segment, in ticks since the epoch; None before the first of
    the period."""
    newest: UtcMicros | None = None
    """Arrival of the newest usable media."""
    dropped: int = 0
    """Runs that no segment could take."""
    _feeds: list[RedundantFeed] = field(default_factory=list[RedundantFeed])
    _held: HeldCopies = field(default_factory=HeldCopies)
    _is_regular: bool = False
    """Whether keyframes were on the last boundaries. If so, the last frame of a segment shows that
    the segment is complete."""

    @property
    def _timescale(self) -> int:
        return self.header.facts.timescale

    # Runs

    def push(
        self,
        feed: RedundantFeed | None,
        sender: str,
        header: IngestHeader,
        run: SampleRun,
        now: UtcMicros,
    ) -> RedundantFeed:
        """Add `run`, in ticks since the epoch, which `sender` has sent.

        `feed` is that of the run before in the same body. Returns: the feed of this run.
        """
        half = run.durations[0] // 2
        if feed is None:
            feed = self._feed(sender, run.start, half)
        if feed.composition is None:
            if not run.keyframe:
                self.dropped += 1
                return feed
            feed.composition = run.compositions[0]
        feed.body += run.duration
        run = run.moved(feed.composition, feed.composition)
        if feed.expected is not None and abs(run.start - feed.expected) > half:
            self._break(feed, now)
        video = is_video(header)
        for piece in split_at_keyframes(run) if video else self._at_boundaries(run):
            self._take(feed, header, piece, now, starts=not video or piece.keyframe)
            feed.expected = piece.start + piece.duration
        self.newest = now
        return feed

    def _feed(self, sender: str, start: int, half: int) -> RedundantFeed:
        """The feed of an encoder that continues with another body at `start`, or a new feed."""
        for feed in reversed(self._feeds):
            if feed.sender != sender or feed.is_open or feed.expected is None:
                continue
            if abs(start + (feed.composition or 0) - feed.expected) <= half:
                feed.is_open, feed.body = True, 0
                return feed
        fresh = RedundantFeed(sender)
        idle = [feed for feed in self._feeds if not feed.is_open]
        if len(self._feeds) >= _MAX_FEEDS and idle:
            self._feeds.remove(idle[0])
        self._feeds.append(fresh)
        return fresh

    def _at_boundaries(self, run: SampleRun) -> Iterator[SampleRun]:
        """`run`, split at the frames that are nearest to the boundaries of the grid."""
        rest: SampleRun | None = run
        while rest is not None:
            number = self._number_at(rest)
            index = max(1, rest.samples_before(self.grid.boundary(number + 1, self._timescale)))
            head, rest = rest, None
            if index < len(head.sizes):
                head, rest = head.split(index)
            yield head

    def _number_at(self, run: SampleRun) -> int:
        return self.grid.number_at(run.start + run.durations[0] // 2, self._timescale)

    def _take(
        self,
        feed: RedundantFeed,
        header: IngestHeader,
        run: SampleRun,
        now: UtcMicros,
        *,
        starts: bool,
    ) -> None:
        """Add a run to its copy; `starts`: a segment may start with it."""
        if starts:
            number = self._number_at(run)
            if feed.copy is None or feed.copy.number != number:
                self._begin(feed, header, run, now)
        if feed.copy is None:
            self.dropped += 1
            # The last copy ended on a boundary, but no keyframe followed there.
            self._is_regular = False
            return
        self._add(feed.copy, run, now)
        if (self._is_regular or not is_video(header)) and self._is_at_end(feed.copy, run):
            self._complete(feed, now)

    def _begin(
        self, feed: RedundantFeed, header: IngestHeader, run: SampleRun, now: UtcMicros
    ) -> None:
        """Begin the copy of the segment that `run` lies in."""
        number = self._number_at(run)
        continues = feed.expected is not None
        if continues:
            self._complete(feed, now)
        half = run.durations[0] // 2
        is_on_grid = abs(run.start - self.grid.boundary(number, self._timescale)) <= half
        if continues:
            self._is_regular = is_on_grid and number == feed.number + 1
        feed.number = number
        feed.copy = copy = SegmentCopy(number, feed, header, continues or is_on_grid, now, now)
        others = self._held.of(number)
        copy.is_needed = number > self.last and not any(c.whole and c.begins_whole for c in others)

    def _add(self, copy: SegmentCopy, run: SampleRun, now: UtcMicros) -> None:
        copy.grown = now
        if not copy.is_needed:
            copy.runs = [run]  # only its end matters
            return
        if self._held.size + len(run.payload) > MAX_HELD:
            self.dropped += 1
            copy.feed.copy = copy.feed.expected = None
            return
        if not copy.runs:
            self._held.add(copy)
        copy.runs.append(run)
        copy.size += len(run.payload)

    def _is_at_end(self, copy: SegmentCopy, run: SampleRun) -> bool:
        boundary = self.grid.boundary(copy.number + 1, self._timescale)
        return run.start + run.duration + run.durations[-1] // 2 >= boundary

    def _complete(self, feed: RedundantFeed, now: UtcMicros) -> None:
        if feed.copy is not None:
            feed.copy.whole = now
            feed.copy = None

    def _break(self, feed: RedundantFeed, now: UtcMicros) -> None:
        """The feed's times jump: its copy in progress stays as it is."""
        self._complete_if_at_end(feed, now)
        feed.copy = feed.expected = None

    def _complete_if_at_end(self, feed: RedundantFeed, now: UtcMicros) -> None:
        if (copy := feed.copy) is not None and copy.runs and self._is_at_end(copy, copy.runs[-1]):
            self._complete(feed, now)

    def close(self, feed: RedundantFeed, now: UtcMicros) -> None:
        """End the request body that brought `feed`."""
        feed.is_open = False
        self._complete_if_at_end(feed, now)

    # Periods

    def end_period(self, last: int) -> None:
        """End the period: segments up to `last` are over."""
        self.end = None
        self._is_regular = False
        self._skip_to(last)
        self.has_begun = False

    def begin_period(self, number: int) -> None:
        """Begin a period with segment `number`."""
        self._skip_to(number - 1)
        self.has_begun = True

    def _skip_to(self, last: int) -> None:
        self.last = max(self.last, last)
        self._held.forget_up_to(last)

    def drop_all(self) -> None:
        """Drop all copies, and the state of their feeds."""
        self._held.clear()
        for feed in self._feeds:
            feed.copy = feed.expected = feed.composition = None

    # The choice

    def due(self, now: UtcMicros) -> SegmentCopy | None:
        """The copy to publish next; None if none is due at the instant `now`."""
        while (number := self._held.oldest) is not None:
            copies = self._held.of(number)
            fitting = [copy for copy in copies if self._fits(copy)]
            whole = next((copy for copy in fitting if self._is_whole(copy)), None)
            if whole is not None:
                return whole if self._is_its_turn(whole, now) else None
            if any(self._may_grow(copy, now) for copy in copies):
                return None
            usable = [copy for copy in fitting if copy.begins_whole or self.end is not None]
            if usable:
                return max(usable, key=lambda copy: copy.end - copy.start)
            # An encoder started within the segment, or there is no media of it.
            self._held.forget(number)
        return None

    def _is_whole(self, copy: SegmentCopy) -> bool:
        return copy.whole is not None and (copy.begins_whole or self._follows(copy))

    def _is_its_turn(self, copy: SegmentCopy, now: UtcMicros) -> bool:
        if not self.has_begun or copy.number == self.last + 1 or self._follows(copy):
            return True
        # Another encoder may still send the missing segments before it.
        return passed(copy.whole or 0, self._segment // 2, now)

    def _may_grow(self, copy: SegmentCopy, now: UtcMicros) -> bool:
        """Whether to wait for more of it, or for another copy."""
        return not passed(copy.grown, self._segment + self._pause(copy), now)

    def _pause(self, copy: SegmentCopy) -> int:
        """Microseconds until the next body of a copy in progress: the length of the last body.

        The edge of a body with audio may lie inside a segment of the grid. The rest of the
        segment arrives with the next body.
        """
        feed = copy.feed
        if is_video(self.header) or feed.is_open or feed.copy is not copy:
            return 0
        pause = feed.body * MICROS // self._timescale
        return pause if pause <= _MAX_PAUSE else 0

    @property
    def _segment(self) -> int:
        """Microseconds."""
        return round_half_up(self.grid.duration * MICROS)

    def _follows(self, copy: SegmentCopy) -> bool:
        return self.end is not None and abs(copy.start - self.end) <= copy.half

    def _fits(self, copy: SegmentCopy) -> bool:
        """Whether it starts at or after the end of the segment before; audio can be cut to fit."""
        if self.end is None or copy.start >= self.end - copy.half:
            return True
        return not is_video(copy.header) and copy.end > self.end + copy.half

    def take(self, copy: SegmentCopy) -> list[SampleRun]:
        """The chunks to publish of `copy`, which is due; all copies of its segment are dropped."""
        runs = copy.runs
        if self.end is not None and not is_video(copy.header):
            runs = list(from_time(runs, self.end))
        self.last = copy.number
        self.end = copy.end
        self._held.forget(copy.number)
        return list(in_chunks(runs, copy.header.facts.timescale // _CHUNKS))
