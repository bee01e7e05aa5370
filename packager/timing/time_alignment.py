"""One steady time for all streams of a connection, whatever their timestamps do.

    timestamp of a stream                                    its shift
    continues its own, or agrees with the other streams      stays
    jumps to where another stream has jumped                 that stream's
    jumps alone, or is far from the other streams            new: the time continues by arrival

A shift is added to the timestamps before a decoder reads them. Streams that jump together share
a shift, so their offset is the one that the encoder sent. After a stream has jumped alone, its
shift moves slowly until the stream leads its arrival as far as before: see `stream_leads`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from packager.timing.stream_leads import StreamLeads
from packager.timing.ticks import MICROS
from packager.timing.timestamp_counter import TimestampCounter

MAX_APART = 5
"""Seconds between streams of one clock: multiplexes send audio up to two seconds off."""
_MAX_FORWARD = 1
"""Seconds by which a step may exceed the time that has passed, while leads are unknown."""
_MAX_LEAD = 0.25
"""Seconds by which a step may increase the lead: media is not there before it was captured."""
_MAX_DISORDER = 0.1
"""Seconds by which a timestamp may be before the newest one of its stream."""
_SMALLEST = 0.05
"""Seconds out of step from which a stream gets a clock of its own."""
_PAUSE = MICROS // 2
"""Microseconds without a timestamp after which media may be missing."""
_SLEW = 50
"""A correction takes this many times its length: a frame is longer or shorter by a fiftieth."""


@dataclass(slots=True)
class _Clock:
    """A clock of the encoder."""

    shift: int = 0
    """Ticks to add to its timestamps."""
    correction: int = 0
    """Ticks that the shift is still to move by."""
    passed: int = 0
    """Ticks since the shift last moved."""

    def advance(self, step: int) -> None:
        """Move the shift by a part of the correction, after `step` ticks."""
        self.passed += step
        move = min(abs(self.correction), self.passed // _SLEW)
        if move:
            self.passed -= move * _SLEW
            move = move if self.correction > 0 else -move
            self.shift += move
            self.correction -= move


@dataclass(slots=True)
class _Stream:
    """The newest timestamp of one stream."""

    clock: _Clock
    ticks: int
    arrived_at: int
    """Monotonic microseconds."""
    time: int
    """Ticks of the shifted timestamp, which never wrap."""
    step: int = 0
    """Ticks from the timestamp before."""


class TimeAlignment:
    """Aligns the timestamps of one connection."""

    def __init__(self, counter: TimestampCounter) -> None:
        self._counter = counter
        self._streams: dict[int, _Stream] = {}
        self._leads = StreamLeads(counter.rate)
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
        self._leads.keep(kept)

    def shift(self, stream: int, ticks: int, now: int) -> int:
        """The ticks to add to timestamps of `stream`, which sends `ticks` at `now`.

        `ticks` is a decoding time; `now` is monotonic microseconds.
        """
        known = self._streams.get(stream)
        if known is None:
            known = self._begin(stream, ticks, now)
        else:
            step = self._counter.difference(ticks, known.ticks)
            if not self._continues(stream, known, step, now):
                self._jump(stream, known, ticks, now)
            elif step > 0:
                known.step = step
                clock = known.clock
                if clock.correction:
                    clock.advance(step)
            known.time += self._counter.difference(ticks + known.clock.shift, known.time)
            known.ticks, known.arrived_at = ticks, now
        if self._leads.note(stream, known.time, now):
            self._correct()
        return known.clock.shift

    def _begin(self, stream: int, ticks: int, now: int) -> _Stream:
        clock = self._clock_of_new(ticks, now)
        known = _Stream(clock, ticks, now, ticks + clock.shift)
        self._streams[stream] = known
        self._leads.measure_again()
        return known

    def _continues(self, stream: int, known: _Stream, step: int, now: int) -> bool:
        rate = self._counter.rate
        if step < -_MAX_DISORDER * rate:
            return False
        if step <= 2 * known.step:
            return True
        elapsed = (now - known.arrived_at) * rate // MICROS
        highest = self._leads.highest(stream)
        if highest is None:
            is_due = step <= elapsed + _MAX_FORWARD * rate
            return is_due or self._agrees(stream, known, known.time + step)
        if self._leads.lead(known.time + step, now) > highest + _MAX_LEAD * rate:
            return self._agrees(stream, known, known.time + step)
        if step - elapsed > _MAX_DISORDER * rate:
            # Media is missing and its backlog has arrived at once, or this is a small jump.
            self._leads.jumped(stream)
        return True

    def _agrees(self, stream: int, known: _Stream, time: int) -> bool:
        """Whether another stream has reached `time`: frames of a stuck connection were dropped."""
        for key, other in self._streams.items():
            if key == stream or other.clock is not known.clock:
                continue
            apart = self._leads.apart(stream, key)
            limit = _MAX_FORWARD if apart is None else _MAX_LEAD
            beyond = self._counter.difference(time, other.time + (apart or 0))
            if abs(beyond) <= limit * self._counter.rate:
                return True
        return False

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

    def _jump(self, stream: int, known: _Stream, ticks: int, now: int) -> None:
        """Give the stream the clock that it has after its jump to `ticks`."""
        expected = self._next(known, now)
        for key, other in self._streams.items():
            clock = other.clock
            if key == stream or clock is known.clock:
                continue
            if self._is_near(ticks + clock.shift, expected):
                # A decoder drops what is before its last timestamp: both streams move on instead.
                overlap = self._counter.difference(expected, ticks + clock.shift)
                clock.shift += max(0, overlap)
                known.clock = clock
                self._leads.measure_again()
                return
        self.jumps += not self._is_announced
        self._is_announced = False
        known.clock = _Clock(expected - ticks)
        self._leads.jumped(stream)

    def _correct(self) -> None:
        """Correct the shifts of streams that have jumped alone."""
        for stream, error in self._leads.errors():
            known = self._streams[stream]
            is_shared = sum(one.clock is known.clock for one in self._streams.values()) > 1
            if is_shared and abs(error) < _SMALLEST * self._counter.rate:
                continue
            if is_shared:
                known.clock = _Clock(known.clock.shift)
            known.clock.correction = -error

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
