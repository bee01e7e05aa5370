"""The plan for CMAF media: init sections, segments, chunks."""

from dataclasses import replace
from fractions import Fraction
from typing import assert_never

from origin.decision.availability import PATIENCE, absent
from origin.decision.plan import Freshness, Plan, Refuse, ServeGrowing, ServeInit, ServeMedia, Wait
from origin.urls.request import MediaObject
from packager.layout import ChunkName, InitName, SegmentName
from packager.timeline.model import Timeline, TrackTimeline
from packager.timeline.segment_table import Segment
from packager.timing.ticks import micros_of

_EARLIER = Fraction(9, 10)
"""Extra seconds of the wait for the next segment with low latency; below the caches' time-outs."""


def decide_media(request: MediaObject, timeline: Timeline) -> Plan:
    """The plan for an init section, a segment or a chunk."""
    track = timeline.tracks.get(request.track)
    if track is None:
        return Refuse(404, "no such track", Freshness.UNKNOWN)
    match request.name:
        case InitName():
            return _init(request, request.name, timeline)
        case SegmentName(number):
            if (segment := track.segments.numbered(number)) is not None:
                return _segment(request, timeline, segment)
            return _unfinished(request, request.name, timeline, track)
        case ChunkName(number, index):
            return _chunk(request, timeline, track, number, index)
        case _:
            assert_never(request.name)


def _init(request: MediaObject, name: InitName, timeline: Timeline) -> Plan:
    for period in timeline.periods:
        track = period.tracks.get(request.track)
        if track is not None and track.version == name.version:
            return ServeInit(request.channel, track, name, period.anchor.utc)
    return Refuse(404, "no such version of the init section", Freshness.UNKNOWN)


def _segment(request: MediaObject, timeline: Timeline, segment: Segment) -> ServeMedia:
    return ServeMedia(
        channel=request.channel,
        track=request.track,
        file=SegmentName(segment.number),
        kind=timeline.track(request.track, segment.period).kind,
        offset=0,
        size=segment.size,
        etag=f'"{segment.published:x}-{segment.size:x}"',
        modified=segment.published,
    )


def _unfinished(
    request: MediaObject, name: SegmentName, timeline: Timeline, track: TrackTimeline
) -> Plan:
    """The plan for a segment that is incomplete or missing."""
    number, duration = name.number, timeline.grid.duration
    if not timeline.part_target:
        return absent(track, number, timeline)
    # One track may complete a segment a moment before another.
    missing = absent(track, number, timeline, 1 if track.open else 0)
    if not isinstance(missing, Wait):
        return missing
    if number == track.open_number:
        kind = timeline.track(track.id, track.open_period).kind
        whole = replace(missing, at_most=PATIENCE * duration)
        return ServeGrowing(request.channel, track.id, name, kind, whole)
    # Shaka requests it when the previous segment has just begun.
    return replace(missing, at_most=min(duration, duration / 2 + _EARLIER))


def _chunk(
    request: MediaObject, timeline: Timeline, track: TrackTimeline, number: int, index: int
) -> Plan:
    at = track.segments.index_of(number)
    if at < len(track.segments) and (segment := track.segments[at]).number == number:
        chunks, period = track.segments.chunks(at), segment.period
        if index >= len(chunks):
            return Refuse(404, "the segment has no such chunk", Freshness.UNKNOWN)
    elif number == track.open_number and index < len(track.open):
        chunks, period = track.open, track.open_period
    else:
        # The first chunk of the next segment follows the last chunk of the open one.
        ahead = 1 if track.open and index == 0 else 0
        return absent(track, number, timeline, ahead)
    chunk = chunks[index]
    description = timeline.track(track.id, period)
    return ServeMedia(
        channel=request.channel,
        track=track.id,
        file=SegmentName(number),
        kind=description.kind,
        offset=chunk.offset,
        size=chunk.size,
        # Equal before and after the segment is complete.
        etag=f'"{chunk.start:x}-{chunk.offset:x}-{chunk.size:x}"',
        modified=micros_of(chunk.start + chunk.duration, description.timescale),
    )
