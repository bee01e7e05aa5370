"""What to do about a request: decided first, done afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction

from origin.request import Manifest
from packager.columns import Segment
from packager.layout import InitName, SegmentName
from packager.ticks import UtcMicros
from packager.track import Track, TrackKind
from packager.window import Window


class Freshness(Enum):
    """How long an answer stays right; `origin.caching` has the seconds."""

    FOREVER = auto()
    MOVED = auto()
    LIVE_MANIFEST = auto()
    RELOADED = auto()
    """A live manifest with what its address says that it has."""
    ENDED_MANIFEST = auto()
    NEVER = auto()
    SOON = auto()
    """Not there yet."""
    HOLE = auto()
    GONE = auto()
    """Left the retention."""
    UNKNOWN = auto()
    """Nothing of that name."""
    UNAVAILABLE = auto()
    BAD = auto()
    CONDITION = auto()
    """Answered so for a condition, a range or a secret, which no CDN's key has in it."""


@dataclass(frozen=True, slots=True)
class ServeManifest:
    """Render a manifest of `window`."""

    request: Manifest
    window: Window
    late: bool = False
    """It begins later than was asked for, since what was before has left the retention."""
    lasts: Fraction | None = None
    """Seconds that all it names stays at least; None where nothing is known to end it."""
    before: Window | None = None
    """What a patch goes on from; None where nothing can."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer with where it is."""

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
    """Send a segment that is being written, as it comes."""

    channel: str
    track: str
    file: SegmentName
    kind: TrackKind
    whole: "Wait"
    """For those who cannot be sent what has no length yet. Nobody waits longer for more of it."""


@dataclass(frozen=True, slots=True)
class ServeFragment:
    """Make a Smooth fragment of a segment and send it."""

    channel: str
    track: Track
    """As it was in the segment's period."""
    segment: Segment
    following: Sequence[tuple[int, int]]
    """Start and duration, on Smooth's clock, of the fragments after it; none at an end."""
    final: bool = False
    """It is the last, and no other is to come."""


@dataclass(frozen=True, slots=True)
class ServeTime:
    """Tell the time."""

    now: UtcMicros


@dataclass(frozen=True, slots=True)
class ServeHealth:
    """Say that the origin serves."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again once the timeline has grown; after `at_most`, answer `otherwise`."""

    at_most: Fraction
    """Seconds."""
    otherwise: "Refuse"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer with an error."""

    status: int
    reason: str
    """One plain line."""
    freshness: Freshness
    retry_after: int = 0
    """Seconds; 0 for no such header."""


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
