"""The relation of encoders' timestamps to UTC.

An encoder's times are UTC, and kept. If they are not, they are anchored by arrival, once for all
tracks. In that case the channel can have only one encoder.

    clock       fragment                                              next clock
    none        UTC times                                             UTC
    none        other times, video keyframe (or audio alone for long) anchored to the sender
    none        other times                                           none (kept until anchored)
    any         times that fit the clock                              the same
    any         other times, the clock was used lately                the same (fragment refused)
    any         other times, the clock was not used lately            as after none
"""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import NamedTuple

from packager.cmaf.ingest_header import IngestHeader
from packager.cmaf.samples import SampleRun
from packager.cmaf_ingest.announcements import IngestSender
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros, round_half_up
from packager.track import TrackKind

_NEAR = 60 * MICROS
"""Microseconds that UTC times may differ from the clock."""
_MAX_DRIFT = 5 * MICROS
"""Microseconds that an encoder's own clock may drift; three segments if they are longer."""
_MAX_EARLY = 256
"""Runs that are kept until video arrives to anchor them."""


@dataclass(frozen=True, slots=True)
class IngestFragment:
    """A run of samples, in the encoder's times."""

    track: str
    sender: IngestSender
    header: IngestHeader
    run: SampleRun

    @property
    def timescale(self) -> int:
        """Ticks a second."""
        return self.header.facts.timescale

    @property
    def is_video(self) -> bool:
        """Whether the samples are pictures."""
        return self.header.facts.kind is TrackKind.VIDEO

    @property
    def start(self) -> Fraction:
        """Presentation time of the first sample, in seconds on the encoder's clock."""
        return Fraction(self.run.start + self.run.compositions[0], self.timescale)

    def shifted(self, shift: Fraction) -> SampleRun:
        """The run, `shift` seconds later."""
        return self.run.moved(round_half_up(shift * self.timescale))


@dataclass(frozen=True, slots=True)
class ClockBase:
    """The offset from an encoder's clock to UTC."""

    shift: Fraction
    """Seconds; 0 if times are UTC."""
    sender: str = ""
    """The only sender, if its times are not UTC; empty if all times are UTC."""


class ClockVerdict(NamedTuple):
    """The result for one fragment."""

    shift: Fraction | None
    """Seconds that make its times UTC; None if it cannot be used."""
    notice: str = ""
    """A problem to report."""
    is_other_clock: bool = False
    """Whether the fragment starts another clock, and so another period."""


class IngestClock:
    """The clock of one channel."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._segment = round_half_up(grid.duration * MICROS)
        self._base: ClockBase | None = None
        self._used_at = UtcMicros(0)
        """The last use of the base."""
        self._early: list[IngestFragment] = []
        """Fragments on an encoder's clock that arrived before the anchor."""
        self._earliest = UtcMicros(0)
        """Arrival of the first of them."""

    @property
    def shift(self) -> Fraction:
        """Seconds from the encoder's clock to UTC; 0 before the first fragment."""
        return self._base.shift if self._base else Fraction(0)

    def is_silent(self, since: int, now: UtcMicros) -> bool:
        """Whether a sender last heard at `since` has been silent for 1.5 segments."""
        return passed(since, self._segment * 3 // 2, now)

    def take_early(self) -> list[IngestFragment]:
        """The fragments that waited for the anchor and belong to its sender."""
        early, self._early = self._early, []
        base = self._base
        return [one for one in early if base is not None and one.sender.name == base.sender]

    def judge(
        self, fragment: IngestFragment, now: UtcMicros, last_number: int, *, has_video: bool
    ) -> ClockVerdict:
        """Relate the times of a fragment to UTC.

        Args:
            fragment: the fragment, with its edit list applied.
            now: the instant of its arrival.
            last_number: the newest segment number that is taken.
            has_video: whether the channel has a video track.
        """
        base, start = self._base, fragment.start
        if base is not None and self._fits(base, fragment, now):
            self._used_at = now
            return ClockVerdict(base.shift)
        if base is not None and not self.is_silent(self._used_at, now):
            off = floor((start + base.shift) * MICROS - now) // 1000
            notice = f"times of {fragment.track} are {off} ms from those of the channel: ignored"
            return ClockVerdict(None, notice)
        notice = ""
        if abs(start * MICROS - now) <= _NEAR:
            fresh = ClockBase(Fraction(0))
        elif self._can_anchor(fragment, now, has_video=has_video):
            fresh = ClockBase(self._anchor(fragment, now, last_number), fragment.sender.name)
            notice = "times are not UTC: anchored by arrival, for one encoder only"
        else:
            self._keep(fragment, now)
            return ClockVerdict(None)
        self._base, self._used_at = fresh, now
        return ClockVerdict(fresh.shift, notice, base is not None and fresh != base)

    def _fits(self, base: ClockBase, fragment: IngestFragment, now: UtcMicros) -> bool:
        off = abs((fragment.start + base.shift) * MICROS - now)
        if not base.sender:
            return off <= _NEAR
        # The encoder's clock drifts from this machine's.
        is_sender = base.sender == fragment.sender.name
        return is_sender and off <= max(3 * self._segment, _MAX_DRIFT)

    def _can_anchor(self, fragment: IngestFragment, now: UtcMicros, *, has_video: bool) -> bool:
        """Whether the clock may be anchored by a fragment: by video, if the channel has any."""
        if fragment.is_video:
            return fragment.run.keyframe
        return not has_video and bool(self._early) and passed(self._earliest, self._segment, now)

    def _anchor(self, fragment: IngestFragment, now: UtcMicros, last_number: int) -> Fraction:
        """Seconds from the encoder's clock to UTC: puts the fragment on the boundary before it."""
        length = Fraction(fragment.run.duration, fragment.timescale)
        number = self._grid.number_at_micros(now - round_half_up(length * MICROS))
        return max(number, last_number + 1) * self._grid.duration - fragment.start

    def _keep(self, fragment: IngestFragment, now: UtcMicros) -> None:
        if not fragment.is_video:
            self._earliest = self._earliest if self._early else now
            self._early = [*self._early[1 - _MAX_EARLY :], fragment]


def passed(since: int, patience: int, now: int) -> bool:
    """Whether `patience` has passed since `since`, or the clock was set back."""
    return not 0 <= now - since < patience
