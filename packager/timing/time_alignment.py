"""One steady time for all streams of a connection, whatever their timestamps do.

    timestamp of a stream                                    its shift
    continues its own, or agrees with the other streams      stays
    jumps to where another stream has jumped                 that stream's
    jumps alone, or is far from the other streams            new: the time continues by arrival

A shift is added to the timestamps before a decoder reads them. Streams that jump together share
a shift, so their offset is the one that the encoder sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from packager.timing.ticks import MICROS
from packager.timing.timestamp_counter import TimestampCounter

MAX_APART = 5
"""Seconds between streams of one clock: multiplexes send audio up to two seconds off."""
_MAX_FORWARD = 1
"""Seconds by which a step may exceed the time that has passed."""
_MAX_DISORDER = 0.1
"""Seconds by which a timestamp may be before the newest one of its stream."""
_PAUSE = MICROS // 2
"""Microseconds without a timestamp after which media may be missing."""


@dataclass(slots=True)
class _Clock:
    """A clock of the encoder."""

    shift: int = 0
    """Ticks to add to its timestamps."""


@dataclass(slots=True)
class _Stream:
    """The newest timestamp of one stream."""

    clock: _Clock
    ticks: int
    arrived_at: int
    """Monotonic microseconds."""
    step: int = 0
    """Ticks from the timestamp before."""


class TimeAlignment:
    """Aligns the timestamps of one connection."""

    def __init__(self, counter: TimestampCounter) -> None:
        self._counter = counter
        self._streams: dict[int, _Stream] = {}
        self._is_announced = False
        self.jumps = 0
        """Jumps of streams that the feed has not announced."""

    def announce(self) -> None:
        """Expect a jump: the feed has signalled a discontinuity."""
        self._is_announced = True

    def keep(self, streams: Iterable[int]) -> None:
        """Forget all streams but these."""
        kept = set(streams)
        self._streams = {key: one for key, one in self._streams.items() if key in kept}

    def shift(self, stream: int, ticks: int, now: int) -> int:
        """The ticks to add to timestamps of `stream`, which sends `ticks` at `now`.

        `ticks` is a decoding time; `now` is monotonic microseconds.
        """
        known = self._streams.get(stream)
        if known is None:
            clock = self._clock_of_new(ticks, now)
            self._streams[stream] = _Stream(clock, ticks, now)
            return clock.shift
        step = self._counter.difference(ticks, known.ticks)
        if not self._continues(stream, known, step, now):
            known.clock = self._clock_after_jump(stream, known, ticks, now)
        elif step > 0:
            known.step = step
        known.ticks, known.arrived_at = ticks, now
        return known.clock.shift

    def _continues(self, stream: int, known: _Stream, step: int, now: int) -> bool:
        rate = self._counter.rate
        if step < -_MAX_DISORDER * rate:
            return False
        elapsed = (now - known.arrived_at) * rate // MICROS
        if step <= max(elapsed + _MAX_FORWARD * rate, 2 * known.step):
            return True
        # A step of a whole backlog: frames were dropped while the connection was stuck.
        ticks = known.ticks + step
        return any(
            abs(self._counter.difference(ticks, other.ticks)) <= _MAX_FORWARD * rate
            for key, other in self._streams.items()
            if key != stream and other.clock is known.clock
        )

    def _clock_of_new(self, ticks: int, now: int) -> _Clock:
        """The clock of a stream that begins with `ticks`."""
        newest = max(self._streams.values(), key=lambda one: one.arrived_at, default=None)
        if newest is None:
            return _Clock()
        expected = self._at(newest, now)
        for clock in self._clocks():
            if self._is_near(ticks + clock.shift, expected):
                return clock
        return _Clock(expected - ticks)

    def _clock_after_jump(self, stream: int, known: _Stream, ticks: int, now: int) -> _Clock:
        """The clock of a stream that has jumped to `ticks`."""
        expected = self._next(known, now)
        for key, other in self._streams.items():
            clock = other.clock
            if key == stream or clock is known.clock:
                continue
            if self._is_near(ticks + clock.shift, expected):
                # A decoder drops what is before its last timestamp: both streams move on instead.
                overlap = self._counter.difference(expected, ticks + clock.shift)
                clock.shift += max(0, overlap)
                return clock
        self.jumps += not self._is_announced
        self._is_announced = False
        return _Clock(expected - ticks)

    def _clocks(self) -> list[_Clock]:
        newest_first = sorted(self._streams.values(), key=lambda one: -one.arrived_at)
        return [one.clock for one in newest_first]

    def _is_near(self, ticks: int, expected: int) -> bool:
        return abs(self._counter.difference(ticks, expected)) <= MAX_APART * self._counter.rate

    def _at(self, known: _Stream, now: int) -> int:
        """The shifted time of a stream at `now`."""
        elapsed = (now - known.arrived_at) * self._counter.rate // MICROS
        return known.ticks + known.clock.shift + max(0, elapsed)

    def _next(self, known: _Stream, now: int) -> int:
        """The shifted time at which a stream continues that misses no media, or what it missed."""
        if now - known.arrived_at > _PAUSE:
            return self._at(known, now)
        return known.ticks + known.clock.shift + known.step
