"""What the answer to a request is: every rule of the HTTP contract, and no I/O.

| asked for | answer |
| --- | --- |
| what is there | it |
| the next segment | wait for at most half a segment, then 404 (Smooth: 412) |
| a later one | 404 at once (Smooth: 412) |
| a segment that left the retention | 410 (Smooth: 404) |
| a hole | 404 (Smooth: 412) |
| no such channel, track, rendition or version | 404 |
| a manifest of a channel without data, or whose live edge is stale | 503 and Retry-After |
| what no path can mean | 400 |
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

from origin.plan import (
    Freshness,
    Plan,
    Refuse,
    ServeFragment,
    ServeHealth,
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
    Request,
    TimeOfDay,
    Unknown,
)
from packager.layout import ChunkName, InitName, SegmentName
from packager.manifest.smooth.client_manifest import LOOK_AHEAD, listed
from packager.smooth_clock import TOLERANCE, media_time, smooth_time
from packager.ticks import UtcMicros, micros_of
from packager.timeline import Segment, Segments, Timeline, TrackTimeline
from packager.track import Track
from packager.window import rolling

STALE_SEGMENTS = 8
"""A live edge that trails the clock by more is no longer handed out as live."""


@dataclass(frozen=True, slots=True)
class ChannelView:
    """What the origin knows of a channel: its journal's timeline, and its configuration."""

    timeline: Timeline
    window: Fraction
    """Seconds of the rolling window."""

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
            return ServeTime(now)
        case Manifest():
            return _no_channel() if channel is None else _manifest(request, channel, now)
        case Media():
            return _no_channel() if channel is None else _media(request, channel.timeline)
        case Fragment():
            return _no_channel() if channel is None else _fragment(request, channel.timeline)
        case _:
            assert_never(request)


def _no_channel() -> Refuse:
    return Refuse(404, "no such channel", Freshness.UNKNOWN)


def is_stale(timeline: Timeline, now: UtcMicros) -> bool:
    """Whether the live edge trails `now` by more than a viewer may be told is live."""
    behind = timeline.grid.number_at_micros(now) - timeline.edge
    return not timeline.ended and behind > STALE_SEGMENTS


def _unavailable(timeline: Timeline, reason: str) -> Refuse:
    retry = max(1, round(timeline.grid.duration))
    return Refuse(503, reason, Freshness.UNAVAILABLE, retry_after=retry)


def _manifest(request: Manifest, channel: ChannelView, now: UtcMicros) -> Plan:
    timeline = channel.timeline
    if is_stale(timeline, now):
        said = "no data yet" if timeline.edge < 0 else "the live edge has gone stale"
        return _unavailable(timeline, said)
    window = rolling(timeline, channel.depth)
    if window is None:
        return _unavailable(timeline, "no data yet")
    if request.kind is ManifestKind.HLS_MEDIA:
        if request.track not in timeline.tracks:
            return Refuse(404, "no such track", Freshness.UNKNOWN)
        if all(track.latest.id != request.track for track in window.tracks):
            return _unavailable(timeline, "the track has no data in the window")
    if request.kind is ManifestKind.SMOOTH and not any(
        listed(window, track) for track in window.tracks
    ):
        return _unavailable(timeline, "no fragment can be published yet")
    return ServeManifest(request, window)


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
            return _absent(track, number, timeline)
        case ChunkName(number, index):
            return _chunk(request, timeline, track, number, index)
        case _:
            assert_never(request.name)


def _init(request: Media, name: InitName, timeline: Timeline) -> Plan:
    for period in timeline.periods:
        track = period.tracks.get(request.track)
        if track is not None and track.version == name.version:
            return ServeMedia(
                channel=request.channel,
                track=track.id,
                file=name,
                kind=track.kind,
                offset=0,
                size=None,
                etag=f'"{name.version}"',
                modified=period.anchor.utc,
            )
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


def _chunk(
    request: Media, timeline: Timeline, track: TrackTimeline, number: int, index: int
) -> Plan:
    segment = track.segments.numbered(number)
    if segment is not None:
        chunks, period = segment.chunks, segment.period
        if index >= len(chunks):
            return Refuse(404, "the segment has no such chunk", Freshness.UNKNOWN)
    elif number == track.open_number and index < len(track.open):
        chunks, period = track.open, track.open_period
    else:
        # The open segment's last chunk is followed by the first of the segment after it.
        ahead = 2 if track.open and index == 0 else 1
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


def _absent(track: TrackTimeline, number: int, timeline: Timeline, ahead: int = 1) -> Plan:
    """Why a segment is not there, and what to do: one at most `ahead` of the newest is awaited."""
    newest = max(track.last_number, timeline.edge)
    if number > newest:
        later = Refuse(404, "not there yet", Freshness.SOON)
        near = number <= newest + ahead and not timeline.ended
        return Wait(timeline.grid.duration / 2, later) if near else later
    if number < timeline.trimmed:
        return Refuse(410, "left the retention", Freshness.GONE)
    return Refuse(404, "a hole in the timeline", Freshness.HOLE)


def _fragment(request: Fragment, timeline: Timeline) -> Plan:
    track = _quality_level(request, timeline)
    if track is None:
        return Refuse(404, "no such quality level", Freshness.UNKNOWN)
    segments = timeline.tracks[track.id].segments
    segments = segments.between(0, timeline.edge)
    at = media_time(request.time, track.timescale)
    index = segments.index_of(timeline.grid.number_at(at, track.timescale) - 1)
    while index < len(segments) and _start(segments[index], track) < request.time - TOLERANCE:
        index += 1
    if index < len(segments) and _start(segments[index], track) <= request.time + TOLERANCE:
        following = segments[index + 1 : index + 1 + LOOK_AHEAD]
        if following or timeline.ended:
            return ServeFragment(request.channel, track, segments[index], tuple(following))
        return _later(timeline)
    return _no_fragment(request, timeline, track, segments)


def _quality_level(request: Fragment, timeline: Timeline) -> Track | None:
    for track_id in timeline.tracks:
        track = timeline.latest(track_id)
        if track is not None and (track.kind, track.bitrate) == (request.kind, request.bitrate):
            return track
    return None


def _start(segment: Segment, track: Track) -> int:
    return smooth_time(segment.start, track.timescale)


def _later(timeline: Timeline) -> Wait:
    return Wait(timeline.grid.duration / 2, Refuse(412, "not there yet", Freshness.SOON))


def _no_fragment(request: Fragment, timeline: Timeline, track: Track, segments: Segments) -> Plan:
    """Why no fragment starts at the time asked for."""
    if not segments or request.time < _start(segments[0], track):
        return Refuse(404, "left the retention", Freshness.GONE)
    last = segments[-1]
    end = smooth_time(last.end, track.timescale)
    if request.time < end:
        return Refuse(412, "no fragment starts there", Freshness.HOLE)
    near = request.time <= end + TOLERANCE and not timeline.ended
    return _later(timeline) if near else Refuse(412, "not there yet", Freshness.SOON)
