"""The container of a feed, the report on its condition, and the inspector's interface.

An inspector decodes nothing. It changes timestamps that jump, and no other byte.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import msgspec


class Container(StrEnum):
    """The container format of a feed, by ffmpeg's name."""

    TS = "mpegts"
    """MPEG transport stream (ISO/IEC 13818-1)."""
    FLV = "flv"
    """Flash video (Adobe's specification 10.1 with Enhanced RTMP), as RTMP carries it."""


@dataclass(frozen=True, slots=True)
class FeedPiece:
    """Whole units of a container: packets of a TS, tags of an FLV."""

    data: bytes
    starts: bool
    """A video keyframe begins here: a decoder that has the prelude can start."""
    discontinuity: bool = False
    """Streams or their parameters change here: decoders need new init data."""


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The condition of a feed, measured from its bytes. Unknown values are None."""

    bitrate: int | None = None
    """Bit/s of all received bytes, over the last seconds."""
    frame_rate: float | None = None
    """Frames a second."""
    keyframe_interval: float | None = None
    """Seconds between the last two keyframes, by their timestamps."""
    skew_ms: int | None = None
    """Milliseconds by which audio arrives before the video of the same time."""
    clock_ppm: int | None = None
    """Parts per million by which the feed's clock is faster than UTC."""
    continuity_errors: int = 0
    """TS only, since the connection began: packets missing, surplus or damaged."""
    dropped_frames: int = 0
    """Frames missing between others, since the connection began."""
    late_frames: int = 0
    """Frames half a second or more late, compared with the frame before, by their timestamps."""
    silent_ms: int = 0
    """Milliseconds since the last byte."""
    still_ms: int | None = None
    """Milliseconds since the last video frame."""
    video: str = ""
    """The video codec, by ffmpeg's name."""
    audio: tuple[str, ...] = ()
    """The audio codecs."""
    mute_ms: int | None = None
    """Milliseconds since the last audio frame."""
    jumps: int = 0
    """Unannounced jumps of timestamps, which the packager has aligned."""
    unsteady: bool = False
    """The frame rate varies."""
    absent: tuple[str, ...] = ()
    """TS only: the PIDs of announced audio streams that have sent no frame."""
    interlaced: bool = False
    """The video says that it is interlaced; an inspector alone does not know it."""
    junk_bytes: int = 0
    """TS only, since the connection began: bytes outside all packets."""


class Inspector(Protocol):
    """Inspects the container of one connection. Pure: the caller passes in the time."""

    @property
    def prelude(self) -> bytes:
        """The bytes that a decoder needs before a keyframe: tables of a TS, headers of an FLV."""
        ...

    @property
    def revision(self) -> int:
        """Increases when streams or their parameters change; 0 before any are known."""
        ...

    @property
    def absent(self) -> frozenset[int]:
        """TS only: the PIDs of announced audio streams that have sent no whole frame."""
        ...

    @property
    def frame_step(self) -> int | None:
        """Microseconds between the last two frames, by their timestamps; None before a second."""
        ...

    def push(self, data: bytes, now: int) -> list[FeedPiece]:
        """The pieces that `data`, received at `now` (monotonic microseconds), completes.

        The pieces contain all bytes in order, except bytes of a TS outside all packets. A piece
        that starts begins with the unit in which its keyframe begins.
        """
        ...

    def report(self, now: int) -> Report:
        """The condition of the feed at `now` (monotonic microseconds)."""
        ...
