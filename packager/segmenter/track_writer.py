"""Chunks and segments as actions: media bytes, their records, and the description of tracks."""

from collections.abc import Iterator

from packager.cmaf.samples import SampleRun, write, write_reference
from packager.segmenter.actions import Action, StoreChunk, WriteRecord
from packager.segmenter.state import SegmentInProgress, SourceState, TrackState
from packager.timeline.records import ChunkAdded, SegmentEnded, TrackAdded
from packager.timing.ticks import Ticks, UtcMicros, micros_of
from packager.track import NominalRates


class TrackWriter:
    """Writes the segments of all tracks of a source."""

    def __init__(self, state: SourceState) -> None:
        self._state = state
        stated = {spec.id: spec.bitrate for spec in state.config.specs if spec.bitrate}
        self._rates = NominalRates({**state.config.bitrates, **stated})

    def describe(self, track: TrackState) -> WriteRecord:
        """Record the description of a track whose init section has arrived."""
        facts, spec = track.facts, track.spec
        if facts is None:
            raise AssertionError(spec.id)
        bitrate = spec.bitrate or self._rates.known(spec.id)
        described = facts.describe(spec.id, track.version, bitrate, spec.frame_rate)
        return WriteRecord(TrackAdded(described))

    def store(self, track: TrackState, segment: SegmentInProgress, run: SampleRun) -> StoreChunk:
        """Append `run`, in ticks since the epoch, to the segment in progress."""
        parts = write(run, (segment.number << 6) + segment.chunks)
        offset = self._state.latency_offset
        if self._state.config.parts is not None and offset is not None and not segment.chunks:
            # Low-latency players may measure the latency of the segment that they receive.
            captured = UtcMicros(micros_of(run.start, track.timescale) + offset)
            parts = [write_reference(run.start, captured), *parts]
        size = sum(map(len, parts))
        length = run.duration
        record = ChunkAdded(track.spec.id, segment.number, Ticks(run.start), Ticks(length), size)
        segment.size += size
        segment.ticks += length
        segment.chunks += 1
        track.end = run.start + length
        track.half = run.durations[-1] // 2
        return StoreChunk(record, parts)

    def store_part(self, track: TrackState, segment: SegmentInProgress) -> Iterator[StoreChunk]:
        """Store the unfinished part of a segment: no audio continues it."""
        if segment.part is not None:
            part, segment.part = segment.part, None
            yield self.store(track, segment, part)

    def end(self, track: TrackState, now: UtcMicros) -> Iterator[Action]:
        """End the segment in progress, if there is one."""
        segment = track.segment
        if segment is None:
            return
        yield from self.store_part(track, segment)
        if segment.chunks:
            yield from self._measure(track, segment)
            yield WriteRecord(SegmentEnded(track.spec.id, segment.number, now))
            track.last = segment.number
        track.segment = None

    def _measure(self, track: TrackState, segment: SegmentInProgress) -> Iterator[WriteRecord]:
        """Take the rate of a track's first segment as its nominal rate, if it has none."""
        spec = track.spec
        if not spec.bitrate and not self._rates.known(spec.id):
            self._rates.measure(spec.id, segment.size, segment.ticks, track.timescale)
            yield self.describe(track)
