"""The journal records of a channel, a closed union.

A timeline is the fold of these. Every media time is in ticks of the named track's timescale since
the Unix epoch, every wall-clock instant in microseconds since then. On disk a record is one line
(see `packager.journal.format`). A struct's tag and field order are that format: add fields at the
end, and never reorder them.
"""

from fractions import Fraction

import msgspec

from packager.timeline.segment_table import PackedSegments
from packager.timing.ticks import Ticks, UtcMicros
from packager.track import Track


class _Record(msgspec.Struct, frozen=True, array_like=True):
    """Base of all records: compact arrays on disk."""


class JournalHeader(_Record, frozen=True, tag="header"):
    """The first record of every journal."""

    version: int
    """Version of the journal format."""
    channel: str
    segment_duration: Fraction
    """Seconds; the channel's UTC grid."""


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """The relation of media time to wall time: source time `source` is the UTC instant `utc`."""

    source: Fraction
    """Seconds on the source's own clock."""
    utc: UtcMicros
    """The UTC instant that `source` is mapped to: a boundary of the grid."""
    seen: UtcMicros
    """Arrival of the first bytes: `seen - utc` is the lag of the media behind the wall clock."""


class Continuation(msgspec.Struct, frozen=True, array_like=True):
    """The point where the segment numbers of a period continue after a gap."""

    number: int
    """Number of the first segment."""
    begin: Fraction
    """Its start, in seconds since the Unix epoch."""


class PeriodStarted(_Record, frozen=True, tag="period"):
    """The start of a period: an unbroken stretch of the timeline."""

    index: int
    """Counted from 0 over the life of the channel: also the HLS discontinuity sequence."""
    number: int
    """Number of its first segment."""
    anchor: Anchor
    continuations: tuple[Continuation, ...] = ()
    """In a compacted journal: continuations after gaps whose segments have been trimmed."""
    filler: bool = False
    """Whether its media is the filler that replaces a missing feed."""
    part: int = 0
    """Maximum duration of a chunk in microseconds; 0 if chunks are not served as parts."""


class ContinuationsAdded(_Record, frozen=True, tag="parted"):
    """In a compacted journal: continuations of the current period beyond those of its record."""

    continuations: tuple[Continuation, ...]


class TrackAdded(_Record, frozen=True, tag="track"):
    """A track of the current period; the same id again replaces its description."""

    track: Track


class ChunkAdded(_Record, frozen=True, tag="c"):
    """A chunk that is in the media store."""

    track: str
    number: int
    """Number of its segment."""
    start: Ticks
    """Decode time of its first sample: also its presentation time, at the start of a segment."""
    duration: Ticks
    size: int
    """Bytes; they follow those of the segment's chunks before."""


class SegmentEnded(_Record, frozen=True, tag="s"):
    """The completion of the segment that the track's last chunks belong to."""

    track: str
    number: int
    at: UtcMicros
    """Instant of completion: the segment's Last-Modified."""


class SegmentBundle(_Record, frozen=True, tag="b"):
    """Complete segments of a track: a compacted journal has these in place of chunks and ends."""

    track: str
    period: int
    """Index of their period."""
    segments: PackedSegments


class EventSet(_Record, frozen=True, tag="event"):
    """A named stretch of the timeline; the same name again replaces the event."""

    name: str
    start: UtcMicros
    end: UtcMicros | None = None
    """None while the end is not known."""
    pinned: bool = False
    """Whether its segments are kept beyond the retention."""
    schedule: str = ""
    """Digest of the schedule's entry that set it; empty if an operator set it."""


class EventRemoved(_Record, frozen=True, tag="noevent"):
    """The removal of an event."""

    name: str
    schedule: str = ""
    """In a compacted journal: digest of the schedule's entry for it."""


class Trimmed(_Record, frozen=True, tag="trim"):
    """Segments before `number` have left the retention, except for those of pinned events."""

    number: int


class SourceEnded(_Record, frozen=True, tag="end"):
    """The end of the source: no media follows unless a new period starts."""

    at: UtcMicros
    source: str = ""
    """Identity of the source, so that it is not played again; empty if it may be."""


class HighWaterMarks(_Record, frozen=True, tag="carried"):
    """In a compacted journal: the maxima over segments that it does not name."""

    track: str
    longest: int
    """Duration of the longest segment ever, in microseconds: a target duration never shrinks, even
    if the track's timescale changes."""
    peak: int
    """Highest bit/s of any segment: a BANDWIDTH never shrinks."""


class EdgeSet(_Record, frozen=True, tag="listed"):
    """In a compacted journal: the live edge, which depends on trimmed segments too."""

    number: int
    """Number of the newest segment that manifests list; -1 before the first."""
    of: str = ""
    """The place in the journal before compaction that this journal covers up to (see
    `packager.journal.format.place_of`)."""


class SegmentLost(_Record, frozen=True, tag="lost"):
    """The loss of stored media of a segment, whose number is never used again.

    For a segment that was trimmed it only marks the number as used.
    """

    track: str
    number: int
    chunks: int = 0
    """Count of the first chunks that are left of an open segment; 0 if none is left."""


Record = (
    JournalHeader
    | PeriodStarted
    | TrackAdded
    | ChunkAdded
    | SegmentEnded
    | SegmentBundle
    | EventSet
    | EventRemoved
    | Trimmed
    | SourceEnded
    | HighWaterMarks
    | EdgeSet
    | ContinuationsAdded
    | SegmentLost
)
