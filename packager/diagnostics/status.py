"""The status of a channel: the packager writes it, the status page and the metrics show it."""

from enum import StrEnum

import msgspec

from packager.feed.report import Report


class ChannelState(StrEnum):
    """The states of a channel."""

    STARTING = "starting"
    WAITING = "waiting"
    """No source is connected yet."""
    LIVE = "live"
    DEGRADED = "degraded"
    """On air, but media is overdue, or the storage keeps less than the retention requires."""
    FILLER = "filler"
    """On air with the slate or another filler, since no source is connected."""
    BACKING_OFF = "backing-off"
    ENDED = "ended"
    STOPPED = "stopped"


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a source that receives a feed."""

    name: str
    """For example `rtmp`."""
    label: str = ""
    """For texts that people read, such as `source 1 (rtmp)`."""
    active: bool = False
    """This source is on air."""
    connected: bool = False
    peer: str = ""
    """Address of the sender, never its key."""
    reconnects: int = 0
    """Connections after the first since the packager started."""
    report: Report = msgspec.field(default_factory=Report)
    advice: tuple[str, ...] = ()
    """A sentence for each change that its sender should make."""


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one channel."""

    state: ChannelState
    since: int
    """Start of the state, in microseconds since the Unix epoch."""
    source: str
    """For example `pattern` or `file harbour.ts`."""
    ladder: str
    problem: str = ""
    """The last problem, in one line."""
    problem_at: int | None = None
    """Instant of the last problem, in microseconds since the Unix epoch."""
    restarts: int = 0
    """Starts of ffmpeg after the first since the packager started."""
    speed: float | None = None
    """Seconds of media encoded per second, as ffmpeg reports it."""
    frames: int = 0
    """Frames that the encoder produced in this run."""
    dropped: int = 0
    duplicated: int = 0
    lag_ms: int | None = None
    """Milliseconds from the end of the newest chunk to the wall clock."""
    drift_ms: int | None = None
    """Change of `lag_ms` since the period began: the source's clock against UTC."""
    clock_ppm: int | None = None
    """Parts per million by which media time runs faster than the source's clock, to follow UTC."""
    feeds: tuple[FeedStatus, ...] = ()
    """In order of preference."""


def encode(status: ChannelStatus) -> bytes:
    """`status` as JSON."""
    return msgspec.json.encode(status)


def decode(data: bytes) -> ChannelStatus:
    """The status in the JSON `data`.

    Raises:
        msgspec.DecodeError: `data` is not a channel status.
    """
    return msgspec.json.decode(data, type=ChannelStatus)
