"""The problems of a feed in plain sentences, for the operator of its encoder.

The requirements are those of the channel's ladder: a property that the channel does not need is no
problem.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from packager.config.ladder import (
    CopiedVideo,
    EncodeLadder,
    Ladder,
    MixedLadder,
    encoded_video,
    may_copy,
    may_copy_video,
)
from packager.config.quantities import format_duration
from packager.feed.report import Report
from packager.timing.ticks import round_half_up

_SILENT_MS = 1000
_STILL_MS = 1000
_MUTE_MS = 2000
LATE_AUDIO_MS = 1500
"""Broadcast multiplexes send video a second ahead of its audio."""
EARLY_AUDIO_MS = 300
_LONG_GROUP = Fraction(10)
"""Seconds between keyframes from which on a switch to the feed takes noticeably long."""
_TOLERANCE = 1.02
"""Relative error of a measured interval."""
CLOCK_PPM = 50
"""The error of a poor quartz; ISO/IEC 13818-1 allows 30 ppm."""
_MAX_PPM = 500
"""The error that the segmenter corrects."""
_SAME_RATE = 0.0005
"""Relative difference of equal frame rates: 29.97 and 30 differ by 0.001."""
_LOW_BITRATE = 0.5
"""Share of the highest rendition's bit rate below which the feed cannot fill it."""
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class FeedRequirements:
    """The requirements of a channel on its feed. Unknown ones are None."""

    segment: Fraction | None = None
    """Seconds of a segment."""
    copied: frozenset[str] | None = None
    """Codecs of video that can be copied, by ffmpeg's names; None if the ladder copies no video."""
    encodes_others: bool = False
    """Video of other codecs is encoded."""
    may_copy: bool = False
    """A track may be a stream of the feed, whose parameters it has."""
    frame_rate: Fraction | None = None
    """Frames a second of the ladder; None where they are the feed's."""
    deinterlaces: bool = False
    """The ladder deinterlaces an interlaced feed."""
    bitrate: int = 0
    """Bit/s of the highest encoded rendition."""
    earlier: Report | None = None
    """An earlier report: its counters are subtracted."""
    since: int = 0
    """Seconds from the earlier report to the report; 0 for the whole connection."""

    @property
    def needs_copyable_video(self) -> bool:
        """Whether video of other codecs than `copied` cannot be packaged."""
        return self.copied is not None and not self.encodes_others


def facts_of(ladder: Ladder, segment: Fraction, copyable: frozenset[str]) -> FeedRequirements:
    """The requirements of `ladder`, with segments of `segment` seconds."""
    if may_copy_video(ladder):
        encodes = isinstance(ladder, MixedLadder) and not isinstance(ladder.video[0], CopiedVideo)
        return FeedRequirements(segment, copied=copyable, encodes_others=encodes, may_copy=True)
    if not isinstance(ladder, EncodeLadder | MixedLadder):
        raise TypeError(ladder)
    return FeedRequirements(
        segment,
        may_copy=may_copy(ladder),
        frame_rate=ladder.frame_rate,
        deinterlaces=ladder.deinterlaces(interlaced=True),
        bitrate=max(rendition.bitrate for rendition in encoded_video(ladder)),
    )


def advice(report: Report, facts: FeedRequirements) -> list[str]:
    """A sentence for each problem, the most serious first."""
    if report.silent_ms >= _SILENT_MS:
        return [f"no bytes for {_seconds(report.silent_ms)}"]
    return [
        *_missing_media(report),
        *_unsupported_video(report, facts),
        *_fields(report, facts),
        *_losses(report, facts),
        *_keyframes(report, facts),
        *_timestamps(report, facts),
        *_pace(report, facts),
    ]


def _seconds(milliseconds: int) -> str:
    return format_duration(Fraction(round_half_up(Fraction(milliseconds, 100)), 10))[:-1] + " s"


def _decimal(number: float) -> str:
    """`number` with at most two decimal places."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _missing_media(report: Report) -> Iterator[str]:
    if not report.video:
        yield "no video"
    elif report.still_ms is None:
        yield f"no video, although {report.video} is announced"
    elif report.still_ms >= _STILL_MS:
        yield f"no video for {_seconds(report.still_ms)}"
    if not report.audio:
        yield "no audio"
    elif report.mute_ms is None:
        yield f"no audio, although {report.audio[0]} is announced"
    elif report.mute_ms >= _MUTE_MS:
        yield f"no audio for {_seconds(report.mute_ms)}"
    for pid in report.absent[: len(report.audio) - 1]:
        yield f"audio {pid} is announced, but sends nothing: it is left out until it does"


def _unsupported_video(report: Report, facts: FeedRequirements) -> Iterator[str]:
    if facts.needs_copyable_video and report.video and report.video not in (facts.copied or ()):
        yield f"codec {report.video} cannot be passed through: encode it with a ladder"


def _fields(report: Report, facts: FeedRequirements) -> Iterator[str]:
    if not report.interlaced:
        return
    if facts.copied is not None:
        yield "the video is interlaced, and most players show combs: encode it with a ladder"
    elif facts.deinterlaces:
        yield "the video is interlaced: the ladder deinterlaces it"
    elif facts.frame_rate is not None:
        yield "the video is interlaced, and viewers see combs: set `deinterlace: auto`"
    else:
        yield "the video is interlaced"


def _period(facts: FeedRequirements) -> str:
    """The period over which events are counted."""
    if not facts.since:
        return ""
    minute = 60
    return f" in the last {'minute' if facts.since == minute else f'{facts.since} s'}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun} was" if number == 1 else f"{number} {noun}s were"


def _losses(report: Report, facts: FeedRequirements) -> Iterator[str]:
    before = facts.earlier or Report()
    lost = report.continuity_errors - before.continuity_errors
    if lost > 0:
        yield f"{_count(lost, 'packet')} lost or damaged on the network{_period(facts)}"
    junk = report.junk_bytes - before.junk_bytes
    if junk > 0:
        yield f"{_count(junk, 'byte')} outside all packets{_period(facts)}"


def _keyframes(report: Report, facts: FeedRequirements) -> Iterator[str]:
    interval = report.keyframe_interval
    if interval is None:
        return
    text = f"keyframe interval is {_decimal(interval)} s"
    if facts.copied is not None and facts.segment and interval > facts.segment * _TOLERANCE:
        yield (
            f"{text}: in passthrough, segments of {format_duration(facts.segment)[:-1]} s "
            "need a keyframe each"
        )
    elif interval > _LONG_GROUP:
        yield (
            f"{text}: a viewer cannot start, and a decoding error persists, until the next keyframe"
        )


def _timestamps(report: Report, facts: FeedRequirements) -> Iterator[str]:
    before = facts.earlier or Report()
    jumps = report.jumps - before.jumps
    if jumps > 0:
        times = "once" if jumps == 1 else f"{jumps} times"
        yield f"timestamps jumped {times}{_period(facts)}"
    skew = report.skew_ms or 0
    if skew >= EARLY_AUDIO_MS:
        yield f"audio arrives {skew} ms before its video"
    elif skew <= -LATE_AUDIO_MS:
        yield f"audio arrives {-skew} ms after its video"
    ppm = report.clock_ppm or 0
    if abs(ppm) >= CLOCK_PPM:
        day = round(abs(ppm) * _DAY / 1_000_000)
        direction = "fast" if ppm > 0 else "slow"
        more = ", more than can be corrected" if abs(ppm) > _MAX_PPM else ""
        yield f"the encoder's clock is {abs(ppm)} ppm {direction}: {day} s a day{more}"


def _pace(report: Report, facts: FeedRequirements) -> Iterator[str]:
    before = facts.earlier or Report()
    dropped = report.dropped_frames - before.dropped_frames
    if dropped > 0:
        yield f"{_count(dropped, 'frame')} dropped by the encoder or lost{_period(facts)}"
    late = report.late_frames - before.late_frames
    if late > 0:
        yield f"{_count(late, 'frame')} late by half a second or more{_period(facts)}"
    if report.unsteady:
        yield "the frame rate varies: set a constant frame rate in the encoder"
    yield from _frame_rate(report, facts)
    bitrate = report.bitrate
    if bitrate is not None and bitrate < facts.bitrate * _LOW_BITRATE:
        has, wants = _decimal(bitrate / 1e6), _decimal(facts.bitrate / 1e6)
        yield (
            f"the feed has {has} Mbit/s, the highest rendition {wants} Mbit/s: "
            "the rendition looks no better than the feed"
        )


def _frame_rate(report: Report, facts: FeedRequirements) -> Iterator[str]:
    rate, wanted = report.frame_rate, facts.frame_rate
    if rate is None or wanted is None or report.unsteady:
        return
    ratio = rate / float(wanted)
    if abs(ratio - 1) <= _SAME_RATE:
        return
    effect = "dropped" if ratio > 1 else "repeated"
    yield (
        f"the feed has {_decimal(rate)} frames/s, the ladder {_decimal(float(wanted))}: "
        f"frames are {effect}"
    )
