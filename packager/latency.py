"""How short the chunks of a channel with low latency are: HLS calls them parts."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from packager.profile import EncodeLadder, Ladder
from packager.ticks import MICROS

HELD_BACK = 3
"""Parts that a player stays behind the end, in every format: RFC 8216bis section 4.4.3.8 wants two
at least and advises three."""
_USUAL = Fraction(1, 3)
"""Seconds of a part, or what divides a segment into whole frames nearest to it."""
_AAC = 1024
"""Samples of a frame of sound."""
_ODD = Fraction(1, 25)
"""Seconds that a frame of a feed that is passed through lasts, at most."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What segments are cut into while they come. Seconds."""

    length: Fraction
    """Of each, to the nearest frame."""
    target: Fraction
    """None is longer, and none but a segment's last shorter than 0.85 of it (RFC 8216bis
    section 4.4.4.9)."""

    @property
    def target_micros(self) -> int:
        """The target in microseconds, rounded up."""
        return ceil(self.target * MICROS)


def parts_of(ladder: Ladder, segment: Fraction) -> Parts | None:
    """The parts of a channel with this ladder; None where its latency is not low.

    `segment`: seconds of a segment.
    """
    if ladder.latency != "low":
        return None
    if not isinstance(ladder, EncodeLadder):
        return Parts(_USUAL, _USUAL + _ODD)
    frames = int(segment * ladder.frame_rate)
    shares = (n for n in range(1, frames + 1) if frames % n == 0)
    length = min((n / ladder.frame_rate for n in shares), key=lambda s: abs(s - _USUAL))
    frame = Fraction(_AAC, ladder.audio.sample_rate)
    return Parts(length, ceil(length / frame) * frame)
