"""The actions of a segmenter, a closed union: the publisher performs them in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

from packager.cmaf.boxes import Buffer
from packager.timeline.records import ChunkAdded, Record


@dataclass(frozen=True, slots=True)
class StoreChunk:
    """Append `parts` to a segment, then write `record` to the journal."""

    record: ChunkAdded
    parts: Sequence[Buffer]


@dataclass(frozen=True, slots=True)
class StoreInit:
    """Store a version of a track's init section, unless the version is stored already."""

    track: str
    version: str
    data: bytes


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Write `record` to the journal."""

    record: Record


@dataclass(frozen=True, slots=True)
class EndPeriod:
    """Report the end of a period."""

    reason: str


Action = StoreChunk | StoreInit | WriteRecord | EndPeriod
