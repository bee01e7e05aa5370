"""Writes a channel's journal."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from packager.errors import JournalError
from packager.journal.compaction import records_of
from packager.journal.format import MAX_LINE, TAIL, VERSION, JournalReader, encode, place_of
from packager.journal.recovery import new_start, records_behind
from packager.layout import JOURNAL
from packager.runtime.storage.disk import append_whole, sync_folder
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import EdgeSet, JournalHeader, Record

_REWRITE_AFTER = 1 << 20
"""Bytes appended, at least, before a journal is rewritten."""
_RESERVE = 1 << 16
"""Bytes: far more than the record of a trim has."""
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC


class JournalWriter:
    """Appends records, and has the timeline that they give."""

    def __init__(self, folder: Path, channel: str, segment_duration: Fraction) -> None:
        """Open the journal in `folder`, make it if it is missing, cut off a torn last record.

        Raises:
            JournalError: it cannot be read or written, or has another segment duration.
        """
        self._path = folder / JOURNAL
        self.timeline = Timeline()
        self.cut_off = 0
        """Bytes of a torn or damaged end that were dropped when it was opened."""
        self.set_aside: Path | None = None
        """The file with the damaged journal; None if it was not damaged."""
        self.damaged = self._path.with_suffix(".damaged")
        """Where a damaged journal stays until an operator removes it."""
        self._reserve = self._path.with_suffix(".reserve")
        self._size = 0
        self._version = VERSION
        self._rewritten = 0
        """Size of the journal after the last rewrite, in bytes."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, _FLAGS | os.O_CREAT, 0o644)
        except OSError as error:
            raise _failed(self._path, error) from error
        try:
            self._begin(channel, segment_duration)
        except JournalError:
            self.close()
            raise

    def _begin(self, channel: str, segment_duration: Fraction) -> None:
        header = JournalHeader(VERSION, channel, segment_duration)
        try:
            data = self._path.read_bytes()
            self._fold(data)
            rest = data[self._size :]
            self.cut_off = len(rest)
            if lost := records_behind(rest):
                self._set_aside(list(new_start(self.timeline, header, lost)))
            elif rest:
                os.ftruncate(self._descriptor, self._size)
            if self._version < VERSION:
                # New records are of this version.
                self._replace(records_of(self.timeline, VERSION))
        except OSError as error:
            raise _failed(self._path, error) from error
        if not self.timeline.channel:
            self.append([header])
        if self.timeline.grid.duration != segment_duration:
            msg = (
                f"{self._path}: its segments last {self.timeline.grid.duration} s, but the "
                f"configuration has {segment_duration} s: give the channel another name or "
                "remove its folder"
            )
            raise JournalError(msg)

    def _fold(self, data: bytes) -> None:
        reader = JournalReader()
        try:
            for record in reader.feed(data):
                self.timeline = apply(self.timeline, record)
                self._size = reader.offset
                if isinstance(record, EdgeSet):
                    self._rewritten = self._size
            self._version = reader.version
        except JournalError as error:
            if not self._size:
                raise JournalError(f"{self._path}: {error}") from error

    def _set_aside(self, records: Sequence[Record]) -> None:
        """Keep the damaged journal under another name; continue with `records` in a new file.

        Readers find that the file was replaced.
        """
        self.set_aside = self.damaged
        self.set_aside.unlink(missing_ok=True)
        self.set_aside.hardlink_to(self._path)
        self._replace(records)
        self.timeline = fold(records)

    def append(self, records: Sequence[Record]) -> None:
        """Write records, all with one call.

        Raises:
            JournalError: they could not be written completely; then none of them counts.
        """
        after = fold(records, self.timeline)
        lines = [encode(record) for record in records]
        _check(lines, self._path)
        try:
            self._size += append_whole(self._descriptor, [b"".join(lines)])
        except OSError as error:
            raise _failed(self._path, error) from error
        self.timeline = after

    def flush(self, settle: Callable[[int], None]) -> None:
        """Call `settle` with a descriptor of the journal, to flush and to close it."""
        with suppress(OSError):  # too many files are open: the kernel flushes it later
            settle(os.dup(self._descriptor))

    def hold_reserve(self) -> None:
        """Reserve room on the disk, if there is any, for records of the time when it is full."""
        with suppress(OSError):
            if not self._reserve.exists():
                self._reserve.write_bytes(bytes(_RESERVE))

    def give_up_reserve(self) -> None:
        """Free the reserve, to write to the journal of a full disk."""
        with suppress(OSError):
            self._reserve.unlink()

    def check_in_place(self) -> None:
        """See that readers find this file under its name, with the size that was written.

        Raises:
            JournalError: another program has removed, replaced, cut or lengthened it.
        """
        try:
            found = self._path.stat()
        except OSError as error:
            raise _failed(self._path, error) from error
        if not os.path.samestat(found, os.fstat(self._descriptor)):
            raise JournalError(f"{self._path}: replaced while in use")
        if found.st_size != self._size:
            raise JournalError(f"{self._path}: {found.st_size} bytes, {self._size} were written")

    def rewrite_if_worth_it(self) -> None:
        """Replace the journal by the shortest with the same timeline, once it has grown enough.

        That bounds both its size and the time to read it. Readers see one complete file or the
        other: the new one takes the old one's name.

        Raises:
            JournalError: the new file could not be written; the old one is used further.
        """
        if self._size - self._rewritten < max(_REWRITE_AFTER, self._rewritten // 4):
            return
        try:
            tail = os.pread(self._descriptor, TAIL, max(0, self._size - TAIL))
        except OSError as error:
            raise _failed(self._path, error) from error
        self._replace(records_of(self.timeline, VERSION, place_of(tail, self._size)))

    def _replace(self, records: Iterable[Record]) -> None:
        fresh = self._path.with_suffix(".rewritten")
        lines = list(map(encode, records))
        _check(lines, fresh)
        data = b"".join(lines)
        try:
            fresh.write_bytes(data)
            descriptor = os.open(fresh, _FLAGS)
            try:
                os.fsync(descriptor)
                fresh.replace(self._path)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise _failed(fresh, error) from error
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._size = self._rewritten = len(data)
        with suppress(OSError):  # after a power loss, one of the two files has the name
            sync_folder(self._path.parent)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def _check(lines: Iterable[bytes], path: Path) -> None:
    if any(len(line) > MAX_LINE for line in lines):
        raise JournalError(f"{path}: a record of more than {MAX_LINE} bytes")


def _failed(path: Path, error: OSError) -> JournalError:
    return JournalError(f"{path}: {error.strerror}", error)
