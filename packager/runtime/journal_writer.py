"""The writing end of a channel's journal."""

import os
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from packager.errors import JournalError
from packager.journal import MAX_LINE, VERSION, Reader, encode
from packager.layout import JOURNAL
from packager.records import Header, Record
from packager.timeline import Timeline, apply, records_of

_REWRITE_ABOVE = 1 << 20
"""Bytes below which a journal is never rewritten."""


class JournalWriter:
    """Appends records; holds the timeline that they fold to."""

    def __init__(self, folder: Path, channel: str, segment_duration: Fraction) -> None:
        """Open the journal in `folder`, cut off a torn end, make it where there is none.

        Raises:
            JournalError: it cannot be read or written, or is of another grid.
        """
        self._path = folder / JOURNAL
        self.timeline = Timeline()
        self.cut_off = 0
        """Bytes of a torn or damaged end that were dropped on opening."""
        self._size = 0
        self._worth = 0
        """Bytes of the journal that a rewrite would keep."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise _failed(self._path, error) from error
        try:
            self._begin(channel, segment_duration)
        except JournalError:
            self.close()
            raise

    def _begin(self, channel: str, segment_duration: Fraction) -> None:
        try:
            self._read()
        except OSError as error:
            raise _failed(self._path, error) from error
        if not self.timeline.channel:
            self.append([Header(VERSION, channel, segment_duration)])
        if self.timeline.grid.duration != segment_duration:
            msg = (
                f"{self._path}: its segments last {self.timeline.grid.duration} s, the "
                f"configuration says {segment_duration} s: give the channel another name or "
                "remove its folder"
            )
            raise JournalError(msg)

    def _read(self) -> None:
        data = self._path.read_bytes()
        reader = Reader()
        count = 0
        try:
            for record in reader.feed(data):
                self.timeline = apply(self.timeline, record)
                self._size = reader.offset
                count += 1
        except JournalError as error:
            if not count:
                raise JournalError(f"{self._path}: {error}") from error
        self.cut_off = len(data) - self._size
        if self.cut_off:
            os.ftruncate(self._descriptor, self._size)
        self._worth = self._size * _count(self.timeline) // max(1, count)

    def append(self, records: Sequence[Record]) -> None:
        """Write records down, all with one call.

        Raises:
            JournalError: they could not be written whole; none of them counts then.
        """
        after = self.timeline
        for record in records:
            after = apply(after, record)
        lines = [encode(record) for record in records]
        if any(len(line) > MAX_LINE for line in lines):
            raise JournalError(f"{self._path}: a record of more than {MAX_LINE} bytes")
        data = b"".join(lines)
        try:
            written = os.write(self._descriptor, data)
            if written != len(data):
                os.ftruncate(self._descriptor, self._size)
        except OSError as error:
            raise _failed(self._path, error) from error
        if written != len(data):
            raise JournalError(f"{self._path}: only {written} of {len(data)} bytes written")
        self._size += written
        self.timeline = after

    def rewrite_if_worth_it(self) -> None:
        """Replace the journal by one without what is trimmed, once that is the larger part.

        Readers see either file whole: the new one takes the old one's name.

        Raises:
            JournalError: the new file could not be written; the old one goes on.
        """
        if self._size < max(_REWRITE_ABOVE, 2 * self._worth):
            return
        fresh = self._path.with_suffix(".rewritten")
        data = b"".join(encode(record) for record in records_of(self.timeline, VERSION))
        try:
            fresh.write_bytes(data)
            descriptor = os.open(fresh, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
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
        self._size = self._worth = len(data)

    def close(self) -> None:
        """Nothing more will be appended."""
        os.close(self._descriptor)


def _count(timeline: Timeline) -> int:
    """Records that a rewritten journal would have, but for a few."""
    tracks = timeline.tracks.values()
    return sum(len(segment.chunks) + 1 for track in tracks for segment in track.segments)


def _failed(path: Path, error: OSError) -> JournalError:
    return JournalError(f"{path}: {error.strerror}")
