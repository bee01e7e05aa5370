"""Does what the segmenter decided: bytes first, the record second."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packager.actions import Action, Broken, Note, Store, StoreInit
from packager.errors import DiskError, JournalError, StoreError
from packager.health import is_late
from packager.layout import InitName, segment_file
from packager.losses import at_risk, losses
from packager.records import ChunkAdded, Lost, PeriodStarted, Record, SegmentEnded, Trimmed
from packager.retention import STAY
from packager.runtime import metrics
from packager.runtime.journal_writer import JournalWriter
from packager.runtime.media_store import MediaStore
from packager.ticks import UtcMicros
from packager.timeline import Timeline, leaving


@dataclass(slots=True)
class _Tally:
    """What was published of a track: added up here, since counting in a metric costs more."""

    chunks: int = 0
    octets: int = 0


class Publisher:
    """The store and the journal of one channel, kept in step."""

    def __init__(
        self,
        channel: str,
        folder: Path,
        journal: JournalWriter,
        *,
        makes_room: bool,
        flush: Callable[[int], None] | None = None,
    ) -> None:
        """Publish below `folder`.

        `makes_room`: when the disk is full, the oldest segments go, but for the newest few.
        `flush` is given the descriptors of what shall be on the disk soon; None leaves it to the
        kernel.
        """
        self._channel = channel
        self._folder = folder
        self.journal = journal
        self.store = MediaStore(folder, flush or os.close)
        self._flush = flush
        self.evicted = 0
        """Segments that went because the disk was full."""
        self._makes_room = makes_room
        self._tallies: dict[str, _Tally] = {}
        self._hold_reserve()

    @property
    def timeline(self) -> Timeline:
        """What is published."""
        return self.journal.timeline

    def publish(self, actions: Iterable[Action]) -> list[Broken]:
        """Store, then write down; gives back the breaks among `actions`.

        Raises:
            StoreError: media could not be stored; what came before it is published.
            JournalError: records could not be written.
        """
        records: list[Record] = []
        breaks: list[Broken] = []
        try:
            for action in actions:
                match action:
                    case Store(record, parts):
                        self._with_room(
                            partial(self.store.append, record.track, record.number, parts)
                        )
                        tally = self._tallies.setdefault(record.track, _Tally())
                        tally.chunks += 1
                        tally.octets += record.size
                        records.append(record)
                    case StoreInit(track, version, data):
                        self._with_room(partial(self.store.write_init, track, version, data))
                    case Note(record):
                        if isinstance(record, SegmentEnded):
                            self.store.close(record.track)
                            metrics.SEGMENTS.labels(self._channel, record.track).inc()
                        elif isinstance(record, PeriodStarted):
                            metrics.PERIODS.labels(self._channel).inc()
                        records.append(record)
                    case Broken():
                        breaks.append(action)
        finally:
            if records:
                self._write_down(records)
        return breaks

    def _write_down(self, records: list[Record]) -> None:
        try:
            self.note(records)
        except JournalError:
            for track in {r.track for r in records if isinstance(r, ChunkAdded)}:
                self._back_to_the_record(track)
            raise
        self._count_late([record for record in records if isinstance(record, SegmentEnded)])

    def _count_late(self, ended: Iterable[SegmentEnded]) -> None:
        for record in ended:
            segment = self.timeline.tracks[record.track].segments.numbered(record.number)
            if segment is not None and is_late(self.timeline, record.track, segment):
                metrics.LATE_SEGMENTS.labels(self._channel).inc()

    def _back_to_the_record(self, track: str) -> None:
        """A later chunk must lie where its record will say: right behind the recorded ones."""
        known = self.timeline.tracks.get(track)
        if known is not None and known.open:
            size = known.open[-1].offset + known.open[-1].size
            self.store.resume(track, known.open_number, size)
        else:
            self.store.close(track)

    def count(self) -> None:
        """Add to the metrics what was published since the last call."""
        for track, tally in self._tallies.items():
            metrics.CHUNKS.labels(self._channel, track).inc(tally.chunks)
            metrics.MEDIA_BYTES.labels(self._channel, track).inc(tally.octets)
        self._tallies = {}

    def mend(self) -> list[Lost]:
        """Write down what a power loss has taken; what that is.

        It can have taken the newest segments, or a part of them, and the record of a trim.

        Raises:
            StoreError: it cannot be told.
            JournalError: it could not be written down.
        """
        sizes = {item: self.store.size(*item) for item in at_risk(self.timeline)}
        files = self.store.files()
        for track in self.timeline.tracks.values():
            named = {segment_file(number): number for number in track.segments.every_number}
            for name in sorted(named.keys() - files.get(track.id, set())):
                sizes[track.id, named[name]] = 0
        if lost := list(losses(self.timeline, sizes)):
            metrics.LOST_SEGMENTS.labels(self._channel).inc(len(lost))
            self.note(lost)
        return lost

    def missing_inits(self) -> list[str]:
        """The init sections, as `track/file`, that segments need and that are not there.

        Raises:
            StoreError: that cannot be told.
        """
        described = {
            (track.id, track.version)
            for period in self.timeline.periods
            for track in period.tracks.values()
            if self.timeline.tracks[track.id].segments.of_period(period.index)
        }
        return sorted(
            f"{track}/{InitName(version)}"
            for track, version in described
            if not self.store.has_init(track, version)
        )

    def end_open_segments(self, now: UtcMicros) -> None:
        """Whatever an earlier run left open is whole as it is."""
        ended = [
            SegmentEnded(track.id, track.open_number, now)
            for track in self.timeline.tracks.values()
            if track.open
        ]
        if ended:
            self.note(ended)

    def note(self, records: Sequence[Record]) -> None:
        """Write down `records`, whose media is stored.

        Raises:
            DiskError: it could not be written.
        """
        self._with_room(partial(self.journal.append, records))
        if not all(isinstance(record, ChunkAdded) for record in records):
            self._flush_journal()

    def _flush_journal(self) -> None:
        if self._flush is not None:
            self.journal.flush(self._flush)

    def _with_room(self, write: Callable[[], None]) -> None:
        """Do `write`; where the disk is full, with as much room as there can be made."""
        while True:
            try:
                return write()
            except DiskError as error:
                if not (error.full and self._make_room()):
                    raise

    def _make_room(self) -> bool:
        """Let a tenth of the retention go early, the oldest; whether there was any to go.

        Raises:
            DiskError: it could not be.
        """
        last = self.timeline.edge - STAY
        numbers = sorted({number for _, number in leaving(self.timeline, last)})
        if not self._makes_room or not numbers:
            return False
        self.evicted += self.trim(numbers[len(numbers) // 10] + 1)
        return True

    def trim(self, before: int) -> int:
        """Let go of the segments before this number; how many there were.

        Raises:
            JournalError: it could not be written down, and nothing has gone; or the journal
                could not be rewritten and goes on as it is.
            StoreError: a file could not be removed; all the others are.
        """
        failed: list[StoreError] = []
        if gone := leaving(self.timeline, before):
            # First nobody is told of them any more, then they go.
            self._note_trim(before)
            failed = [error for item in gone if (error := self._remove(*item)) is not None]
            self._hold_reserve()
        # Also where nothing goes for hours: a restart reads it all.
        self.journal.rewrite_if_worth_it()
        if failed:
            raise failed[0]
        return len(gone)

    def _hold_reserve(self) -> None:
        if self._makes_room:
            self.journal.hold_reserve()

    def _note_trim(self, before: int) -> None:
        try:
            self.journal.append([Trimmed(before)])
        except JournalError as error:
            if not error.full:
                raise
            self.journal.give_up_reserve()
            self.journal.append([Trimmed(before)])
        self._flush_journal()

    def _remove(self, track: str, number: int) -> StoreError | None:
        try:
            self.store.remove(track, number)
        except StoreError as error:
            return error
        return None

    def sweep(self) -> int:
        """Remove files that the timeline does not name; how many there were.

        They are what a crash left between storing and writing down, or between a trim's record
        and its removals.
        """
        named = {
            track.id: {segment_file(n) for n in [*track.segments.every_number, track.open_number]}
            for track in self.timeline.tracks.values()
        }
        strays = [
            self._folder / track / name
            for track, names in self.store.files().items()
            for name in names - named.get(track, set())
        ]
        for path in strays:
            path.unlink(missing_ok=True)
        return len(strays)
