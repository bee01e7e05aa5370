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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil
from typing import assert_never

from origin.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeFragment,
    ServeGrowing,
    ServeHealth,
    ServeInit,
    ServeManifest,
    ServeMedia,
    ServeTime,
    Wait,
)
from origin.request import (
    Bad,
    Fragment,
    Health,
    Manifest,
    ManifestKind,
    Media,
    Reload,
    Request,
    Stretched,
    TimeOfDay,
    Unknown,
)
from origin.view import Between, From, OfEvent, Rolling, canonical
from packager.columns import Segment
from packager.device import Device
from packager.layout import ChunkName, InitName, PatchName, SegmentName
from packager.manifest.smooth.client_manifest import LOOK_AHEAD, listed
from packager.retention import SPARE, first_named
from packager.smooth_clock import TIMESCALE, TOLERANCE, instant, span
from packager.staleness import is_stale, stale_at
from packager.ticks import MICROS, UtcMicros, micros_of
from packager.timeline import FOREVER, Timeline, TrackTimeline, kept
from packager.window import Window, begun, leading, limited, rolling, stretch

_MISSED = TIMESCALE // 40
"""How far before its boundary a segment may start: half a frame of sound, amply."""
_NEVER = UtcMicros(1 << 62)
_PARTS_AHEAD = 3
"""Seconds' worth of parts that may be asked for before they are there, or so many of them where
they are longer (RFC 8216bis section 6.2.5.2: the advance part limit)."""
_SEGMENTS_AHEAD = 2
_EARLIER = Fraction(9, 10)
"""Seconds that the next segment is held for longer where latency is low: less than caches have."""
_PATIENCE = 3
"""Segments' time for which a playlist, or more of a segment, is waited for: a stalled encoder shall
pin nobody."""
_MILLI = 1000
"""Microseconds: as exactly as the time is told."""
_NOT_YET = Refuse(412, "not there yet", Freshness.SOON)
"""What Smooth says of a fragment that is still to come."""


@dataclass(frozen=True, slots=True)
class ChannelView:
    """What the origin knows of a channel: its journal's timeline, and its configuration."""

    timeline: Timeline
    window: Fraction
    """Seconds of the rolling window."""
    retention: Fraction
    """Seconds that are kept, unless room is wanting."""
    hides_filler: bool = False
    """Whether what is sent while there is no feed counts as no live edge."""
    devices: Mapping[str, Device] = field(default_factory=dict[str, Device])
    """The profiles that there are, by name."""

    @property
    def is_without_feed(self) -> bool:
        """Whether the live edge is none that viewers shall get."""
        timeline = self.timeline
        current = timeline.period
        return (
            self.hides_filler
            and current is not None
            and current.filler
            and timeline.edge >= current.number
        )

    @property
    def depth(self) -> int:
        """Segments of the rolling window."""
        return max(1, self.window // self.timeline.grid.duration)


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
        case Manifest():
            return _manifest(request, channel, now)
        case Stretched():
            return _moved(request, channel.timeline)
        case Media() | Fragment():
            timeline = channel.timeline
            if isinstance(request, Media):
                plan = _media(request, timeline)
            else:
                plan = _fragment(request, timeline, now)
            return _unless_stale(plan, timeline, now)
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


def _unavailable(timeline: Timeline, reason: str) -> Refuse:
    retry = max(1, round(timeline.grid.duration))
    return Refuse(503, reason, Freshness.UNAVAILABLE, retry_after=retry)


def _manifest(request: Manifest, channel: ChannelView, now: UtcMicros) -> Plan:
    timeline = channel.timeline
    if request.device and request.device not in channel.devices:
        return Refuse(404, "no such device", Freshness.UNKNOWN)
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
        return _stale(timeline)
    if channel.is_without_feed:
        return _unavailable(timeline, "there is no feed now")
    device = channel.devices.get(request.device)
    is_low = device is None or device.latency == "low"
    if is_low and request.kind is ManifestKind.HLS_MEDIA and (target := _part_target(timeline)):
        return _leading(request, channel, target)
    window = rolling(timeline, channel.depth, first_named(timeline))
    if window is None:
        return _unavailable(timeline, "no data yet")
    return _serve(request, channel, window)


def _part_target(timeline: Timeline) -> Fraction:
    """Seconds that no part is longer than; 0 where what has begun is not served as it comes."""
    current = timeline.period
    return Fraction(0 if current is None or timeline.ended else current.part, MICROS)


def _leading(request: Manifest, channel: ChannelView, target: Fraction) -> Plan:
    """The plan for a media playlist that lists parts."""
    timeline = channel.timeline
    track = timeline.tracks.get(request.track)
    if track is None:
        return _unavailable(timeline, "no data yet")
    if request.reload is not None:
        awaited = _awaited(request.reload, timeline, track, target)
        if awaited is not None:
            return awaited
    window = leading(timeline, channel.depth, request.track, first_named(timeline))
    if window is None:
        return _unavailable(timeline, "no data yet")
    return _serve(request, channel, window)


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
    return Wait(_PATIENCE * timeline.grid.duration, late)


def _stale(timeline: Timeline) -> Refuse:
    said = "no data yet" if timeline.edge < 0 else "the live edge has gone stale"
    return _unavailable(timeline, said)


def _unless_stale(plan: Plan, timeline: Timeline, now: UtcMicros) -> Plan:
    """`plan`, but where what is to come will not come here: a CDN shall ask another origin."""
    match plan:
        case Wait() | ServeGrowing() | Refuse(freshness=Freshness.SOON) if _has_gone_stale(
            timeline, now
        ):
            return _stale(timeline)
        case _:
            return plan


def _has_gone_stale(timeline: Timeline, now: UtcMicros) -> bool:
    """Whether there was a live edge: before there is one, media of it may be on its way."""
    return timeline.edge >= 0 and is_stale(timeline, now)


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
        return _stale(timeline)
    if first > timeline.edge and not ended:
        return Refuse(404, "it has not begun yet", Freshness.SOON)
    named = kept(timeline, first_named(timeline))
    inside = [pair for pair in named if pair[0] <= last and pair[1] >= first]
    if not inside:
        return Refuse(404, "it left the retention", Freshness.GONE)
    # Of a stretch with much cut out of its middle: what came first, or else what goes on.
    chosen = inside[0 if ended else -1]
    begins, last = max(first, chosen[0]), min(last, chosen[1])
    window = stretch(timeline, begins, last, ended=ended, stays=begins == first)
    if window is None:
        return Refuse(404, "nothing was recorded then", Freshness.HOLE)
    late = first < min(window.first, timeline.trimmed)
    return _serve(request, channel, window, late=late)


def _serve(request: Manifest, channel: ChannelView, window: Window, *, late: bool = False) -> Plan:
    timeline = channel.timeline
    if request.track and all(track.latest.id != request.track for track in window.tracks):
        if window.ended:
            return Refuse(404, "the track has no data in the window", Freshness.UNKNOWN)
        return _unavailable(timeline, "the track has no data in the window")
    window = _shown(request, channel, window)
    if request.track and all(track.latest.id != request.track for track in window.tracks):
        return Refuse(404, "the device is not shown that track", Freshness.UNKNOWN)
    if request.kind is ManifestKind.SMOOTH and not any(
        listed(window, track) for track in window.tracks
    ):
        return _unavailable(timeline, "no fragment can be published yet")
    if request.patch is not None:
        return _patch(request, channel, window, request.patch)
    return ServeManifest(request, window, late=late, lasts=_lasts(channel, window))


def _shown(request: Manifest, channel: ChannelView, window: Window) -> Window:
    """What the one who asks is shown of a window."""
    device = channel.devices.get(request.device)
    return window if device is None else limited(window, device)


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
    before = stretch(timeline, window.first, asked.number, ended=False, stays=True)
    if before is not None:
        before = _shown(request, channel, before)
    return ServeManifest(request, window, before=before)


def _moved(request: Stretched, timeline: Timeline) -> Plan:
    if not timeline.channel:
        return _stale(timeline)
    view = canonical(request.start, request.end, timeline.grid)
    manifest = request.manifest
    moved = replace(manifest, view=view)
    return Redirect(f"/live/{request.channel}/{moved.folder}{moved.file}")


def _media(request: Media, timeline: Timeline) -> Plan:
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


def _init(request: Media, name: InitName, timeline: Timeline) -> Plan:
    for period in timeline.periods:
        track = period.tracks.get(request.track)
        if track is not None and track.version == name.version:
            return ServeInit(request.channel, track, name, period.anchor.utc)
    return Refuse(404, "no such version of the init section", Freshness.UNKNOWN)


def _segment(request: Media, timeline: Timeline, segment: Segment) -> ServeMedia:
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
    request: Media, name: SegmentName, timeline: Timeline, track: TrackTimeline
) -> Plan:
    """The plan for a segment that is not whole, or is not there."""
    number, duration = name.number, timeline.grid.duration
    if not _part_target(timeline):
        return _absent(track, number, timeline)
    # One track may be done with a segment a moment before another is.
    absent = _absent(track, number, timeline, 1 if track.open else 0)
    if not isinstance(absent, Wait):
        return absent
    if number == track.open_number:
        kind = timeline.track(track.id, track.open_period).kind
        whole = replace(absent, at_most=_PATIENCE * duration)
        return ServeGrowing(request.channel, track.id, name, kind, whole)
    # Shaka asks for it while the one before has just begun.
    return replace(absent, at_most=min(duration, duration / 2 + _EARLIER))


def _chunk(
    request: Media, timeline: Timeline, track: TrackTimeline, number: int, index: int
) -> Plan:
    at = track.segments.index_of(number)
    if at < len(track.segments) and (segment := track.segments[at]).number == number:
        chunks, period = track.segments.chunks(at), segment.period
        if index >= len(chunks):
            return Refuse(404, "the segment has no such chunk", Freshness.UNKNOWN)
    elif number == track.open_number and index < len(track.open):
        chunks, period = track.open, track.open_period
    else:
        # The open segment's last chunk is followed by the first of the segment after it.
        ahead = 1 if track.open and index == 0 else 0
        return _absent(track, number, timeline, ahead)
    chunk = chunks[index]
    description = timeline.track(track.id, period)
    return ServeMedia(
        channel=request.channel,
        track=track.id,
        file=SegmentName(number),
        kind=description.kind,
        offset=chunk.offset,
        size=chunk.size,
        # The same before and after the segment is whole.
        etag=f'"{chunk.start:x}-{chunk.offset:x}-{chunk.size:x}"',
        modified=micros_of(chunk.start + chunk.duration, description.timescale),
    )


def _absent(track: TrackTimeline, number: int, timeline: Timeline, ahead: int = 0) -> Plan:
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


def _fragment(request: Fragment, timeline: Timeline, now: UtcMicros) -> Plan:
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
    return _no_fragment(_absent(tracks[0], number, timeline))


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
