"""What the answer to a request is: every rule of the HTTP contract, and no I/O.

| asked for | answer |
| --- | --- |
| what is there | it |
| the next segment | wait for at most half a segment, then 404 (Smooth: 412) |
| the segment that is being written, of a channel with low latency | it, as it comes |
| such a channel's playlist with a part to come | wait for at most three segments, then 503 |
| a later one | 404 at once (Smooth: 412) |
| a segment that left the retention | 410 (Smooth: 404) |
| a hole | 404 (Smooth: 412) |
| no such channel, track, rendition or version | 404 |
| a live manifest, or media that is still to come, of a channel whose edge is stale | 503 |
| the rolling window of a channel that has no feed, where its filler is not to be served | 503 |
| what no path can mean | 400 |
"""

from dataclasses import replace
from typing import assert_never

from origin.decide_fragment import decide_fragment
from origin.decide_manifest import decide_manifest
from origin.decide_media import decide_media
from origin.known import ChannelView
from origin.missing import stale, unless_stale
from origin.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeHealth,
    ServeTime,
)
from origin.request import (
    Bad,
    Fragment,
    Health,
    Manifest,
    Media,
    Request,
    Stretched,
    TimeOfDay,
    Unknown,
)
from origin.view import Between, OfEvent, canonical
from packager.staleness import stale_at
from packager.ticks import UtcMicros
from packager.timeline import Timeline

_NEVER = UtcMicros(1 << 62)
_MILLI = 1000
"""Microseconds: as exactly as the time is told."""


def decide(request: Request, channel: ChannelView | None, now: UtcMicros) -> Plan:
    """The plan for `request`; `channel` is None where there is none of that name."""
    match request:
        case Health():
            return ServeHealth()
        case Bad(reason):
            return Refuse(400, reason, Freshness.BAD)
        case Unknown():
            return Refuse(404, "nothing of that name", Freshness.UNKNOWN)
        case TimeOfDay():
            return ServeTime(UtcMicros(now - now % _MILLI))
        case _ if channel is None:
            return Refuse(404, "no such channel", Freshness.UNKNOWN)
        case _:
            return _of_channel(request, channel, now)


def _of_channel(
    request: Manifest | Stretched | Media | Fragment, channel: ChannelView, now: UtcMicros
) -> Plan:
    timeline = channel.timeline
    match request:
        case Manifest(device=device) | Stretched(manifest=Manifest(device=device)) if (
            device and device not in channel.devices
        ):
            return Refuse(404, "no such device", Freshness.UNKNOWN)
        case Manifest():
            return decide_manifest(request, channel, now)
        case Stretched():
            return _moved(request, timeline)
        case Media():
            return unless_stale(decide_media(request, timeline), timeline, now)
        case Fragment():
            return unless_stale(decide_fragment(request, timeline, now), timeline, now)
        case _:
            assert_never(request)


def settled_until(request: Request, channel: ChannelView | None, now: UtcMicros) -> UtcMicros:
    """The instant before which `decide` says what it says `now`, while the timeline stays as it is.

    It never comes where time changes nothing.
    """
    if isinstance(request, TimeOfDay):
        return UtcMicros(now - now % _MILLI + _MILLI)
    if channel is None:
        return _NEVER
    changes = [stale_at(channel.timeline)]
    if isinstance(request, Manifest):
        match request.view:
            case Between(end=end):
                changes.append(end)
            case OfEvent(name) if (event := channel.timeline.events.get(name)) is not None:
                changes.append(event.end)
            case _:
                pass
    return min((at for at in changes if at is not None and at > now), default=_NEVER)


def _moved(request: Stretched, timeline: Timeline) -> Plan:
    if not timeline.channel:
        return stale(timeline)
    view = canonical(request.start, request.end, timeline.grid)
    manifest = request.manifest
    moved = replace(manifest, view=view)
    return Redirect(f"/live/{request.channel}/{moved.folder}{moved.file}")
