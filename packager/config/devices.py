"""Devices: the latency and the renditions that a kind of device is offered."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated

import msgspec

from packager.config.fields import FrameRate
from packager.config.ladder import Latency
from packager.config.scalars import FieldNote, bit_rate, integer
from packager.track import Track, TrackKind

_Lines = Annotated[
    int, integer(16, 16384, "a number of lines from 16 to 16384", "720", unit="lines")
]
_BitrateCap = Annotated[int, bit_rate(8_000, 10**15, "a bit rate from 8k on", "3.5M")]


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a kind of device; a limit that is not set allows every rendition."""

    latency: Annotated[Latency, FieldNote(example="standard")] = "low"
    """Lowest latency: `standard` offers no parts, even where the channel has them."""
    max_height: _Lines | None = None
    """Largest height of the video."""
    max_bitrate: _BitrateCap | None = None
    """Largest nominal bit rate of a video rendition."""
    max_frame_rate: FrameRate | None = None
    """Largest frame rate of the video."""

    def chosen(self, tracks: Iterable[Track]) -> frozenset[str]:
        """The ids of those of `tracks` that are offered: all audio, and video within the limits.

        If no rendition fits, the lowest-bitrate rendition is offered: video that stutters is better
        than no video.
        """
        tracks = tuple(tracks)
        video = [track for track in tracks if track.kind is TrackKind.VIDEO]
        fitting = [track for track in video if self._plays(track)]
        offered = fitting or sorted(video, key=lambda track: track.bitrate)[:1]
        audio = [track for track in tracks if track.kind is TrackKind.AUDIO]
        return frozenset(track.id for track in (*offered, *audio))

    def _plays(self, track: Track) -> bool:
        limits: tuple[tuple[Fraction | int, Fraction | int | None], ...] = (
            (track.height, self.max_height),
            (track.bitrate, self.max_bitrate),
            (track.frame_rate or 0, self.max_frame_rate),
        )
        return all(limit is None or value <= limit for value, limit in limits)


EVERYTHING = Device()
"""The device without limits."""
