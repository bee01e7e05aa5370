"""What is wrong with a feed, in plain sentences: for whoever sends it.

Nothing is wrong that a channel does not notice: what is asked of a feed is what its ladder needs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from packager.feed.container import Report
from packager.profile import EncodeLadder, Ladder
from packager.ticks import round_half_up
from packager.units import format_duration

_SILENT_MS = 1000
_STILL_MS = 1000
_MUTE_MS = 2000
_LATE_SOUND_MS = 1500
"""Broadcast multiplexes send pictures a second ahead of their sound."""
_EARLY_SOUND_MS = 300
_LONG_GROUP = Fraction(10)
"""Seconds between keyframes after which a switch to the feed is felt to take long."""
_SLIGHT = 1.02
"""By how much an interval is measured too long, at most."""
_CLOCK_PPM = 50
"""What a poor quartz is off by; a good one, and what ISO/IEC 13818-1 asks for, by 30."""
_FASTEST_PPM = 500
"""That `packager.drift` makes up for."""
_SAME_RATE = 0.0005
"""Share by which the same frame rate may be measured otherwise: 29.97 and 30 are 0.001 apart."""
_FEW_BITS = 0.5
"""Share of the highest rung's bit rate below which the feed has nothing to fill it with."""
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Facts:
    """What a channel wants of its feed, as far as it is known."""

    segment: Fraction | None = None
    """Seconds of a segment."""
    copied: frozenset[str] | None = None
    """Codecs that can be passed through, by ffmpeg's names; None where all is encoded."""
    frame_rate: Fraction | None = None
    """Frames a second of what is encoded; None where nothing is."""
    bitrate: int = 0
    """Bit/s of the highest rung that is encoded."""
    earlier: Report | None = None
    """How the feed was some time ago: what happened before then is not told again."""
    since: int = 0
    """Seconds from then to the report; 0 for all the time since the feed came."""


def facts_of(ladder: Ladder, segment: Fraction, copyable: frozenset[str]) -> Facts:
    """What `ladder` wants, with segments of `segment` seconds; `copyable` codecs pass through."""
    if isinstance(ladder, EncodeLadder):
        bitrate = max(rung.bitrate for rung in ladder.video)
        return Facts(segment, frame_rate=ladder.frame_rate, bitrate=bitrate)
    return Facts(segment, copied=copyable)


def advice(report: Report, facts: Facts) -> list[str]:
    """A sentence for everything that is wrong, the most serious first."""
    if report.silent_ms >= _SILENT_MS:
        return [f"nothing has come for {_seconds(report.silent_ms)}"]
    return [
        *_absent(report),
        *_uncopied(report, facts),
        *_lost(report, facts),
        *_keyframes(report, facts),
        *_times(report, facts),
        *_pace(report, facts),
    ]


def _seconds(milliseconds: int) -> str:
    return format_duration(Fraction(round_half_up(Fraction(milliseconds, 100)), 10))[:-1] + " s"


def _share(number: float) -> str:
    """`number` with two digits after the point, at most."""
    return f"{number:.2f}".rstrip("0").rstrip(".")


def _absent(report: Report) -> Iterator[str]:
    if not report.video:
        yield "no picture"
    elif report.still_ms is None:
        yield f"no picture, though {report.video} is announced"
    elif report.still_ms >= _STILL_MS:
        yield f"no picture for {_seconds(report.still_ms)}"
    if not report.audio:
        yield "no sound"
    elif report.mute_ms is None:
        yield f"no sound, though {report.audio[0]} is announced"
    elif report.mute_ms >= _MUTE_MS:
        yield f"no sound for {_seconds(report.mute_ms)}"


def _uncopied(report: Report, facts: Facts) -> Iterator[str]:
    if facts.copied is None:
        return
    for codec in dict.fromkeys((report.video, *report.audio)):
        if codec and codec not in facts.copied:
            yield f"codec {codec} cannot be passed through"


def _lately(facts: Facts) -> str:
    """How long the counts are over."""
    if not facts.since:
        return ""
    minute = 60
    return f" in the last {'minute' if facts.since == minute else f'{facts.since} s'}"


def _count(number: int, what: str) -> str:
    return f"{number} {what} was" if number == 1 else f"{number} {what}s were"


def _lost(report: Report, facts: Facts) -> Iterator[str]:
    before = facts.earlier or Report()
    lost = report.continuity_errors - before.continuity_errors
    if lost > 0:
        yield f"{_count(lost, 'packet')} lost or damaged on the line{_lately(facts)}"
    junk = report.junk_bytes - before.junk_bytes
    if junk > 0:
        yield f"{_count(junk, 'byte')} no part of a packet{_lately(facts)}"


def _keyframes(report: Report, facts: Facts) -> Iterator[str]:
    interval = report.keyframe_interval
    if interval is None:
        return
    said = _share(interval)
    if facts.copied is not None and facts.segment and interval > facts.segment * _SLIGHT:
        yield (
            f"keyframes every {said} s: segments of {format_duration(facts.segment)[:-1]} s "
            "cannot each start on one in passthrough"
        )
    elif interval > _LONG_GROUP:
        yield f"keyframes every {said} s: for so long nobody can start, nor a fault be over"


def _times(report: Report, facts: Facts) -> Iterator[str]:
    before = facts.earlier or Report()
    jumps = report.jumps - before.jumps
    if jumps > 0:
        times = "once" if jumps == 1 else f"{jumps} times"
        yield f"the timestamps of pictures jumped {times}{_lately(facts)}"
    skew = report.skew_ms or 0
    if skew >= _EARLY_SOUND_MS:
        yield f"the sound is {skew} ms ahead of the picture on the line"
    elif skew <= -_LATE_SOUND_MS:
        yield f"the sound is {-skew} ms behind the picture on the line"
    ppm = report.clock_ppm or 0
    if abs(ppm) >= _CLOCK_PPM:
        day = round(abs(ppm) * _DAY / 1_000_000)
        way = "fast" if ppm > 0 else "slow"
        more = ", more than is made up for" if abs(ppm) > _FASTEST_PPM else ""
        yield f"the feed's clock is {abs(ppm)} ppm {way}: {day} s a day{more}"


def _pace(report: Report, facts: Facts) -> Iterator[str]:
    before = facts.earlier or Report()
    dropped = report.dropped_frames - before.dropped_frames
    if dropped > 0:
        yield f"{_count(dropped, 'picture')} left out by the encoder or lost{_lately(facts)}"
    late = report.late_frames - before.late_frames
    if late > 0:
        yield f"{_count(late, 'picture')} late by half a second or more{_lately(facts)}"
    if report.unsteady:
        yield "the frame rate varies: pictures are not all equally far apart"
    yield from _frame_rate(report, facts)
    bitrate = report.bitrate
    if bitrate is not None and bitrate < facts.bitrate * _FEW_BITS:
        has, wants = _share(bitrate / 1e6), _share(facts.bitrate / 1e6)
        yield f"{has} Mbit/s go into a rung of {wants}: it looks no better than the feed"


def _frame_rate(report: Report, facts: Facts) -> Iterator[str]:
    rate, wanted = report.frame_rate, facts.frame_rate
    if rate is None or wanted is None or report.unsteady:
        return
    ratio = rate / float(wanted)
    if abs(ratio - 1) <= _SAME_RATE:
        return
    becomes = "dropped" if ratio > 1 else "repeated"
    yield (
        f"{_share(rate)} frames/s go into a ladder of {_share(float(wanted))}: "
        f"pictures are {becomes}"
    )
