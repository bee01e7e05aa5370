"""What the segmenter wants done, in this order: the closed union of its actions."""

from collections.abc import Sequence
from dataclasses import dataclass

from packager.cmaf.boxes import Buffer
from packager.records import ChunkAdded, Record


@dataclass(frozen=True, slots=True)
class Store:
    """Append `parts` to a segment, then write `record` down."""

    record: ChunkAdded
    parts: Sequence[Buffer]


@dataclass(frozen=True, slots=True)
class StoreInit:
    """Store the init section of a track in a version; one that is there already stays."""

    track: str
    version: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """Write `record` down."""

    record: Record


@dataclass(frozen=True, slots=True)
class Broken:
    """The period is over, for this reason."""

    reason: str


Action = Store | StoreInit | Note | Broken
