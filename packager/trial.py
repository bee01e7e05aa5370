"""What a ladder costs and whether it holds real time, reckoned from what was measured of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from packager.ffmpeg.progress import Progress
from packager.profile import EncodeLadder, Ladder, VideoRung
from packager.ticks import MICROS, Grid, micros_of
from packager.timeline import Timeline, TrackTimeline
from packager.track import TrackKind

SETTLES = 2.0
"""Seconds at the beginning that do not count: encoders fill their queues."""
_ENOUGH = 0.98
"""Seconds of media a second: what is missing would have added up to a cut within minutes."""
_JITTER = 0.2
"""Seconds by which arrivals differ that are on time."""
_TAKEN = 0.3
"""Of all cores, by other processes: a ladder that is too slow may not be too large."""
_MUCH = 0.85
"""Of all cores: with more, a busier picture or anything else on the machine is too much."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Media that has come."""

    at: float
    """Seconds on a clock that never steps."""
    media: Fraction
    """Seconds of media up to its end."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a process took."""

    cpu: float
    """CPU seconds a second."""
    memory: int
    """Bytes at most."""


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one track. Rates in bit/s."""

    id: str
    kind: TrackKind
    segments: int
    """Whole ones."""
    average: int
    peak: int
    """Of the highest segment."""
    nominal: int = 0
    maxrate: int = 0
    """0, as above, where a ladder names none."""
    over: int = 0
    """Segments larger than `maxrate` and a full buffer allow."""
    missing: int = 0
    """Segments that are not there between the first and the last."""
    off_grid: int = 0
    """Segments that do not begin where the channel's grid has a boundary."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a ladder was seen to do."""

    ladder: str
    source: str
    holds: bool
    verdict: str
    """In one sentence."""
    pace: float
    """Seconds of media that came out a second, of the slowest rendition."""
    speed: float | None
    """The same as ffmpeg says it: of the whole run, its start included."""
    seconds: float
    """How long it ran."""
    cores: int
    """Of this machine."""
    share: float
    """Of all cores' time, that both processes together took: 0 to 1."""
    others: float
    """That all other processes took."""
    ffmpeg: Usage
    packager: Usage
    frames: int
    """Into the first rendition."""
    dropped: int
    duplicated: int
    aligned: bool
    """All renditions of the picture are cut at the same instants."""
    renditions: tuple[Rendition, ...]
    problems: tuple[str, ...] = ()
    """Breaks in the timeline."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial run has left."""

    ladder: Ladder
    source: str
    """In words."""
    timeline: Timeline
    """As it was before what was open was ended."""
    arrivals: Mapping[str, Sequence[Arrival]]
    """By track, in order."""
    progress: Progress
    seconds: float
    cores: int
    ffmpeg: Usage
    packager: Usage
    busy: float
    """Of all cores' time, that was not idle: 0 to 1."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast media came."""

    ratio: float
    """Seconds of media a second."""
    short: float
    """Seconds of media that are missing of as much as there was time for."""

    @property
    def holds(self) -> bool:
        return self.ratio >= _ENOUGH or (self.ratio > 0 and self.short < _JITTER)


def judge(measured: Measured) -> Trial:
    """What is to be said of a trial run."""
    timeline = measured.timeline
    renditions = tuple(
        _rendition(measured.ladder, timeline, track) for track in timeline.tracks.values()
    )
    pictures = [track.id for track in renditions if track.kind is TrackKind.VIDEO]
    paces = [_pace(measured.arrivals[name]) for name in pictures]
    pace = min(paces, key=lambda one: one.ratio, default=_Pace(0.0, 0.0))
    share = (measured.ffmpeg.cpu + measured.packager.cpu) / measured.cores
    others = max(0.0, measured.busy - share)
    aligned = _aligned(timeline, pictures)
    if pace.holds:
        fault = _fault(measured, renditions, aligned=aligned)
    else:
        fault = f"{pace.ratio:.2f} x real time; {_way(measured.ladder, others)}"
    return Trial(
        ladder=measured.ladder.name,
        source=measured.source,
        holds=not fault,
        verdict=f"does not hold: {fault}" if fault else _praise(share, measured.cores),
        pace=round(pace.ratio, 3),
        speed=measured.progress.speed,
        seconds=round(measured.seconds, 1),
        cores=measured.cores,
        share=round(share, 3),
        others=round(others, 3),
        ffmpeg=measured.ffmpeg,
        packager=measured.packager,
        frames=measured.progress.frames,
        dropped=measured.progress.dropped,
        duplicated=measured.progress.duplicated,
        aligned=aligned,
        renditions=renditions,
        problems=measured.problems,
    )


def _praise(share: float, cores: int) -> str:
    machine = "core" if cores == 1 else f"{cores} cores"
    much = ", which leaves little for anything else" if share > _MUCH else ""
    return f"holds real time with {_percent(share)} of this machine's {machine}{much}"


def _way(ladder: Ladder, others: float) -> str:
    """What to do where media comes too slowly."""
    if others > _TAKEN:
        return f"other processes took {_percent(others)} of this machine: see to them first"
    if isinstance(ladder, EncodeLadder):
        return "take faster presets or fewer rungs"
    return "nothing is encoded: the source is read too slowly"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _fault(measured: Measured, renditions: Sequence[Rendition], *, aligned: bool) -> str:
    """What else is wrong; empty where nothing is."""
    encoded = isinstance(measured.ladder, EncodeLadder)
    if measured.problems:
        return f"the timeline broke: {measured.problems[0]}"
    if not all(track.segments for track in renditions):
        return "no segment became whole"
    if short := [track.id for track in renditions if track.missing]:
        return f"segments are missing in {', '.join(short)}"
    if encoded and not aligned:
        return "renditions are not cut at the same instants"
    off = [track.id for track in renditions if track.off_grid and track.kind is TrackKind.VIDEO]
    if encoded and off:
        return f"keyframes are off the grid in {', '.join(off)}"
    return ""


def _pace(arrivals: Sequence[Arrival]) -> _Pace:
    """How fast media came, once it had settled.

    From the promptest arrival of the first third to that of the last: sources have pauses, as where
    a file is looped, which are made good at once.
    """
    settled = [one for one in arrivals if one.at >= arrivals[0].at + SETTLES]
    third = len(settled) // 3
    if not third:
        return _Pace(0.0, 0.0)
    first, last = (
        min(part, key=lambda one: one.at - float(one.media))
        for part in (settled[:third], settled[-third:])
    )
    time, media = last.at - first.at, float(last.media - first.media)
    return _Pace(media / time, time - media) if time > 0 else _Pace(0.0, 0.0)


def _aligned(timeline: Timeline, tracks: Sequence[str]) -> bool:
    """Whether segments of the same number begin at the same instant, to a millisecond."""
    begins: dict[int, int] = {}
    for name in tracks:
        for segment in timeline.tracks[name].segments:
            at = micros_of(segment.start, timeline.track(name, segment.period).timescale)
            if abs(begins.setdefault(segment.number, at) - at) > MICROS // 1000:
                return False
    return True


def _rendition(ladder: Ladder, timeline: Timeline, track: TrackTimeline) -> Rendition:
    kind = _kind(timeline, track.id)
    rung = _rung(ladder, track.id)
    bits, spans = _sizes(timeline, track)
    rates = [size / span for size, span in zip(bits, spans, strict=True)]
    numbers = list(track.segments.every_number)
    bound = [rung.maxrate * span + rung.bufsize for span in spans] if rung else []
    return Rendition(
        id=track.id,
        kind=kind,
        segments=len(numbers),
        average=round(sum(bits) / sum(spans)) if spans else 0,
        peak=round(max(rates, default=Fraction(0))),
        nominal=_nominal(ladder, track.id, rung),
        maxrate=rung.maxrate if rung else 0,
        over=sum(size > most for size, most in zip(bits, bound, strict=False)),
        missing=numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0,
        off_grid=_off_grid(ladder, timeline, track),
    )


def _kind(timeline: Timeline, track: str) -> TrackKind:
    latest = timeline.latest(track)
    return TrackKind.AUDIO if latest is None else latest.kind


def _rung(ladder: Ladder, track: str) -> VideoRung | None:
    if not isinstance(ladder, EncodeLadder):
        return None
    return next((rung for rung in ladder.video if rung.id == track), None)


def _nominal(ladder: Ladder, track: str, rung: VideoRung | None) -> int:
    if rung is not None:
        return rung.bitrate
    if isinstance(ladder, EncodeLadder) and track == ladder.audio.id:
        return ladder.audio.bitrate
    return 0


def _sizes(timeline: Timeline, track: TrackTimeline) -> tuple[list[int], list[Fraction]]:
    """Bits and seconds of the segments of `track`."""
    bits: list[int] = []
    spans: list[Fraction] = []
    for segment in track.segments:
        if segment.duration:
            bits.append(8 * segment.size)
            timescale = timeline.track(track.id, segment.period).timescale
            spans.append(Fraction(segment.duration, timescale))
    return bits, spans


def _off_grid(ladder: Ladder, timeline: Timeline, track: TrackTimeline) -> int:
    """Segments that begin half a frame or more from their boundary."""
    if not isinstance(ladder, EncodeLadder):
        return 0
    grid: Grid = timeline.grid
    half = MICROS / ladder.frame_rate / 2
    return sum(
        abs(
            micros_of(segment.start, timeline.track(track.id, segment.period).timescale)
            - grid.micros(segment.number)
        )
        >= half
        for segment in track.segments
    )
