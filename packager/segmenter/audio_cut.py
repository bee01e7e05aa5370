"""Audio segments: each starts with the frame nearest to the boundary that video defines.

With low latency audio is cut into parts of equal length, in step with the chunks of video.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import NamedTuple

from packager.cmaf.samples import SampleRun, joined
from packager.segmenter.actions import Action
from packager.segmenter.jumps import JUMP
from packager.segmenter.state import SegmentInProgress, SourceState, TrackState
from packager.segmenter.track_writer import TrackWriter
from packager.timing.ticks import UtcMicros, rescale, round_half_up


class AudioCut(NamedTuple):
    """A run, cut at the end of the segment in progress."""

    taken: SampleRun | None
    """For the segment in progress."""
    rest: SampleRun | None
    """For the segments after it."""
    waits: bool = False
    """Whether the run has to wait for video."""


_DROPPED = AudioCut(None, None)


class AudioCutter:
    """Gives the pending runs of audio tracks to segments."""

    def __init__(self, state: SourceState, writer: TrackWriter) -> None:
        self._state = state
        self._writer = writer
        self._grid = state.config.grid
        self._parts = state.config.parts

    def drain(self, track: TrackState, now: UtcMicros, *, final: bool = False) -> Iterator[Action]:
        """The actions for pending runs whose segments have known boundaries.

        `final`: no video follows.
        """
        if track.shift is None:
            track.shift = self._state.shift_of(track)
        held, track.pending = track.pending, []
        for index, source in enumerate(held):
            run = self._in_period(track, source.moved(track.shift))
            while run is not None:
                cut = self._cut(track, run, final=final)
                if cut.waits:
                    track.pending = [run.moved(-track.shift), *held[index + 1 :]]
                    return
                if cut.taken is not None:
                    yield from self._store(track, cut.taken)
                if self._is_complete(track, cut.rest):
                    yield from self._writer.end(track, now)
                run = cut.rest

    def _in_period(self, track: TrackState, run: SampleRun) -> SampleRun | None:
        """The frames of `run` from the start of the period on, to the nearest frame."""
        if track.segment is not None or track.last >= self._state.first_number:
            return run
        begin = self._grid.boundary(self._state.first_number, track.timescale)
        index = run.samples_before(begin)
        if index == len(run.sizes):
            self._state.dropped += 1
            return None
        return run.split(index)[1] if index else run

    def _cut(self, track: TrackState, run: SampleRun, *, final: bool) -> AudioCut:
        """Cut `run` at the end of the segment in progress, or of a new one.

        The run waits if the end is not known yet, or video is more than a segment behind.
        """
        ahead = run.start - floor(self._state.video_end * track.timescale)
        if final and ahead > JUMP * track.timescale:
            return self._drop()
        if not final and ahead > self._grid.duration * track.timescale:
            return AudioCut(None, run, waits=True)
        segment = track.segment or self._open(track, run)
        if segment is None:
            return self._drop()
        end = self._end_of(track, segment)
        if end is not None:
            return _cut_at(run, end)
        if final or self._precedes_end(track, segment, run):
            return AudioCut(run, None)
        return AudioCut(None, run, waits=True)

    def _drop(self) -> AudioCut:
        self._state.dropped += 1
        return _DROPPED

    def _open(self, track: TrackState, run: SampleRun) -> SegmentInProgress | None:
        """Open the segment that `run` belongs to; None if it is complete or not wanted."""
        number = self._number_at(track, run.start + run.durations[0] // 2)
        if number <= track.last or not self._state.wants(number):
            return None
        track.segment = SegmentInProgress(number)
        return track.segment

    def _precedes_end(self, track: TrackState, segment: SegmentInProgress, run: SampleRun) -> bool:
        """Whether `run` ends before the earliest possible end of the segment."""
        reference = self._state.reference
        earliest = max(
            rescale(reference.end, reference.timescale, track.timescale),
            self._grid.boundary(segment.number + 1, track.timescale),
        )
        return run.start + run.duration <= earliest - run.durations[0] // 2

    def _number_at(self, track: TrackState, time: int) -> int:
        """Number of the segment that audio at `time` belongs to."""
        if self._state.cuts_by_grid:
            return self._grid.number_at(time, track.timescale)
        return self._state.number_at_cut(track, time)

    def _end_of(self, track: TrackState, segment: SegmentInProgress) -> int | None:
        """End of the segment in progress, in the track's ticks; None if it is not known yet."""
        if self._state.cuts_by_grid:
            return self._grid.boundary(segment.number + 1, track.timescale)
        following = [start for number, start in self._state.cuts.items() if number > segment.number]
        if not following:
            return None
        return rescale(min(following), self._state.reference.timescale, track.timescale)

    def _is_complete(self, track: TrackState, rest: SampleRun | None) -> bool:
        """Whether no more audio can belong to the segment in progress."""
        segment = track.segment
        if segment is None:
            return False
        if rest is not None:
            return True
        boundary, part = self._end_of(track, segment), segment.part
        end, half = track.end, track.half
        if part is not None:
            end, half = part.start + part.duration, part.durations[-1] // 2
        return boundary is not None and end + half >= boundary

    def _store(self, track: TrackState, run: SampleRun) -> Iterator[Action]:
        """Store `run`, in parts if the channel has low latency."""
        segment = track.segment
        if segment is None:
            raise AssertionError(track.spec.id)
        if self._parts is None:
            yield self._writer.store(track, segment, run)
            return
        if not _follows_part(segment, run):
            yield from self._writer.store_part(track, segment)
        for part in _parts_of(segment, run, self._parts.length, track.timescale):
            yield self._writer.store(track, segment, part)


def _cut_at(run: SampleRun, end: int) -> AudioCut:
    """`run`, cut at the frame nearest to `end`."""
    index = run.samples_before(end)
    if index == len(run.sizes):
        return AudioCut(run, None)
    head, tail = run.split(index)
    return AudioCut(head if index else None, tail)


def _follows_part(segment: SegmentInProgress, run: SampleRun) -> bool:
    """Whether `run` continues the unfinished part without a hole, or there is no such part."""
    part = segment.part
    return part is None or part.start + part.duration == run.start


def _parts_of(
    segment: SegmentInProgress, run: SampleRun, length: Fraction, timescale: int
) -> Iterator[SampleRun]:
    """The parts that `run` completes; the rest stays in the segment.

    The count of the segment's chunks must grow by one for each part that is returned.

    Args:
        segment: the segment in progress.
        run: audio that follows the unfinished part.
        length: seconds of a part.
        timescale: the track's ticks a second.
    """
    if segment.part is None and not segment.chunks:
        segment.begin = run.start
    rest: SampleRun | None = run if segment.part is None else joined([segment.part, run])
    while rest is not None:
        due = segment.begin + round_half_up((segment.chunks + 1) * length * timescale)
        count = len(rest.sizes)
        index = rest.samples_before(due)
        if index == count and rest.start + rest.duration + rest.durations[-1] // 2 < due:
            break
        head, rest = rest.split(index) if 0 < index < count else (rest, None)
        yield head
    segment.part = rest
