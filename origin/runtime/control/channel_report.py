"""One channel in the answer of `/api/status`: packager status, timeline, views, tracks."""

from collections.abc import Iterator
from fractions import Fraction

import msgspec

from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.telemetry.metrics import live_edge
from origin.urls.view import EventView, canonical, path_of
from packager.diagnostics.status import ChannelStatus, decode
from packager.layout import STATUS
from packager.manifest.window import window_track
from packager.timeline.model import Timeline, TrackTimeline
from packager.timeline.retention import first_named
from packager.timing.ticks import MICROS, UtcMicros, iso8601, micros_of

_MOST_EVENTS = 50
"""The page lists the newest events only."""
_HISTORY = 60
"""Segments of a track in the bit rate plot."""


def report(channel: FollowedChannel, now: UtcMicros, root: str) -> dict[str, object]:
    """The JSON object of a channel; `root` precedes the paths in `urls`."""
    timeline = channel.timeline
    edge = live_edge(timeline)
    base = f"{root}/live/{channel.name}"
    return {
        "name": channel.name,
        **_packager_status(channel),
        "segment_duration": float(timeline.grid.duration),
        "live_edge": None if edge is None else iso8601(edge),
        "live_edge_age": None if edge is None else round((now - edge) / MICROS, 2),
        "period": timeline.period.index if timeline.period else None,
        "urls": {
            "hls": f"{base}/index.m3u8",
            "dash": f"{base}/index.mpd",
            "smooth": f"{base}/index.ism/Manifest",
        },
        "views": _views(timeline),
        "tracks": list(_tracks(timeline)),
    }


def _packager_status(channel: FollowedChannel) -> dict[str, object]:
    status = _read_status(channel)
    if status is None:
        return {"state": "unknown"}
    fields: dict[str, object] = msgspec.to_builtins(status)
    fields["since"] = iso8601(UtcMicros(status.since))
    if status.problem_at is not None:
        fields["problem_at"] = iso8601(UtcMicros(status.problem_at))
    return fields


def _read_status(channel: FollowedChannel) -> ChannelStatus | None:
    try:
        return decode((channel.folder / STATUS).read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def _views(timeline: Timeline) -> dict[str, str]:
    """The part of a view's URL that follows the channel, by the view's name on the page."""
    views = {"live": ""}
    if timeline.edge < 0:
        return views
    oldest = [t.segments[0].number for t in timeline.tracks.values() if t.segments]
    first = max(first_named(timeline), min(oldest, default=0))
    views["all that is kept"] = path_of(canonical(timeline.grid.micros(first), None, timeline.grid))
    newest_first = sorted(timeline.events.values(), key=lambda event: event.start, reverse=True)
    for event in newest_first[:_MOST_EVENTS]:
        views[f"event {event.name}"] = path_of(EventView(event.name))
    return views


def _tracks(timeline: Timeline) -> Iterator[dict[str, object]]:
    for track in timeline.tracks.values():
        measured = window_track(timeline, track.id, track.segments[-_HISTORY:])
        if measured is None:
            continue
        latest = measured.latest
        yield {
            "id": track.id,
            "kind": latest.kind,
            "codecs": latest.codecs,
            "width": latest.width,
            "height": latest.height,
            "frame_rate": str(latest.frame_rate or ""),
            "bitrate": latest.bitrate,
            "average": measured.average,
            "peak": measured.bandwidth,
            "segments": len(track.segments),
            "history": list(_history(track, latest.timescale)),
        }


def _history(track: TrackTimeline, timescale: int) -> Iterator[tuple[float, int]]:
    """End (Unix seconds) and bit rate (bit/s) of the newest segments."""
    for segment in track.segments[-_HISTORY:]:
        if segment.duration:
            rate = Fraction(segment.size * 8 * timescale, segment.duration)
            yield micros_of(segment.end, timescale) / MICROS, round(rate)
