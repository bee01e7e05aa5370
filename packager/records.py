"""What can happen to a channel: the closed union of journal records.

A timeline is the fold of these. Every time is in ticks of the named track's timescale since the
Unix epoch, every wall-clock instant in microseconds since then. On disk a record is one line (see
`packager.journal`); a struct's tag and field order are that format: add at the end, never reorder.
"""

from fractions import Fraction

import msgspec

from packager.columns import Packed
from packager.ticks import Ticks, UtcMicros
from packager.track import Track


class _Record(msgspec.Struct, frozen=True, array_like=True):
    """Base of all records: compact arrays on disk."""


class Header(_Record, frozen=True, tag="header"):
    """The first record of every journal."""

    version: int
    """Of the journal format."""
    channel: str
    segment_duration: Fraction
    """Seconds; the channel's UTC grid."""


class Anchor(msgspec.Struct, frozen=True, array_like=True):
    """Where media time and wall time meet: source time `source` is the UTC instant `utc`."""

    source: Fraction
    """Seconds on the source's own clock."""
    utc: UtcMicros
    """The UTC instant that it is mapped to: a boundary of the grid."""
    seen: UtcMicros
    """When the packager held the first bytes of it: `seen - utc` is how far media trails."""


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """Where the numbers of a period go on after some were left out."""

    number: int
    """The first segment."""
    begin: Fraction
    """Seconds since the Unix epoch at which it starts."""


class PeriodStarted(_Record, frozen=True, tag="period"):
    """An unbroken stretch of the timeline begins."""

    index: int
    """Counts on for ever from 0: also the HLS discontinuity sequence."""
    number: int
    """Its first segment."""
    anchor: Anchor
    stretches: tuple[Stretch, ...] = ()
    """In a rewritten journal: what is known of holes whose other side has been trimmed too."""
    filler: bool = False
    """It has nobody's feed, but what is sent while there is none."""
    part: int = 0
    """Microseconds that no chunk is longer than; 0 where they are not served one by one."""


class Parted(_Record, frozen=True, tag="parted"):
    """In a rewritten journal: stretches of the current period that its record has no room for."""

    stretches: tuple[Stretch, ...]


class TrackAdded(_Record, frozen=True, tag="track"):
    """The current period has this track; the same id again replaces its description."""

    track: Track


class ChunkAdded(_Record, frozen=True, tag="c"):
    """A chunk is in the media store."""

    track: str
    number: int
    """Of its segment."""
    start: Ticks
    """Decode time of its first sample: also its presentation time at a segment's start."""
    duration: Ticks
    size: int
    """Bytes, appended to those of the segment so far."""


class SegmentEnded(_Record, frozen=True, tag="s"):
    """The segment that the track's last chunks belong to is whole."""

    track: str
    number: int
    at: UtcMicros
    """When: the Last-Modified of the segment."""


class Bundle(_Record, frozen=True, tag="b"):
    """Whole segments of a track: what a rewritten journal has in place of their chunks and ends."""

    track: str
    period: int
    """Index of their period."""
    segments: Packed


class EventSet(_Record, frozen=True, tag="event"):
    """A named stretch of the timeline; the same name again replaces what was said of it."""

    name: str
    start: UtcMicros
    end: UtcMicros | None = None
    """None while it is not known."""
    pinned: bool = False
    """Whether its segments stay when the retention has passed them."""
    schedule: str = ""
    """Tells what the schedule says of it from what it may say another time; empty where it is
    somebody's order."""


class EventRemoved(_Record, frozen=True, tag="noevent"):
    """There is no event of this name any more."""

    name: str
    schedule: str = ""
    """In a rewritten journal: what the schedule had said of it."""


class Trimmed(_Record, frozen=True, tag="trim"):
    """Segments before `number` have left the retention, but for those of pinned events."""

    number: int


class Ended(_Record, frozen=True, tag="end"):
    """The source is over: nothing follows unless a new period starts."""

    at: UtcMicros
    source: str = ""
    """Tells it from another one, so that it is not played again; empty where nobody asks."""


class Carried(_Record, frozen=True, tag="carried"):
    """What a rewritten journal keeps of the segments it no longer names."""

    track: str
    longest: int
    """Microseconds of the longest segment ever: a target duration never shrinks, whatever becomes
    of the track's timescale."""
    peak: int
    """The highest bit/s of any segment: a BANDWIDTH never shrinks."""


class Listed(_Record, frozen=True, tag="listed"):
    """What a rewritten journal says of the live edge: it depends on what has been trimmed too."""

    number: int
    """The newest segment that the manifests list; -1 where there is none."""
    of: str = ""
    """The place in the journal before up to which all is said here (see `packager.journal`)."""


class Lost(_Record, frozen=True, tag="lost"):
    """The store no longer has what was named of a segment, whose number never comes again.

    Of one that is gone already it says only that.
    """

    track: str
    number: int
    chunks: int = 0
    """How many of its first are left: of an open segment. One that was whole goes as a whole."""


Record = (
    Header
    | PeriodStarted
    | TrackAdded
    | ChunkAdded
    | SegmentEnded
    | Bundle
    | EventSet
    | EventRemoved
    | Trimmed
    | Ended
    | Carried
    | Listed
    | Parted
    | Lost
)
