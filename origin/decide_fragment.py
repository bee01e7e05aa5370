"""What the answer to a request for a Smooth fragment is."""

from collections.abc import Sequence

from origin.missing import absent
from origin.plan import Freshness, Plan, Refuse, ServeFragment, Wait
from origin.request import Fragment
from packager.columns import Segment
from packager.manifest.smooth.client_manifest import LOOK_AHEAD
from packager.smooth_clock import TIMESCALE, TOLERANCE, instant, span
from packager.staleness import is_stale
from packager.ticks import UtcMicros
from packager.timeline import Timeline, TrackTimeline

_MISSED = TIMESCALE // 40
"""How far before its boundary a segment may start: half a frame of sound, amply."""
_NOT_YET = Refuse(412, "not there yet", Freshness.SOON)
"""What Smooth says of a fragment that is still to come."""


def decide_fragment(request: Fragment, timeline: Timeline, now: UtcMicros) -> Plan:
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
    request: Fragment,
    timeline: Timeline,
    track: TrackTimeline,
    segments: Sequence[Segment],
    now: UtcMicros,
) -> Plan:
    """The first of `segments`, which names those after it."""
    found, *following = segments
    goes_on = _goes_on(timeline, track)
    if not following and goes_on and not is_stale(timeline, now):
        return Wait(timeline.grid.duration / 2, _NOT_YET)
    return ServeFragment(
        request.channel,
        timeline.track(track.id, found.period),
        found,
        tuple(_span(timeline, track.id, segment) for segment in following),
        final=not (following or goes_on),
    )


def _goes_on(timeline: Timeline, track: TrackTimeline) -> bool:
    """Whether more of a track is to be expected."""
    current = timeline.period
    if timeline.ended or current is None:
        return False
    # A period that has just begun may not have named all its tracks.
    return track.id in current.tracks or timeline.edge < current.number


def _quality_levels(request: Fragment, timeline: Timeline) -> list[TrackTimeline]:
    """The tracks that the request can mean, the newest first: a ladder may have had others."""
    ids = [
        track.id
        for period in reversed(timeline.periods)
        for track in period.tracks.values()
        if (track.kind, track.bitrate) == (request.kind, request.bitrate)
    ]
    return [timeline.tracks[track_id] for track_id in dict.fromkeys(ids)]


def _span(timeline: Timeline, track_id: str, segment: Segment) -> tuple[int, int]:
    return span(segment, timeline.track(track_id, segment.period).timescale)


def _no_fragment(plan: Plan) -> Plan:
    """In Smooth's words what CMAF's clients are told of a segment that is not there."""
    match plan:
        case Wait(at_most, _):
            return Wait(at_most, _NOT_YET)
        case Refuse(status=410, reason=reason, freshness=freshness):
            return Refuse(404, reason, freshness)
        case Refuse(reason=reason, freshness=freshness):
            return Refuse(412, reason, freshness)
        case _:
            return plan
