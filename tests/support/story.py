"""A short journal with every kind of record, written and read back."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import msgspec

from packager.journal.format import VERSION, JournalReader, encode
from packager.layout import JOURNAL
from packager.runtime.storage.journal_writer import JournalWriter
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    EdgeSet,
    HighWaterMarks,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentEnded,
    SegmentLost,
    SourceEnded,
    TrackAdded,
    Trimmed,
)
from packager.timing.ticks import Ticks, UtcMicros
from tests.support.strategies import described

D = Fraction(48, 25)
ANCHOR = Anchor(Fraction(7, 3), UtcMicros(19_200_000), UtcMicros(19_200_009))


def chunk(track: str, number: int, index: int = 0) -> ChunkAdded:
    """A third of a segment."""
    third = 57_600 if track.startswith("v") else 30_720
    return ChunkAdded(
        track, number, Ticks((3 * number + index) * third), Ticks(third), 1000 + index
    )


def ended(track: str, number: int) -> SegmentEnded:
    return SegmentEnded(track, number, UtcMicros(1_920_000 * number))


HEADER = JournalHeader(VERSION, "tv", D)
STORY: list[Record] = [
    HEADER,
    PeriodStarted(0, 10, ANCHOR),
    TrackAdded(described("v0")),
    TrackAdded(described("a0")),
    chunk("v0", 10),
    chunk("a0", 10),
    ended("v0", 10),
    ended("a0", 10),
    HighWaterMarks("v0", 2_000_000, 9),
    EdgeSet(10),
    SegmentLost("a0", 10),
    chunk("v0", 11),
    chunk("v0", 11, 1),
    Trimmed(11),
    SourceEnded(UtcMicros(30_000_000), "a match"),
]
"""One record of every kind."""
NEXT = chunk("v0", 11, 2)
"""A record that can follow `STORY`."""


def lines(records: Iterable[Record]) -> bytes:
    return b"".join(map(encode, records))


def content(timeline: Timeline) -> bytes:
    """The content that a compacted journal keeps."""
    tracks = {
        name: (
            list(t.segments.rows()),
            t.longest,
            t.peak,
            (t.open_number, t.open_period) if t.open else 0,
            t.open,
            t.last_lost,
        )
        for name, t in timeline.tracks.items()
    }
    whole = (
        timeline.channel,
        timeline.grid.duration,
        timeline.periods,
        tracks,
        timeline.edge,
        timeline.trimmed,
        timeline.ended,
        timeline.ended_source,
    )
    return msgspec.json.encode(whole, enc_hook=str)


def read(folder: Path) -> list[Record]:
    """The records of an undamaged journal."""
    data = (folder / JOURNAL).read_bytes()
    reader = JournalReader()
    records = list(reader.feed(data))
    assert (reader.offset, reader.damaged) == (len(data), False)
    return records


def opened(folder: Path) -> JournalWriter:
    return JournalWriter(folder, "tv", D)


def write_story(folder: Path, records: Iterable[Record] = STORY) -> Path:
    """Write a journal of `records`; its path."""
    path = folder / JOURNAL
    path.write_bytes(lines(records))
    return path
