"""A channel that has run for hours, as it lies on the disk."""

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

from packager.journal.format import VERSION, encode
from packager.layout import JOURNAL, InitName, SegmentName
from packager.timeline.records import (
    Anchor,
    EdgeSet,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentBundle,
    TrackAdded,
)
from packager.timeline.segment_table import PackedSegments
from packager.timing.grid import Grid
from packager.timing.ticks import UtcMicros
from packager.track import Track
from tests.support.channel import Script
from tests.support.strategies import described, init_data

GRID = Grid(Fraction(2))
TRACKS = tuple(described(name) for name in ("v0", "v1", "v2", "v3", "v4", "a0"))
CHUNKS = 4
"""Chunks of a segment."""
SIZE = 1000
"""Bytes of a chunk."""
_APPENDED = 1 << 20
"""Most bytes appended to a journal since its compaction."""
_AT_RISK = 200
"""The number of newest segments of a track whose files have the length in the journal."""


def lay(folder: Path, name: str, hours: int, now: UtcMicros) -> int:
    """Write a channel that has run until `now` into `folder`; the number of its first segment."""
    last = GRID.number_at_micros(now) - 1
    first = last - round(hours * 3600 / GRID.duration) + 1
    folder.mkdir(parents=True)
    appended = _APPENDED // sum(len(encode(record)) for record in _published(last))
    with (folder / JOURNAL).open("wb") as journal:
        for record in [JournalHeader(VERSION, name, GRID.duration), *_begun(first)]:
            journal.write(encode(record))
        for track in TRACKS:
            for record in _bundles(track, range(first, last - appended + 1)):
                journal.write(encode(record))
        journal.write(encode(EdgeSet(last - appended)))
        for number in range(last - appended + 1, last + 1):
            journal.writelines(map(encode, _published(number)))
    for track in TRACKS:
        _lay_files(folder / track.id, range(first, last + 1), track)
    return first


def _begun(first: int) -> Iterator[Record]:
    begin = GRID.micros(first)
    yield PeriodStarted(0, first, Anchor(Fraction(0), begin, begin))
    yield from map(TrackAdded, TRACKS)


def _bundles(track: Track, numbers: range) -> Iterator[SegmentBundle]:
    step = 250
    length = int(GRID.duration * track.timescale) // CHUNKS
    for at in range(0, len(numbers), step):
        some = numbers[at : at + step]
        chunks = CHUNKS * len(some)
        packed = PackedSegments(
            number=some[0],
            steps=[1] * (len(some) - 1),
            published=[GRID.micros(number + 1) for number in some],
            counts=[CHUNKS] * len(some),
            start=GRID.boundary(some[0], track.timescale),
            gaps=[0] * (chunks - 1),
            durations=[length] * chunks,
            sizes=[SIZE] * chunks,
        )
        yield SegmentBundle(track.id, 0, packed)


def _published(number: int) -> Iterator[Record]:
    script = Script(GRID)
    for track in TRACKS:
        for index in range(CHUNKS):
            yield script.chunk(track, number, index, CHUNKS, SIZE)
        yield script.end(track.id, number)


def _lay_files(folder: Path, numbers: range, track: Track) -> None:
    folder.mkdir()
    (folder / str(InitName(track.version))).write_bytes(init_data(0))
    at_risk = {numbers[0], *islice(reversed(numbers), _AT_RISK)}
    empty = folder / "empty"
    empty.touch()
    for number in numbers:
        path = f"{folder}/{SegmentName(number)}"
        if number in at_risk:
            Path(path).write_bytes(bytes(CHUNKS * SIZE))
        else:
            # Hard links are the fastest way to make so many files.
            os.link(empty, path)
