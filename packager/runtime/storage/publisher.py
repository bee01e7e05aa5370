"""Carries out the segmenter's actions: bytes first, the record second."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packager.errors import DiskError, JournalError, StoreError
from packager.journal.missing_media import at_risk, losses
from packager.layout import InitName, segment_file
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.media_store import MediaStore
from packager.runtime.telemetry import metrics
from packager.segmenter.actions import Action, EndPeriod, StoreChunk, StoreInit, WriteRecord
from packager.timeline.health import is_late
from packager.timeline.model import Timeline, leaving
from packager.timeline.records import (
    ChunkAdded,
    PeriodStarted,
    Record,
    SegmentEnded,
    SegmentLost,
    Trimmed,
)
from packager.timeline.retention import STAY
from packager.timing.ticks import UtcMicros


@dataclass(slots=True)
class _TrackCounters:
    """Published media of a track; adding it up here costs less than a metric for each chunk."""

    chunks: int = 0
    size: int = 0
    """Bytes."""


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

        `makes_room` removes the oldest segments when the disk is full, except the newest few.
        `flush` gets the descriptors of files to flush to the disk, and closes them; with None the
        kernel flushes.
        """
        self._channel = channel
        self._folder = folder
        self.journal = journal
        self.store = MediaStore(folder, flush or os.close)
        self._flush = flush
        self.evicted = 0
        """Segments removed because the disk was full."""
        self._makes_room = makes_room
        self._counters: dict[str, _TrackCounters] = {}
        self._hold_reserve()

    @property
    def timeline(self) -> Timeline:
        """The published timeline."""
        return self.journal.timeline

    def publish(self, actions: Iterable[Action]) -> list[EndPeriod]:
        """Store media, then write records; returns the ends of periods among `actions`.

        Raises:
            StoreError: media could not be stored; the actions before it are published.
            JournalError: records could not be written.
        """
        records: list[Record] = []
        ends: list[EndPeriod] = []
        try:
            for action in actions:
                match action:
                    case StoreChunk(record, parts):
                        self._with_room(
                            partial(self.store.append, record.track, record.number, parts)
                        )
                        counters = self._counters.setdefault(record.track, _TrackCounters())
                        counters.chunks += 1
                        counters.size += record.size
                        records.append(record)
                    case StoreInit(track, version, data):
                        self._with_room(partial(self.store.write_init, track, version, data))
                    case WriteRecord(record):
                        if isinstance(record, SegmentEnded):
                            self.store.close(record.track)
                            metrics.SEGMENTS.labels(self._channel, record.track).inc()
                        elif isinstance(record, PeriodStarted):
                            metrics.PERIODS.labels(self._channel).inc()
                        records.append(record)
                    case EndPeriod():
                        ends.append(action)
        finally:
            if records:
                self._write_records(records)
        return ends

    def _write_records(self, records: list[Record]) -> None:
        try:
            self.note(records)
        except JournalError:
            for track in {r.track for r in records if isinstance(r, ChunkAdded)}:
                self._resume_after_records(track)
            raise
        self._count_late([record for record in records if isinstance(record, SegmentEnded)])

    def _count_late(self, ended: Iterable[SegmentEnded]) -> None:
        for record in ended:
            segment = self.timeline.tracks[record.track].segments.numbered(record.number)
            if segment is not None and is_late(self.timeline, record.track, segment):
                metrics.LATE_SEGMENTS.labels(self._channel).inc()

    def _resume_after_records(self, track: str) -> None:
        """Drop unrecorded bytes: the next chunk must begin right after the recorded ones."""
        known = self.timeline.tracks.get(track)
        if known is not None and known.open:
            size = known.open[-1].offset + known.open[-1].size
            self.store.resume(track, known.open_number, size)
        else:
            self.store.close(track)

    def count(self) -> None:
        """Add the media published since the last call to the metrics."""
        for track, counters in self._counters.items():
            metrics.CHUNKS.labels(self._channel, track).inc(counters.chunks)
            metrics.MEDIA_BYTES.labels(self._channel, track).inc(counters.size)
        self._counters = {}

    def record_losses(self) -> list[SegmentLost]:
        """Write a record for each segment that a power loss has taken; returns the records.

        A power loss can take the newest segments, or the ends of them, and the record of a trim.

        Raises:
            StoreError: the store cannot be read.
            JournalError: the records could not be written.
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
        """The init sections, as `track/file`, that segments need and the store lacks.

        Raises:
            StoreError: the store cannot be read.
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
        """End the segments that an earlier run left open: each is complete as it is."""
        ended = [
            SegmentEnded(track.id, track.open_number, now)
            for track in self.timeline.tracks.values()
            if track.open
        ]
        if ended:
            self.note(ended)

    def note(self, records: Sequence[Record]) -> None:
        """Write `records`, whose media is stored.

        Raises:
            DiskError: they could not be written.
        """
        self._with_room(partial(self.journal.append, records))
        if not all(isinstance(record, ChunkAdded) for record in records):
            self._flush_journal()

    def _flush_journal(self) -> None:
        if self._flush is not None:
            self.journal.flush(self._flush)

    def _with_room(self, write: Callable[[], None]) -> None:
        """Call `write`, again after each time that room was made on a full disk."""
        while True:
            try:
                return write()
            except DiskError as error:
                if not (error.full and self._make_room()):
                    raise

    def _make_room(self) -> bool:
        """Remove the oldest tenth of the retention early; False if nothing may be removed.

        Raises:
            DiskError: the removal failed.
        """
        last = self.timeline.edge - STAY
        numbers = sorted({number for _, number in leaving(self.timeline, last)})
        if not self._makes_room or not numbers:
            return False
        self.evicted += self.trim(numbers[len(numbers) // 10] + 1)
        return True

    def trim(self, before: int) -> int:
        """Remove the segments before this number; returns how many there were.

        Raises:
            JournalError: the record could not be written, and nothing is removed; or the journal
                could not be rewritten, and stays as it is.
            StoreError: a file could not be removed; all the others are.
        """
        failed: list[StoreError] = []
        if gone := leaving(self.timeline, before):
            # The record first: no manifest may name a file that is removed.
            self._note_trim(before)
            failed = [error for item in gone if (error := self._remove(*item)) is not None]
            self._hold_reserve()
        # Even if nothing was removed for hours: a restart reads the whole journal.
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
        """Remove files that the timeline does not name; returns how many there were.

        A crash leaves them between storing media and writing its record, or between a trim's
        record and the removals.
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
