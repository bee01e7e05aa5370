"""Video segments: each starts with the first keyframe in its cell of the grid.

Video that is encoded beside copied video has a keyframe wherever that has one. Its segments start
at those keyframes at which the copied video is cut.
"""

from collections.abc import Iterator

from packager.cmaf.samples import SampleRun
from packager.segmenter.actions import Action
from packager.segmenter.state import SegmentInProgress, SourceState, TrackState
from packager.segmenter.track_writer import TrackWriter
from packager.timing.ticks import UtcMicros, rescale


class VideoCutter:
    """Gives the runs of video tracks to segments."""

    def __init__(self, state: SourceState, writer: TrackWriter) -> None:
        self._state = state
        self._writer = writer
        self._grid = state.config.grid

    def push(self, track: TrackState, run: SampleRun, now: UtcMicros) -> Iterator[Action]:
        """The actions for a run of a video track, in source time."""
        if track.shift is None and (not run.keyframe or not self._place(track, run)):
            self._state.dropped += 1
            return
        run = run.moved((track.shift or 0) + track.composition, track.composition)
        if run.keyframe:
            yield from self._cut(track, run, now)
        segment = track.segment
        if segment is None:
            self._state.dropped += 1
            return
        yield self._writer.store(track, segment, run)
        if self._state.cuts_by_grid:
            boundary = self._grid.boundary(segment.number + 1, track.timescale)
            if run.start + run.duration + track.half_sample(run) >= boundary:
                yield from self._writer.end(track, now)

    def drain(self, track: TrackState, now: UtcMicros, *, final: bool = False) -> Iterator[Action]:
        """The actions for pending runs that the reference track has passed.

        `final`: no reference run follows.
        """
        held, track.pending = track.pending, []
        for index, run in enumerate(held):
            if not final and not self._is_passed(track, run):
                track.pending = held[index:]
                return
            yield from self.push(track, run, now)

    def _is_passed(self, track: TrackState, run: SampleRun) -> bool:
        """Whether the reference track has reached the run, so that its cut there is known."""
        state, scale = self._state, self._state.reference.timescale
        composition = run.compositions[0] if track.shift is None else track.composition
        start = run.start + composition + state.shift_of(track)
        half = track.half_sample(run)
        # No media follows the last segment that is wanted, but the cut at its end is known.
        newest = rescale(max(state.cuts.values()), scale, track.timescale)
        reached = rescale(state.reference.end, scale, track.timescale)
        return start + half < reached or start - half <= newest

    def _number_at(self, track: TrackState, time: int) -> int:
        """Number of the segment that a keyframe at `time` starts or belongs to."""
        if track.waits:
            return self._state.number_at_cut(track, time)
        return self._grid.number_at(time, track.timescale)

    def _cut(self, track: TrackState, run: SampleRun, now: UtcMicros) -> Iterator[Action]:
        """Start the segment that a keyframe lies in, if it is another one."""
        number = self._number_at(track, run.start + track.half_sample(run))
        if track.segment is not None and track.segment.number == number:
            return
        yield from self._writer.end(track, now)
        if number > track.last:
            if track is self._state.reference:
                self._state.add_cut(number, run.start)
            track.segment = SegmentInProgress(number) if self._state.wants(number) else None

    def _place(self, track: TrackState, run: SampleRun) -> bool:
        """Relate a track's times to UTC at its first keyframe of the period.

        Returns: whether the keyframe lies in the period.
        """
        number = self._state.first_number
        composition = run.compositions[0]
        if track is self._state.reference:
            boundary = self._grid.boundary(number, track.timescale)
            shift = boundary - run.start - composition
        else:
            shift = self._state.shift_of(track)
            start = run.start + composition + shift + track.half_sample(run)
            if self._grid.number_at(start, track.timescale) < number:
                return False
        track.shift, track.composition = shift, composition
        return True
