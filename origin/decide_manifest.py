"""What the answer to a request for a manifest is."""

from fractions import Fraction
from math import ceil
from typing import assert_never

from origin.known import ChannelView
from origin.missing import PATIENCE, stale, unavailable
from origin.plan import Freshness, Plan, Refuse, ServeManifest, Wait
from origin.request import Manifest, ManifestKind, Reload
from origin.view import Between, From, OfEvent, Rolling
from packager.layout import PatchName
from packager.manifest.smooth.client_manifest import listed
from packager.retention import SPARE, first_named
from packager.staleness import is_stale
from packager.ticks import UtcMicros
from packager.timeline import FOREVER, Timeline, TrackTimeline, kept
from packager.window import Window, begun, leading, limited, rolling, stretch

_PARTS_AHEAD = 3
"""Seconds' worth of parts that may be asked for before they are there, or so many of them where
they are longer (RFC 8216bis section 6.2.5.2: the advance part limit)."""
_SEGMENTS_AHEAD = 2
_NOT_SHOWN = Refuse(404, "the device is not shown that track", Freshness.UNKNOWN)


def decide_manifest(request: Manifest, channel: ChannelView, now: UtcMicros) -> Plan:
    """The plan for a playlist, an MPD, a patch of one or a Smooth manifest."""
    timeline = channel.timeline
    if request.track and request.track not in timeline.tracks and timeline.edge >= 0:
        return Refuse(404, "no such track", Freshness.UNKNOWN)
    match request.view:
        case Rolling():
            return _rolling(request, channel, now)
        case From(start):
            return _stretch(request, channel, now, start, None)
        case Between(start, end):
            return _stretch(request, channel, now, start, end)
        case OfEvent(name):
            event = timeline.events.get(name)
            if event is None:
                return Refuse(404, "no such event", Freshness.UNKNOWN)
            return _stretch(request, channel, now, event.start, event.end)
        case _:
            assert_never(request.view)


def _rolling(request: Manifest, channel: ChannelView, now: UtcMicros) -> Plan:
    timeline = channel.timeline
    if is_stale(timeline, now):
        return stale(timeline)
    if channel.is_without_feed:
        return unavailable(timeline, "there is no feed now")
    is_low = channel.device(request.device).latency == "low"
    if is_low and request.kind is ManifestKind.HLS_MEDIA and (target := timeline.part_target):
        return _leading(request, channel, target)
    window = rolling(timeline, channel.depth, first_named(timeline))
    if window is None:
        return unavailable(timeline, "no data yet")
    return _serve(request, channel, window)


def _leading(request: Manifest, channel: ChannelView, target: Fraction) -> Plan:
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


def _hidden(request: Manifest, channel: ChannelView) -> Plan | None:
    """The refusal where a device is not shown what a track goes on with."""
    current = channel.timeline.period
    if current is None or request.track not in current.tracks:
        return None
    shown = channel.device(request.device).chosen(current.tracks.values())
    return None if request.track in shown else _NOT_SHOWN


def _awaited(
    asked: Reload, timeline: Timeline, track: TrackTimeline, target: Fraction
) -> Plan | None:
    """What to do about what a playlist does not have yet; None where it has it (6.2.5.2).

    `target`: seconds that no part is longer than.
    """
    following, chunks = begun(timeline, track)
    number, part = asked.number, asked.part
    if number == track.segments.last_number and part is not None:
        newest = len(track.segments.chunks(len(track.segments) - 1))
        if part >= newest:
            # One more than there are is the first of the next.
            number, part = number + 1, 0
    if number < following or (part is not None and number == following and part < len(chunks)):
        return None
    each = ceil(timeline.grid.duration / target)
    ahead = (number - following) * each + (part or 0) - len(chunks)
    most = _PARTS_AHEAD if target >= 1 else ceil(_PARTS_AHEAD / target)
    if number >= following + _SEGMENTS_AHEAD or (part is not None and ahead >= most):
        return Refuse(400, "that is too far in the future", Freshness.SOON)
    late = Refuse(503, "it does not come", Freshness.UNAVAILABLE, retry_after=1)
    return Wait(PATIENCE * timeline.grid.duration, late)


def _stretch(
    request: Manifest,
    channel: ChannelView,
    now: UtcMicros,
    start: UtcMicros,
    end: UtcMicros | None,
) -> Plan:
    """The plan for what lies between two instants, or is still to come after the first."""
    timeline = channel.timeline
    first = timeline.grid.number_at_micros(start)
    last = FOREVER if end is None else max(first, timeline.grid.ending_before(end))
    over = timeline.ended or timeline.edge >= last or (end is not None and end <= now)
    # What has begun may be waiting for its last segments; what is not over goes on with the edge.
    ended = timeline.ended or timeline.edge >= last or (over and is_stale(timeline, now))
    if timeline.edge < 0 or (not ended and is_stale(timeline, now)):
        return stale(timeline)
    if first > timeline.edge and not ended:
        return Refuse(404, "it has not begun yet", Freshness.SOON)
    named = kept(timeline, first_named(timeline))
    inside = [pair for pair in named if pair[0] <= last and pair[1] >= first]
    if not inside:
        return Refuse(404, "it left the retention", Freshness.GONE)
    # Of a stretch with much cut out of its middle: what came first, or else what goes on.
    chosen = inside[0 if ended else -1]
    begins, last = max(first, chosen[0]), min(last, chosen[1])
    stays = begins == first
    window = stretch(timeline, begins, last, ended=ended, stays=stays, since=first)
    if window is None:
        return Refuse(404, "nothing was recorded then", Freshness.HOLE)
    late = first < min(window.first, timeline.trimmed)
    return _serve(request, channel, window, late=late)


def _serve(request: Manifest, channel: ChannelView, window: Window, *, late: bool = False) -> Plan:
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


def _shown(request: Manifest, channel: ChannelView, window: Window) -> Window:
    """What the one who asks is shown of a window."""
    return limited(window, channel.device(request.device)) if request.device else window


def _lasts(channel: ChannelView, window: Window) -> Fraction | None:
    """Seconds that all that a window names stays at least; None where nothing is known to end it.

    Segments leave the retention as others come.
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
    """Seconds until media takes the room of all before a segment, coming as fast as it ever did."""
    tracks = timeline.tracks.values()
    octets = sum(t.segments.between(timeline.trimmed, first - 1).octets for t in tracks)
    fastest = sum(track.peak for track in tracks)
    return Fraction(octets * 8, max(1, fastest))


def _patch(request: Manifest, channel: ChannelView, window: Window, asked: PatchName) -> Plan:
    """The plan for what the MPD of a window has more than the one that is `asked` from."""
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
