"""What is said of what is not there, and how long it is waited for."""

from origin.plan import Freshness, Plan, Refuse, ServeGrowing, Wait
from packager.staleness import is_stale
from packager.ticks import UtcMicros
from packager.timeline import Timeline, TrackTimeline

PATIENCE = 3
"""Segments' time for which a playlist, or more of a segment, is waited for: a stalled encoder shall
pin nobody."""


def unavailable(timeline: Timeline, reason: str) -> Refuse:
    """503, to be asked again in a segment's time."""
    retry = max(1, round(timeline.grid.duration))
    return Refuse(503, reason, Freshness.UNAVAILABLE, retry_after=retry)


def stale(timeline: Timeline) -> Refuse:
    """503, as nothing came or comes."""
    said = "no data yet" if timeline.edge < 0 else "the live edge has gone stale"
    return unavailable(timeline, said)


def unless_stale(plan: Plan, timeline: Timeline, now: UtcMicros) -> Plan:
    """`plan`, but where what is to come will not come here: a CDN shall ask another origin."""
    match plan:
        case Wait() | ServeGrowing() | Refuse(freshness=Freshness.SOON) if _has_gone_stale(
            timeline, now
        ):
            return stale(timeline)
        case _:
            return plan


def _has_gone_stale(timeline: Timeline, now: UtcMicros) -> bool:
    """Whether there was a live edge: before there is one, media of it may be on its way."""
    return timeline.edge >= 0 and is_stale(timeline, now)


def absent(track: TrackTimeline, number: int, timeline: Timeline, ahead: int = 0) -> Plan:
    """Why a segment is not there, and what to do about it.

    The next one is awaited, and where `ahead` is 1 the one after it too.
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
