"""Runs of samples in, segments on the UTC grid out.

One `Segmenter` serves one run of a source: the samples of all its tracks from an encoder's start
to its end. In one place for all tracks it decides where the period is anchored, where segments are
cut, and what their numbers are. It performs no I/O: it returns the actions in their order.

    state       event                                                next state
    waiting     reference keyframe whose segment number is free      in a period (PeriodStarted)
    waiting     any other run                                        waiting (held or dropped)
    in a period run                                                  in a period (StoreChunk ...)
    in a period times jump, or media leaves the pace of the clock    waiting (EndPeriod)

The rules:

- A period starts with a keyframe of the reference track, which is the first video track. The
  keyframe is put on the grid boundary at or before its arrival, which must lie after all existing
  media. So media time trails the wall clock by less than a segment and never runs ahead of it, and
  no number is used twice (`anchor`).
- A video segment starts with the first keyframe in its cell of the grid (`video_cut`).
- A segment of video that is encoded beside copied video starts where the copied one does.
- An audio segment starts with the frame nearest to the boundary of the reference (`audio_cut`).
- A jump in the times ends the period; the next keyframe starts another. A track that was away and
  returns where the other tracks are has a hole instead (`jumps`).
- Media that leaves the pace of the wall clock ends the period (`pace`). A source that ffmpeg reads
  at the pace of its own clock has time to make up for a delay.
"""

from collections.abc import Iterator

from packager.cmaf.init_section import InitFacts
from packager.cmaf.repair import split_at_jumps, with_even_frames
from packager.cmaf.samples import SampleRun
from packager.segmenter.actions import Action, EndPeriod, WriteRecord
from packager.segmenter.anchor import PeriodAnchoring
from packager.segmenter.audio_cut import AudioCutter
from packager.segmenter.config import SegmenterConfig
from packager.segmenter.jumps import JUMP, JumpDetector
from packager.segmenter.pace import PaceMonitor
from packager.segmenter.state import SourceState, TrackState
from packager.segmenter.track_writer import TrackWriter
from packager.segmenter.video_cut import VideoCutter
from packager.timing.ticks import UtcMicros


class Segmenter:
    """The segmenter of one run of a source."""

    def __init__(self, config: SegmenterConfig) -> None:
        self._state = SourceState.begin(config)
        self._writer = TrackWriter(self._state)
        self._anchoring = PeriodAnchoring.begin(self._state)
        self._jumps = JumpDetector(self._state)
        self._pace = PaceMonitor(self._state)
        self._video = VideoCutter(self._state, self._writer)
        self._audio = AudioCutter(self._state, self._writer)

    @property
    def anchored(self) -> bool:
        """Whether a period is in progress."""
        return self._state.period_number is not None

    @property
    def last_arrival(self) -> UtcMicros | None:
        """Arrival of the end of the newest reference chunk; None before the first."""
        return self._state.last_arrival

    @property
    def lag(self) -> int | None:
        """Microseconds that the newest reference run trails the wall clock."""
        return self._pace.lag

    @property
    def anchor_lag(self) -> int | None:
        """The lag at the start of the newest period."""
        return self._pace.anchor_lag

    @property
    def clock_rate(self) -> int:
        """Parts per million that media time gains on the source's clock, to stay with UTC."""
        return self._pace.clock_rate

    @property
    def dropped(self) -> int:
        """Runs that no segment could take: before a keyframe or before the period."""
        return self._state.dropped

    @property
    def pending(self) -> int:
        """Runs that wait for the reference track."""
        return sum(len(track.pending) for track in self._state.tracks.values())

    # The end of the run

    def stop_after(self, number: int) -> None:
        """Write no segment after `number`."""
        self._state.last_wanted = number

    @property
    def has_left(self) -> bool:
        """Whether every track has written the last segment that is wanted."""
        last = self._state.last_wanted
        tracks = [track for track in self._state.tracks.values() if track.facts is not None]
        return last is not None and all(track.last >= last for track in tracks)

    # Input

    def init(self, track_id: str, facts: InitFacts, version: str) -> Iterator[Action]:
        """The actions for the init section of a track, which is stored already."""
        track = self._state.tracks[track_id]
        track.facts, track.version = facts, version
        if self.anchored:
            yield self._writer.describe(track)

    def push(self, track_id: str, run: SampleRun, now: UtcMicros) -> Iterator[Action]:
        """The actions for a run of samples that has arrived at the instant `now`."""
        track = self._state.tracks[track_id]
        if track.facts is None:
            self._state.dropped += 1
            return
        for piece in split_at_jumps(run, JUMP * track.timescale):
            yield from self._push(track, piece, now)

    def flush(self, now: UtcMicros) -> Iterator[Action]:
        """The actions for the end of the source: segments in progress end as they are."""
        for track in self._state.tracks.values():
            yield from self._drain(track, now, final=True)
            yield from self._writer.end(track, now)
            track.pending.clear()

    def keep_pace(self, now: UtcMicros) -> Iterator[Action]:
        """End the period if its media has left the pace of the clock."""
        if reason := self._pace.violation(now):
            yield from self._end_period(reason, now)

    # The way of a run

    def _push(self, track: TrackState, run: SampleRun, now: UtcMicros) -> Iterator[Action]:
        state = self._state
        if track.may_precede_jump and self._jumps.precedes_jump(track, run, now):
            state.dropped += 1
            return
        track.may_precede_jump = False
        if self._jumps.is_jump(track, run):
            yield from self._jump(track, run, now)
        even = self._even(track, run)
        if even is None:
            state.dropped += 1
            return
        track.expected = even.start + even.duration
        corrected = state.correction.applied(even, track.timescale)
        if state.period_number is None:
            state.hold(track, corrected)
            if track is state.reference:
                yield from self._try_anchor(now)
        else:
            yield from self._segment(track, corrected, now)

    def _even(self, track: TrackState, run: SampleRun) -> SampleRun | None:
        """`run`, with frames of equal length if it is audio of an own encoder."""
        if not track.is_video and not track.spec.copied:
            return with_even_frames(run, track.expected)
        return run

    def _segment(self, track: TrackState, run: SampleRun, now: UtcMicros) -> Iterator[Action]:
        """The actions for a run within a period."""
        if track.waits:
            self._state.hold(track, run)
        else:
            yield from self._video.push(track, run, now)
        if track is self._state.reference:
            self._pace.measure(run, now)
            for other in self._state.tracks.values():
                if other.pending:
                    yield from self._drain(other, now)
        elif track.pending:
            yield from self._drain(track, now)

    def _drain(self, track: TrackState, now: UtcMicros, *, final: bool = False) -> Iterator[Action]:
        """Segment the pending runs of a track that waits, as far as the reference reached them."""
        if not track.pending or self._state.period_number is None or not track.waits:
            return
        if track.is_video:
            yield from self._video.drain(track, now, final=final)
        else:
            yield from self._audio.drain(track, now, final=final)

    # Periods

    def _try_anchor(self, now: UtcMicros) -> Iterator[Action]:
        """Start a period with the newest run of the reference track, if that can be."""
        state, reference = self._state, self._state.reference
        run = reference.pending.pop()
        record = self._anchoring.start(run, now)
        if record is None:
            state.dropped += 1
            return
        yield WriteRecord(record)
        for track in state.tracks.values():
            if track.facts is not None:
                yield self._writer.describe(track)
        yield from self._video.push(reference, run, now)
        self._pace.begin(run, now)
        for track in state.tracks.values():
            if track.waits:
                yield from self._drain(track, now)
                continue
            held, track.pending = track.pending, []
            for early in held:
                yield from self._video.push(track, early, now)

    def _jump(self, track: TrackState, run: SampleRun, now: UtcMicros) -> Iterator[Action]:
        """End the period where the times of a track jump."""
        jump = self._jumps.record(track, run, now)
        if self.anchored:
            reason = f"timestamps of {track.spec.id} jumped by {jump.millis} ms"
            yield from self._end_period(reason, now)
            return
        for other in self._state.tracks.values():
            other.pending.clear()

    def _end_period(self, reason: str, now: UtcMicros) -> Iterator[Action]:
        yield from self.flush(now)
        yield EndPeriod(reason)
        self._anchoring.end_period()
        self._pace.reset()
