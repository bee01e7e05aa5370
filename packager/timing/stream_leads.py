"""How far the media time of each stream leads its arrival.

Media may arrive late for many reasons but never early, so the highest lead of a window shows the
clock of a stream. The difference between the leads of two streams stays, whatever the network does:
it shows how far a stream that has jumped alone is out of step.
"""

from collections.abc import Iterator

from packager.timing.ticks import MICROS

_WINDOW = 10 * MICROS
"""Microseconds of a window."""


class StreamLeads:
    """The leads of the streams of one connection, in ticks of `rate` a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._began: int | None = None
        """When the window began, in monotonic microseconds."""
        self._peaks: dict[int, int] = {}
        """The highest lead of each stream in the window."""
        self._last: dict[int, int] = {}
        """Those of the window before."""
        self._reference: dict[int, int] | None = None
        """Those of the first whole window with the offsets that the encoder has chosen."""
        self._jumped = dict[int, None]()
        """The streams whose offset is a guess, in the order of their jumps."""
        self._is_disturbed = False
        """Whether a stream has jumped in the window."""

    def lead(self, time: int, now: int) -> int:
        """Ticks by which media of `time` (ticks) leads its arrival at `now` (microseconds)."""
        return time - now * self._rate // MICROS

    def highest(self, stream: int) -> int | None:
        """The highest lead of the stream in the last window and since; None before a window."""
        last, peak = self._last.get(stream), self._peaks.get(stream)
        return last if last is None or peak is None else max(last, peak)

    def apart(self, stream: int, other: int) -> int | None:
        """Ticks by which the encoder sends the stream ahead of the other; None while unknown."""
        reference = self._reference or {}
        if stream not in reference or other not in reference:
            return None
        return reference[stream] - reference[other]

    def note(self, stream: int, time: int, now: int) -> bool:
        """Note that media of `time` arrives at `now`. Returns: whether a window has ended."""
        is_over = False
        if self._began is None:
            self._began = now
        elif now - self._began >= _WINDOW:
            is_over = self._end_window(now)
        lead = self.lead(time, now)
        if lead > self._peaks.get(stream, lead - 1):
            self._peaks[stream] = lead
        return is_over

    def _end_window(self, now: int) -> bool:
        self._last, self._peaks, self._began = self._peaks, {}, now
        was_disturbed, self._is_disturbed = self._is_disturbed, False
        if was_disturbed:
            return False
        if self._reference is None:
            self._reference = self._last
            return False
        return bool(self._jumped)

    def measure_again(self) -> None:
        """Take the offsets of the next window for those that the encoder has chosen."""
        self._reference = None
        self._jumped.clear()
        self._is_disturbed = True

    def jumped(self, stream: int) -> None:
        """Note that a stream continues with an offset that is a guess."""
        self._jumped[stream] = None
        self._is_disturbed = True

    def errors(self) -> Iterator[tuple[int, int]]:
        """The streams that have jumped, each with the ticks that it is ahead of the others.

        A stream that sent nothing in the last window waits for the next.
        """
        last = self._last
        steady = [key for key in last if key not in self._jumped]
        measured = [key for key in self._jumped if key in last]
        # If all have jumped, the first one leads the others.
        base = next(iter(steady or measured), -1)
        for key in measured:
            if (apart := self.apart(key, base)) is not None:
                yield key, last[key] - last[base] - apart
            del self._jumped[key]

    def keep(self, streams: set[int]) -> None:
        """Forget all streams but these."""
        for leads in (self._peaks, self._last, self._reference or {}, self._jumped):
            for key in leads.keys() - streams:
                del leads[key]
