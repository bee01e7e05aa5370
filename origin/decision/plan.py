"""Plans: the decided response to a request, carried out by the responder."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction

from origin.urls.request import Manifest
from packager.layout import InitName, SegmentName
from packager.manifest.window import Window
from packager.timeline.segment_table import Segment
from packager.timing.ticks import UtcMicros
from packager.track import Track, TrackKind


class Freshness(Enum):
    """How long a response stays valid; `origin.http.cache_policy` has the seconds."""

    FOREVER = auto()
    MOVED = auto()
    LIVE_MANIFEST = auto()
    RELOADED = auto()
    """A live manifest whose URL names a segment or part that it contains."""
    ENDED_MANIFEST = auto()
    NEVER = auto()
    SOON = auto()
    """Not there yet."""
    HOLE = auto()
    GONE = auto()
    """Left the retention."""
    UNKNOWN = auto()
    """Unknown name."""
    UNAVAILABLE = auto()
    BAD = auto()
    CONDITION = auto()
    """Depends on a condition, a range or a secret, which is in no cache key."""


@dataclass(frozen=True, slots=True)
class ServeManifest:
    """Render a manifest of `window`."""

    request: Manifest
    window: Window
    late: bool = False
    """It begins later than requested, because earlier media has left the retention."""
    lasts: Fraction | None = None
    """Seconds for which all listed media is kept at least; None without a known end."""
    before: Window | None = None
    """The window that a patch updates; None if a patch is impossible."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirect to another URL."""

    location: str
    """Path."""
    freshness: Freshness = Freshness.MOVED


@dataclass(frozen=True, slots=True)
class ServeInit:
    """Send an init section."""

    channel: str
    track: Track
    file: InitName
    modified: UtcMicros


@dataclass(frozen=True, slots=True)
class ServeMedia:
    """Send bytes of a stored segment."""

    channel: str
    track: str
    file: SegmentName
    kind: TrackKind
    offset: int
    size: int
    """Bytes."""
    etag: str
    modified: UtcMicros


@dataclass(frozen=True, slots=True)
class ServeGrowing:
    """Send a growing segment, chunk by chunk."""

    channel: str
    track: str
    file: SegmentName
    kind: TrackKind
    whole: "Wait"
    """The plan for clients that need a length. It also limits the wait for the next chunk."""


@dataclass(frozen=True, slots=True)
class ServeFragment:
    """Make a Smooth fragment of a segment and send it."""

    channel: str
    track: Track
    """As it was in the segment's period."""
    segment: Segment
    following: Sequence[tuple[int, int]]
    """Start and duration of the following fragments, in Smooth's ticks; empty at an end."""
    final: bool = False
    """It is the last fragment of the stream."""


@dataclass(frozen=True, slots=True)
class ServeTime:
    """Send the origin's clock."""

    now: UtcMicros


@dataclass(frozen=True, slots=True)
class ServeHealth:
    """Send 200 for the health check."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Decide again when the timeline has grown; after `at_most`, use `otherwise`."""

    at_most: Fraction
    """Seconds."""
    otherwise: "Refuse"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Send an error."""

    status: int
    reason: str
    """One plain line."""
    freshness: Freshness
    retry_after: int = 0
    """Seconds; 0 omits the header."""


Plan = (
    ServeManifest
    | ServeInit
    | ServeMedia
    | ServeGrowing
    | ServeFragment
    | ServeTime
    | ServeHealth
    | Redirect
    | Wait
    | Refuse
)
