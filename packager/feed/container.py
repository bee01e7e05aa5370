"""How the tracks of a feed are put together, and what is to be seen of it on the way.

Nothing here decodes: the bytes go on to ffmpeg as they came.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec


class Container(StrEnum):
    """What the bytes of a feed are, by ffmpeg's name of it."""

    TS = "mpegts"
    """MPEG transport stream (ISO/IEC 13818-1)."""
    FLV = "flv"
    """Flash video (Adobe's specification 10.1 with Enhanced RTMP), as RTMP carries it."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole units of a container, as they came: packets of a TS, tags of an FLV."""

    data: bytes
    starts: bool
    """A decoder that has the prelude can start here: a keyframe of the picture begins."""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a feed is, from its bytes alone. What is not known yet is None."""

    bitrate: int | None = None
    """Bit/s of all that came, over the last seconds."""
    frame_rate: float | None = None
    """Pictures a second."""
    keyframe_interval: float | None = None
    """Seconds between the last two keyframes, by their timestamps."""
    skew_ms: int | None = None
    """Milliseconds by which sound comes before the picture of the same time."""
    clock_ppm: int | None = None
    """Parts per million that the feed's clock is faster than UTC."""
    continuity_errors: int = 0
    """Of a TS, since it was connected: packets that are missing, twice there or damaged."""
    dropped_frames: int = 0
    """Times between pictures in which others should have been, since it was connected."""
    late_frames: int = 0
    """Pictures that came later after the one before than they are apart, by half a second."""
    silent_ms: int = 0
    """Milliseconds since the last byte came."""
    still_ms: int | None = None
    """Milliseconds since the last picture came."""
    video: str = ""
    """The picture's codec, by ffmpeg's name of it."""
    audio: tuple[str, ...] = ()
    """Codecs of the sound."""
    mute_ms: int | None = None
    """Milliseconds since the last sound came."""
    jumps: int = 0
    """Times that timestamps of pictures went back, or on by more than ten seconds, unannounced."""
    unsteady: bool = False
    """Pictures are not all equally far apart."""
    junk_bytes: int = 0
    """Of a TS: bytes that belonged to no packet, since it was connected."""


class Inspector(Protocol):
    """Looks at the bytes of one connection's container as they pass. Pure: time is said to it."""

    @property
    def prelude(self) -> bytes:
        """What a decoder needs before a piece that starts: tables of a TS, headers of an FLV."""
        ...

    @property
    def revision(self) -> int:
        """Counts how often streams or their parameters were announced anew; 0 before any."""
        ...

    def push(self, data: bytes, now: int) -> list[Piece]:
        """What `data`, which came at `now` (monotonic microseconds), completes.

        All bytes come out again, in order, but for those of a TS that belong to no packet. A
        piece that starts has nothing before the unit in which its keyframe begins.
        """
        ...

    def report(self, now: int) -> Report:
        """How the feed is at `now` (monotonic microseconds)."""
        ...
