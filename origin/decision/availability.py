"""Plans for media that is not there: wait, 404, 410 or 503."""

from origin.decision.plan import Freshness, Plan, Refuse, ServeGrowing, Wait
from packager.timeline.model import Timeline, TrackTimeline
from packager.timeline.staleness import is_stale
from packager.timing.ticks import UtcMicros

PATIENCE = 3
"""Longest wait for a playlist or a growing segment, in segment durations. A stalled encoder then
releases its viewers."""


def unavailable(timeline: Timeline, reason: str) -> Refuse:
    """503 with a Retry-After of one segment duration."""
    retry = max(1, round(timeline.grid.duration))
    return Refuse(503, reason, Freshness.UNAVAILABLE, retry_after=retry)


def stale(timeline: Timeline) -> Refuse:
    """503 because the live edge is missing or stale."""
    reason = "no data yet" if timeline.edge < 0 else "the live edge has gone stale"
    return unavailable(timeline, reason)


def unless_stale(plan: Plan, timeline: Timeline, now: UtcMicros) -> Plan:
    """`plan`, or 503 for future media of a stale edge, so that a CDN asks another origin."""
    match plan:
        case Wait() | ServeGrowing() | Refuse(freshness=Freshness.SOON) if _has_gone_stale(
            timeline, now
        ):
            return stale(timeline)
        case _:
            return plan


def _has_gone_stale(timeline: Timeline, now: UtcMicros) -> bool:
    """Whether an existing live edge is stale. Without one, the first media may be near."""
    return timeline.edge >= 0 and is_stale(timeline, now)


def absent(track: TrackTimeline, number: int, timeline: Timeline, ahead: int = 0) -> Plan:
    """The plan for a segment that does not exist.

    The next segment is waited for; if `ahead` is 1, the one after it too.
    """
    if number < timeline.trimmed:
        return Refuse(410, "left the retention", Freshness.GONE)
    newest = max(track.last_number, timeline.edge)
    started = timeline.period.number if timeline.period else 0
    upcoming = max(newest + 1, track.open_number, started)
    near = number == track.open_number or upcoming <= number <= upcoming + ahead
    later = Refuse(404, "not there yet", Freshness.SOON)
    if near and not timeline.ended:
        return Wait(timeline.grid.duration / 2, later)
    if number > newest:
        return later
    return Refuse(404, "a hole in the timeline", Freshness.HOLE)
