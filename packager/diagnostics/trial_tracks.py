"""Measures of the tracks of a ladder trial: sizes, rates, gaps and alignment."""

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from packager.config.ladder import (
    Ladder,
    PassthroughLadder,
    VideoRendition,
    encoded_audio,
    encoded_video,
    may_copy_video,
)
from packager.timeline.model import Timeline, TrackTimeline
from packager.timing.ticks import MICROS, micros_of
from packager.track import TrackKind

_SAME_INSTANT = MICROS // 1000
"""Microseconds by which two renditions of one segment may start apart."""


class TrackResult(msgspec.Struct, frozen=True, kw_only=True):
    """The measures of one track. Rates in bit/s."""

    id: str
    kind: TrackKind
    segments: int
    """Complete segments."""
    average: int
    peak: int
    """Rate of the segment with the highest rate."""
    nominal: int = 0
    """0 if the ladder sets no bit rate."""
    maxrate: int = 0
    """0 if the ladder sets no maximum."""
    over: int = 0
    """Segments larger than `maxrate` and a full buffer allow."""
    missing: int = 0
    """Segments missing between the first and the last."""
    off_grid: int = 0
    """Segments that do not start at a boundary of the channel's grid."""


def track_result(ladder: Ladder, timeline: Timeline, track: TrackTimeline) -> TrackResult:
    """The measures of `track`."""
    latest = timeline.latest(track.id)
    rendition = _rendition(ladder, track.id)
    bits, spans = _sizes(timeline, track)
    rates = [size / span for size, span in zip(bits, spans, strict=True)]
    numbers = list(track.segments.every_number)
    limits = [rendition.maxrate * span + rendition.bufsize for span in spans] if rendition else []
    return TrackResult(
        id=track.id,
        kind=TrackKind.AUDIO if latest is None else latest.kind,
        segments=len(numbers),
        average=round(sum(bits) / sum(spans)) if spans else 0,
        peak=round(max(rates, default=Fraction(0))),
        nominal=_nominal(ladder, track.id, rendition),
        maxrate=rendition.maxrate if rendition else 0,
        over=sum(size > limit for size, limit in zip(bits, limits, strict=False)),
        missing=numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0,
        off_grid=_off_grid(ladder, timeline, track),
    )


def are_aligned(timeline: Timeline, tracks: Sequence[str]) -> bool:
    """Whether all renditions of a segment start at the same instant, to a millisecond."""
    starts: dict[int, int] = {}
    for name in tracks:
        for segment in timeline.tracks[name].segments:
            at = micros_of(segment.start, timeline.track(name, segment.period).timescale)
            if abs(starts.setdefault(segment.number, at) - at) > _SAME_INSTANT:
                return False
    return True


def _rendition(ladder: Ladder, track: str) -> VideoRendition | None:
    return next((rendition for rendition in encoded_video(ladder) if rendition.id == track), None)


def _nominal(ladder: Ladder, track: str, rendition: VideoRendition | None) -> int:
    if rendition is not None:
        return rendition.bitrate
    return next((audio.bitrate for audio in encoded_audio(ladder) if audio.id == track), 0)


def _sizes(timeline: Timeline, track: TrackTimeline) -> tuple[list[int], list[Fraction]]:
    """Bits and seconds of each segment."""
    bits: list[int] = []
    spans: list[Fraction] = []
    for segment in track.segments:
        if segment.duration:
            bits.append(8 * segment.size)
            timescale = timeline.track(track.id, segment.period).timescale
            spans.append(Fraction(segment.duration, timescale))
    return bits, spans


def _off_grid(ladder: Ladder, timeline: Timeline, track: TrackTimeline) -> int:
    """Number of segments that start half a frame or more from their boundary.

    0 if video is copied: then segments start at the keyframes of the feed.
    """
    if may_copy_video(ladder) or isinstance(ladder, PassthroughLadder) or not ladder.frame_rate:
        return 0
    half_frame = MICROS / ladder.frame_rate / 2
    return sum(
        abs(
            micros_of(segment.start, timeline.track(track.id, segment.period).timescale)
            - timeline.grid.micros(segment.number)
        )
        >= half_frame
        for segment in track.segments
    )
