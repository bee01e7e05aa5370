"""The plan for a request: every rule of the HTTP contract, without I/O.

| request | response |
| --- | --- |
| existing media | it |
| the next segment | wait for at most half a segment, then 404 (Smooth: 412) |
| the growing segment of a low-latency channel | it, chunk by chunk |
| such a channel's playlist with a future part | wait for at most three segments, then 503 |
| a later one | 404 at once (Smooth: 412) |
| a segment that left the retention | 410 (Smooth: 404) |
| a hole | 404 (Smooth: 412) |
| no such channel, track, rendition or version | 404 |
| a live manifest, or future media, of a channel whose edge is stale | 503 |
| the rolling window during a filler that must not be served | 503 |
| an invalid path | 400 |
"""

from dataclasses import replace
from typing import assert_never

from origin.decision.availability import stale, unless_stale
from origin.decision.channel_state import ChannelSnapshot
from origin.decision.fragment import decide_fragment
from origin.decision.manifest import decide_manifest
from origin.decision.media import decide_media
from origin.decision.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeHealth,
    ServeTime,
)
from origin.urls.request import (
    BadTarget,
    HealthCheck,
    Manifest,
    MediaObject,
    Request,
    SmoothFragment,
    StretchRedirect,
    TimeOfDay,
    UnknownTarget,
)
from origin.urls.view import CatchUpView, EventView, canonical
from packager.timeline.model import Timeline
from packager.timeline.staleness import stale_at
from packager.timing.ticks import UtcMicros

_NEVER = UtcMicros(1 << 62)
_MILLI = 1000
"""Microseconds: the resolution of the clock's response."""


def decide(request: Request, channel: ChannelSnapshot | None, now: UtcMicros) -> Plan:
    """The plan for `request`; `channel` is None for an unknown name."""
    match request:
        case HealthCheck():
            return ServeHealth()
        case BadTarget(reason):
            return Refuse(400, reason, Freshness.BAD)
        case UnknownTarget():
            return Refuse(404, "nothing of that name", Freshness.UNKNOWN)
        case TimeOfDay():
            return ServeTime(UtcMicros(now - now % _MILLI))
        case _ if channel is None:
            return Refuse(404, "no such channel", Freshness.UNKNOWN)
        case _:
            return _of_channel(request, channel, now)


def _of_channel(
    request: Manifest | StretchRedirect | MediaObject | SmoothFragment,
    channel: ChannelSnapshot,
    now: UtcMicros,
) -> Plan:
    timeline = channel.timeline
    match request:
        case Manifest(device=device) | StretchRedirect(manifest=Manifest(device=device)) if (
            device and device not in channel.devices
        ):
            return Refuse(404, "no such device", Freshness.UNKNOWN)
        case Manifest():
            return decide_manifest(request, channel, now)
        case StretchRedirect():
            return _moved(request, timeline)
        case MediaObject():
            return unless_stale(decide_media(request, timeline), timeline, now)
        case SmoothFragment():
            return unless_stale(decide_fragment(request, timeline, now), timeline, now)
        case _:
            assert_never(request)


def settled_until(request: Request, channel: ChannelSnapshot | None, now: UtcMicros) -> UtcMicros:
    """The instant up to which `decide` returns the same plan for the same timeline.

    It is far in the future if time changes nothing.
    """
    if isinstance(request, TimeOfDay):
        return UtcMicros(now - now % _MILLI + _MILLI)
    if channel is None:
        return _NEVER
    changes = [stale_at(channel.timeline)]
    if isinstance(request, Manifest):
        match request.view:
            case CatchUpView(end=end):
                changes.append(end)
            case EventView(name) if (event := channel.timeline.events.get(name)) is not None:
                changes.append(event.end)
            case _:
                pass
    return min((at for at in changes if at is not None and at > now), default=_NEVER)


def _moved(request: StretchRedirect, timeline: Timeline) -> Plan:
    if not timeline.channel:
        return stale(timeline)
    view = canonical(request.start, request.end, timeline.grid)
    manifest = request.manifest
    moved = replace(manifest, view=view)
    return Redirect(f"/live/{request.channel}/{moved.folder}{moved.file}")
