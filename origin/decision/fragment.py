"""The plan for a Smooth fragment."""

from collections.abc import Sequence

from origin.decision.availability import absent
from origin.decision.plan import Freshness, Plan, Refuse, ServeFragment, Wait
from origin.urls.request import SmoothFragment
from packager.manifest.smooth.client_manifest import LOOK_AHEAD
from packager.timeline.model import Timeline, TrackTimeline
from packager.timeline.segment_table import Segment
from packager.timeline.staleness import is_stale
from packager.timing.smooth_time import TIMESCALE, TOLERANCE, instant, span
from packager.timing.ticks import UtcMicros

_MISSED = TIMESCALE // 40
"""Ticks by which a segment may start before its boundary: more than half an audio frame."""
_NOT_YET = Refuse(412, "not there yet", Freshness.SOON)
"""Smooth's status for a future fragment."""


def decide_fragment(request: SmoothFragment, timeline: Timeline, now: UtcMicros) -> Plan:
    """The plan for a fragment of Smooth Streaming."""
    tracks = _quality_levels(request, timeline)
    if not tracks:
        return Refuse(404, "no such quality level", Freshness.UNKNOWN)
    number = timeline.grid.number_at_micros(instant(request.time + _MISSED))
    for track in tracks:
        segments = track.segments.between(0, timeline.edge)
        for index in range(segments.index_of(number - 1), segments.index_of(number + 1)):
            start, _ = _span(timeline, track.id, segments[index])
            if abs(start - request.time) <= TOLERANCE:
                pieces = segments[index : index + 1 + LOOK_AHEAD]
                return _found_fragment(request, timeline, track, pieces, now)
    return _no_fragment(absent(tracks[0], number, timeline))


def _found_fragment(
    request: SmoothFragment,
    timeline: Timeline,
    track: TrackTimeline,
    segments: Sequence[Segment],
    now: UtcMicros,
) -> Plan:
    """The fragment of the first segment; it names the following ones (`tfrf`)."""
    found, *following = segments
    continues = _continues(timeline, track)
    if not following and continues and not is_stale(timeline, now):
        return Wait(timeline.grid.duration / 2, _NOT_YET)
    return ServeFragment(
        request.channel,
        timeline.track(track.id, found.period),
        found,
        tuple(_span(timeline, track.id, segment) for segment in following),
        final=not (following or continues),
    )


def _continues(timeline: Timeline, track: TrackTimeline) -> bool:
    """Whether more segments of a track are expected."""
    current = timeline.period
    if timeline.ended or current is None:
        return False
    # The journal may not have all tracks of a new period yet.
    return track.id in current.tracks or timeline.edge < current.number


def _quality_levels(request: SmoothFragment, timeline: Timeline) -> list[TrackTimeline]:
    """Tracks with the requested kind and bit rate, newest first, those of earlier ladders too."""
    ids = [
        track.id
        for period in reversed(timeline.periods)
        for track in period.tracks.values()
        if (track.kind, track.bitrate) == (request.kind, request.bitrate)
    ]
    return [timeline.tracks[track_id] for track_id in dict.fromkeys(ids)]


def _span(timeline: Timeline, track_id: str, segment: Segment) -> tuple[int, int]:
    return span(segment.start, segment.end, timeline.track(track_id, segment.period).timescale)


def _no_fragment(plan: Plan) -> Plan:
    """The plan for a missing segment, with the statuses of Smooth."""
    match plan:
        case Wait(at_most, _):
            return Wait(at_most, _NOT_YET)
        case Refuse(status=410, reason=reason, freshness=freshness):
            return Refuse(404, reason, freshness)
        case Refuse(reason=reason, freshness=freshness):
            return Refuse(412, reason, freshness)
        case _:
            return plan
