"""What a kind of device is shown of a channel: its latency, and the renditions that it can play."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Annotated

import msgspec

from packager.profile import Latency
from packager.track import Track, TrackKind

Lines = Annotated[
    int, msgspec.Meta(ge=16, le=16384, description="a number of lines from 16 to 16384")
]
Bitrate = Annotated[int, msgspec.Meta(ge=8_000, description="a bit rate from 8k on")]


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A profile: what is not said is not capped."""

    latency: Latency = "low"
    """The lowest it takes: `standard` has no parts, also of a channel whose latency is low."""
    max_height: Lines | None = None
    """Lines of a picture."""
    max_bitrate: Bitrate | None = None
    """Nominal bit/s of a rendition."""
    max_frame_rate: Fraction | None = None
    """Pictures a second."""

    def chosen(self, tracks: Iterable[Track]) -> frozenset[str]:
        """The ids of those of `tracks` that it is shown: sound, and renditions within its caps.

        Where none is, the one with the lowest bit rate: a picture that stutters beats none.
        """
        tracks = tuple(tracks)
        video = [track for track in tracks if track.kind is TrackKind.VIDEO]
        fit = [track for track in video if self._plays(track)]
        shown = fit or sorted(video, key=lambda track: track.bitrate)[:1]
        sound = [track for track in tracks if track.kind is TrackKind.AUDIO]
        return frozenset(track.id for track in (*shown, *sound))

    def _plays(self, track: Track) -> bool:
        pairs = (
            (track.height, self.max_height),
            (track.bitrate, self.max_bitrate),
            (track.frame_rate or 0, self.max_frame_rate),
        )
        return all(most is None or value <= most for value, most in pairs)


EVERYTHING = Device()
"""One that is shown all there is."""
