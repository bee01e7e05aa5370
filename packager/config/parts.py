"""Duration of the parts of a channel with low latency."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from packager.config.ladder import EncodeLadder, Ladder
from packager.timing.ticks import MICROS

HELD_BACK = 3
"""Parts that a player stays behind the live edge, in every format. RFC 8216bis section 4.4.3.8
requires two and recommends three."""
_USUAL = Fraction(1, 3)
"""Seconds of a part; the actual duration divides a segment into whole frames."""
_AAC_FRAME = 1024
"""Samples of an audio frame."""
_LONGEST_FRAME = Fraction(1, 25)
"""Seconds of a video frame of a feed that is passed through, at most."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Durations of the parts of a segment, in seconds."""

    length: Fraction
    """Of each part, to the nearest frame."""
    target: Fraction
    """Longest duration; only the last part of a segment is shorter than 0.85 of it (RFC 8216bis
    section 4.4.4.9)."""

    @property
    def target_micros(self) -> int:
        """The target in microseconds, rounded up."""
        return ceil(self.target * MICROS)


def parts_of(ladder: Ladder, segment: Fraction) -> Parts | None:
    """The parts of a channel with this ladder; None unless its latency is low.

    `segment`: seconds of a segment.
    """
    if ladder.latency != "low":
        return None
    if not isinstance(ladder, EncodeLadder):
        return Parts(_USUAL, _USUAL + _LONGEST_FRAME)
    frames = int(segment * ladder.frame_rate)
    shares = (n for n in range(1, frames + 1) if frames % n == 0)
    length = min((n / ladder.frame_rate for n in shares), key=lambda s: abs(s - _USUAL))
    frame = Fraction(_AAC_FRAME, ladder.audio.sample_rate)
    return Parts(length, ceil(length / frame) * frame)
