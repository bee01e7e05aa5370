"""What a channel says of itself: the packager writes it, the status page and metrics show it."""

from enum import StrEnum

import msgspec

from packager.feed.container import Report


class ChannelState(StrEnum):
    """Where a channel's worker is in its life."""

    STARTING = "starting"
    WAITING = "waiting"
    """For a source to be there."""
    LIVE = "live"
    DEGRADED = "degraded"
    """On air, but what it keeps is less than it should."""
    FILLER = "filler"
    """On air, with what is sent while no source is there."""
    BACKING_OFF = "backing-off"
    ENDED = "ended"
    STOPPED = "stopped"


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A source whose bytes pass through the packager, at an instant."""

    name: str
    """In words, e.g. `rtmp`."""
    active: bool = False
    """What is on air comes from it."""
    connected: bool = False
    peer: str = ""
    """Who sends, in words: an address, never a key."""
    reconnects: int = 0
    """Times that somebody came again since the packager started."""
    report: Report = msgspec.field(default_factory=Report)
    advice: tuple[str, ...] = ()
    """What its sender should change, in sentences."""


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one channel at an instant."""

    state: ChannelState
    since: int
    """When the state began, in microseconds since the Unix epoch."""
    source: str
    """The source in words, e.g. `pattern` or `file harbour.ts`."""
    ladder: str
    problem: str = ""
    """The last thing that went wrong, in one line."""
    problem_at: int | None = None
    """When it did, in microseconds since the Unix epoch."""
    restarts: int = 0
    """Times ffmpeg was started again since the packager started."""
    speed: float | None = None
    """Seconds of media encoded a second, as ffmpeg reports it."""
    frames: int = 0
    """Frames out of the encoder in this run."""
    dropped: int = 0
    duplicated: int = 0
    lag_ms: int | None = None
    """How far the newest chunk trails the wall clock, in milliseconds."""
    drift_ms: int | None = None
    """How much that changed since the period began: the source's clock against UTC."""
    clock_ppm: int | None = None
    """Parts per million that media time gains on the source's clock, to stay with UTC."""
    feeds: tuple[FeedStatus, ...] = ()
    """In the order of preference."""


def encode(status: ChannelStatus) -> bytes:
    """The JSON of `status`."""
    return msgspec.json.encode(status)


def decode(data: bytes) -> ChannelStatus:
    """The status in `data`.

    Raises:
        msgspec.DecodeError: not a channel status.
    """
    return msgspec.json.decode(data, type=ChannelStatus)
