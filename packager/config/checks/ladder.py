"""Rules of one ladder."""

from collections.abc import Iterator
from fractions import Fraction

from packager.config.decoding.report import FileReport
from packager.config.ladder import (
    EncodedVideo,
    EncodeLadder,
    EncodingLadder,
    Ladder,
    MixedLadder,
    PassthroughLadder,
    VideoRendition,
    may_copy_video,
)
from packager.config.quantities import format_duration
from packager.layout import RESERVED
from packager.timing.ticks import round_half_up

_SHORTEST_SEGMENT = Fraction(1, 2)
_LONGEST_SEGMENT = Fraction(20)
"""Seconds."""

_FASTEST = 240
"""Frames a second."""


def check_ladder(ladder: object, path: str, report: FileReport) -> None:
    """Check what no single field of a ladder can hold."""
    if isinstance(ladder, MixedLadder):
        _check_copies(ladder, report)
    if isinstance(ladder, EncodeLadder | MixedLadder):
        _check_frame_rate(ladder, report)
        _check_rates(ladder, report)
        _check_names(ladder, report)
        _check_bitrates(ladder, report)
    if not isinstance(ladder, EncodeLadder | MixedLadder | PassthroughLadder):
        raise TypeError(ladder, path)
    if (fault := segment_fault(ladder.segment, ladder)) is not None:
        report.broken("segment", *fault, "frame_rate")


def segment_fault(segment: Fraction, ladder: Ladder) -> tuple[str, str] | None:
    """Why `ladder` cannot have segments of `segment` seconds, with a remedy; None if it can."""
    if not _SHORTEST_SEGMENT <= segment <= _LONGEST_SEGMENT:
        low, high = format_duration(_SHORTEST_SEGMENT), format_duration(_LONGEST_SEGMENT)
        return f"expected {low} to {high}, got {format_duration(segment)}", "use for example 1.92s"
    if may_copy_video(ladder) or isinstance(ladder, PassthroughLadder) or not ladder.frame_rate:
        return None
    frames = segment * ladder.frame_rate
    if frames.denominator == 1:
        return None
    whole = max(1, round_half_up(frames)) / ladder.frame_rate
    reason = (
        f"{format_duration(segment)} is not a whole number of frames at "
        f"{ladder.frame_rate} frames/s"
    )
    return reason, f"use {format_duration(whole)}, the nearest duration that is"


def _check_copies(ladder: MixedLadder, report: FileReport) -> None:
    for index, rendition in enumerate(ladder.video[1:], 1):
        if not isinstance(rendition, EncodedVideo):
            reason = "only the first rendition can be a copy: the others are cut where it is"
            report.broken(f"video[{index}].mode", reason, "set mode: encode", "video[0].mode")
    first = ladder.video[0]
    if isinstance(first, VideoRendition) and ladder.frame_rate is None:
        reason = "missing: video may be encoded without a copy beside it"
        report.broken("frame_rate", reason, "add for example `frame_rate: 25`", "video[0].mode")


def _check_frame_rate(ladder: EncodingLadder, report: FileReport) -> None:
    if ladder.frame_rate is None:
        return
    if not 1 <= ladder.frame_rate <= _FASTEST:
        reason = f"expected 1 to {_FASTEST} frames a second, got {ladder.frame_rate}"
        report.broken("frame_rate", reason, "use for example 25 or 30000/1001")


def _renditions(ladder: EncodingLadder) -> Iterator[tuple[int, VideoRendition]]:
    """The encoded video renditions, with their places in the list."""
    for index, rendition in enumerate(ladder.video):
        if isinstance(rendition, VideoRendition):
            yield index, rendition


def _check_rates(ladder: EncodingLadder, report: FileReport) -> None:
    for index, rendition in _renditions(ladder):
        path = f"video[{index}]"
        if rendition.maxrate < rendition.bitrate:
            reason = f"{rendition.maxrate} is less than the bitrate, {rendition.bitrate}"
            remedy = "use 1.2 times the bitrate, or remove maxrate"
            report.broken(f"{path}.maxrate", reason, remedy, f"{path}.bitrate")
        if rendition.profile == "baseline" and rendition.bframes:
            reason = "the baseline profile has no B-frames"
            report.broken(f"{path}.bframes", reason, "set bframes: 0", f"{path}.profile")


def _check_names(ladder: EncodingLadder, report: FileReport) -> None:
    first: dict[str, str] = {}
    places = [(f"video[{index}]", rendition.id) for index, rendition in enumerate(ladder.video)]
    if isinstance(ladder, EncodeLadder):
        places.append(("audio", ladder.audio.id))
    else:
        places += [(f"audio[{index}]", audio.id) for index, audio in enumerate(ladder.audio)]
    for place, name in places:
        path = f"{place}.id"
        if name in RESERVED:
            reason = f"{name!r} is reserved for URLs and files"
            report.broken(path, reason, "use another name, such as 720p")
        if (other := first.setdefault(name, place)) != place:
            reason = f"{name!r} is also the id of {other}"
            report.broken(path, reason, "give every rendition an id of its own", f"{other}.id")


def _check_bitrates(ladder: EncodingLadder, report: FileReport) -> None:
    first: dict[int, str] = {}
    for index, rendition in _renditions(ladder):
        place = f"video[{index}]"
        path = f"{place}.bitrate"
        if (other := first.setdefault(rendition.bitrate, place)) != place:
            reason = f"{rendition.bitrate} is also the bitrate of {other}"
            remedy = "change one of them: Smooth addresses a rendition by its bitrate"
            report.broken(path, reason, remedy, f"{other}.bitrate")
