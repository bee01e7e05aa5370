"""The plan for a manifest or an MPD patch."""

from fractions import Fraction
from math import ceil
from typing import assert_never

from origin.decision.availability import PATIENCE, stale, unavailable
from origin.decision.channel_state import ChannelSnapshot
from origin.decision.plan import Freshness, Plan, Refuse, ServeManifest, Wait
from origin.urls.request import Manifest, ManifestKind, Reload
from origin.urls.view import CatchUpView, EventView, RollingView, StartOverView
from packager.layout import PatchName
from packager.manifest.smooth.client_manifest import listed
from packager.manifest.window import Window, begun, leading, limited, rolling, stretch
from packager.timeline.model import FOREVER, Timeline, TrackTimeline, kept
from packager.timeline.retention import SPARE, first_named
from packager.timeline.staleness import is_stale
from packager.timing.ticks import UtcMicros

_PARTS_AHEAD = 3
"""Advance part limit (RFC 8216bis section 6.2.5.2): parts of these seconds, or as many
parts if they are longer than a second."""
_SEGMENTS_AHEAD = 2
_NOT_SHOWN = Refuse(404, "the device profile excludes that track", Freshness.UNKNOWN)


def decide_manifest(request: Manifest, channel: ChannelSnapshot, now: UtcMicros) -> Plan:
    """The plan for a playlist, an MPD, a patch of one or a Smooth manifest."""
    timeline = channel.timeline
    if request.track and request.track not in timeline.tracks and timeline.edge >= 0:
        return Refuse(404, "no such track", Freshness.UNKNOWN)
    match request.view:
        case RollingView():
            return _rolling(request, channel, now)
        case StartOverView(start):
            return _stretch(request, channel, now, start, None)
        case CatchUpView(start, end):
            return _stretch(request, channel, now, start, end)
        case EventView(name):
            event = timeline.events.get(name)
            if event is None:
                return Refuse(404, "no such event", Freshness.UNKNOWN)
            return _stretch(request, channel, now, event.start, event.end)
        case _:
            assert_never(request.view)


def _rolling(request: Manifest, channel: ChannelSnapshot, now: UtcMicros) -> Plan:
    timeline = channel.timeline
    if is_stale(timeline, now):
        return stale(timeline)
    if channel.is_without_feed:
        return unavailable(timeline, "the channel has no feed")
    is_low = channel.device(request.device).latency == "low"
    if is_low and request.kind is ManifestKind.HLS_MEDIA and (target := timeline.part_target):
        return _leading(request, channel, target)
    window = rolling(timeline, channel.depth, first_named(timeline))
    if window is None:
        return unavailable(timeline, "no data yet")
    return _serve(request, channel, window)


def _leading(request: Manifest, channel: ChannelSnapshot, target: Fraction) -> Plan:
    """The plan for a media playlist that lists parts."""
    timeline = channel.timeline
    track = timeline.tracks.get(request.track)
    if track is None:
        return unavailable(timeline, "no data yet")
    if (refused := _hidden(request, channel)) is not None:
        return refused
    if request.reload is not None:
        awaited = _awaited(request.reload, timeline, track, target)
        if awaited is not None:
            return awaited
    window = leading(timeline, channel.depth, request.track, first_named(timeline))
    if window is None:
        return unavailable(timeline, "no data yet")
    return _serve(request, channel, window)


def _hidden(request: Manifest, channel: ChannelSnapshot) -> Plan | None:
    """The refusal if the device profile excludes the track in the current period."""
    current = channel.timeline.period
    if current is None or request.track not in current.tracks:
        return None
    shown = channel.device(request.device).chosen(current.tracks.values())
    return None if request.track in shown else _NOT_SHOWN


def _awaited(
    asked: Reload, timeline: Timeline, track: TrackTimeline, target: Fraction
) -> Plan | None:
    """The plan for a playlist that lacks the requested part; None if it has it (6.2.5.2).

    `target`: the longest duration of a part, in seconds.
    """
    following, chunks = begun(timeline, track)
    number, part = asked.number, asked.part
    if number == track.segments.last_number and part is not None:
        newest = len(track.segments.chunks(len(track.segments) - 1))
        if part >= newest:
            # The part after a segment's last is the first part of the next segment.
            number, part = number + 1, 0
    if number < following or (part is not None and number == following and part < len(chunks)):
        return None
    each = ceil(timeline.grid.duration / target)
    ahead = (number - following) * each + (part or 0) - len(chunks)
    most = _PARTS_AHEAD if target >= 1 else ceil(_PARTS_AHEAD / target)
    if number >= following + _SEGMENTS_AHEAD or (part is not None and ahead >= most):
        return Refuse(400, "the requested part is too far in the future", Freshness.SOON)
    late = Refuse(
        503, "the requested part was not produced in time", Freshness.UNAVAILABLE, retry_after=1
    )
    return Wait(PATIENCE * timeline.grid.duration, late)


def _stretch(
    request: Manifest,
    channel: ChannelSnapshot,
    now: UtcMicros,
    start: UtcMicros,
    end: UtcMicros | None,
) -> Plan:
    """The plan for the view between two instants, or from the first one on."""
    timeline = channel.timeline
    first = timeline.grid.number_at_micros(start)
    last = FOREVER if end is None else max(first, timeline.grid.ending_before(end))
    over = timeline.ended or timeline.edge >= last or (end is not None and end <= now)
    # A view past its end may wait for its last segments; a running view follows the edge.
    ended = timeline.ended or timeline.edge >= last or (over and is_stale(timeline, now))
    if timeline.edge < 0 or (not ended and is_stale(timeline, now)):
        return stale(timeline)
    if first > timeline.edge and not ended:
        return Refuse(404, "the view has not begun yet", Freshness.SOON)
    named = kept(timeline, first_named(timeline))
    inside = [pair for pair in named if pair[0] <= last and pair[1] >= first]
    if not inside:
        return Refuse(404, "the view left the retention", Freshness.GONE)
    # The retention may have removed the middle: an ended view keeps its first part, a running view
    # its last.
    chosen = inside[0 if ended else -1]
    begins, last = max(first, chosen[0]), min(last, chosen[1])
    stays = begins == first
    window = stretch(timeline, begins, last, ended=ended, stays=stays, since=first)
    if window is None:
        return Refuse(404, "nothing was recorded then", Freshness.HOLE)
    late = first < min(window.first, timeline.trimmed)
    return _serve(request, channel, window, late=late)


def _serve(
    request: Manifest, channel: ChannelSnapshot, window: Window, *, late: bool = False
) -> Plan:
    timeline = channel.timeline
    if request.track and all(track.latest.id != request.track for track in window.tracks):
        if window.ended:
            return Refuse(404, "the track has no data in the window", Freshness.UNKNOWN)
        return unavailable(timeline, "the track has no data in the window")
    window = _shown(request, channel, window)
    if request.track and all(track.latest.id != request.track for track in window.tracks):
        return _NOT_SHOWN
    if request.kind is ManifestKind.SMOOTH and not any(
        listed(window, track) for track in window.tracks
    ):
        return unavailable(timeline, "no fragment can be published yet")
    if request.patch is not None:
        return _patch(request, channel, window, request.patch)
    return ServeManifest(request, window, late=late, lasts=_lasts(channel, window))


def _shown(request: Manifest, channel: ChannelSnapshot, window: Window) -> Window:
    """`window` within the limits of the device profile."""
    return limited(window, channel.device(request.device)) if request.device else window


def _lasts(channel: ChannelSnapshot, window: Window) -> Fraction | None:
    """Seconds for which all media of a window is kept at least; None without a known end.

    New segments push old ones out of the retention.
    """
    timeline = channel.timeline
    if timeline.ended or any(
        first <= window.first and window.last <= last
        for first, last in kept(timeline, FOREVER)
        if first != FOREVER
    ):
        return None
    duration = timeline.grid.duration
    by_time = window.first + channel.retention // duration - timeline.edge - SPARE
    if not timeline.trimmed:
        return max(0, by_time) * duration
    by_room = window.first - first_named(timeline)
    return min(max(0, min(by_time, by_room)) * duration, _room(timeline, window.first))


def _room(timeline: Timeline, first: int) -> Fraction:
    """Seconds until new media, at the highest rate so far, needs the space of older segments."""
    tracks = timeline.tracks.values()
    size = sum(t.segments.between(timeline.trimmed, first - 1).size for t in tracks)
    fastest = sum(track.peak for track in tracks)
    return Fraction(size * 8, max(1, fastest))


def _patch(request: Manifest, channel: ChannelSnapshot, window: Window, asked: PatchName) -> Plan:
    """The plan for a patch from the MPD named by `asked` to the window's newest MPD."""
    timeline = channel.timeline
    if window.ended or not window.stays or asked.number > window.last:
        return ServeManifest(request, window)
    if asked.number == window.last:
        return Wait(timeline.grid.duration / 2, Refuse(404, "nothing is new", Freshness.SOON))
    before = stretch(
        timeline, window.first, asked.number, ended=False, stays=True, since=window.since
    )
    if before is not None:
        before = _shown(request, channel, before)
    return ServeManifest(request, window, before=before)
