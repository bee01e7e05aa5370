"""Judges a ladder trial: the cost of the ladder, and whether it keeps up with real time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec

from packager.config.ladder import Ladder, PassthroughLadder
from packager.diagnostics.trial_tracks import TrackResult, are_aligned, track_result
from packager.ffmpeg.progress import Progress
from packager.timeline.model import Timeline
from packager.track import TrackKind

SETTLES = 2.0
"""Seconds at the start that do not count: encoders fill their queues."""
_REAL_TIME = 0.98
"""Seconds of media per second. At a lower pace the channel would interrupt within minutes."""
_JITTER = 0.2
"""Seconds by which the arrivals of a punctual source differ."""
_BUSY_MACHINE = 0.3
"""Share of all cores that other processes use. Above it, they may be why a ladder is too slow."""
_HIGH_LOAD = 0.85
"""Share of all cores above which a more complex video or another process is too much."""


@dataclass(frozen=True, slots=True)
class MediaArrival:
    """The arrival of a piece of media."""

    at: float
    """Monotonic seconds."""
    media: Fraction
    """Seconds of media up to the end of the piece."""


class ProcessUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The resources that a process used."""

    cpu: float
    """CPU seconds per second."""
    memory: int
    """Peak in bytes."""


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a ladder, and the figures behind it; the JSON of `ringside ladder --json`."""

    ladder: str
    source: str
    holds: bool
    verdict: str
    """One sentence."""
    pace: float
    """Seconds of media per second, of the slowest rendition."""
    speed: float | None
    """The same, as ffmpeg reports it for the whole run with its start."""
    seconds: float
    """Duration of the trial."""
    cores: int
    """Cores of this machine."""
    share: float
    """Share of all cores that both processes used: 0 to 1."""
    others: float
    """Share of all cores that all other processes used."""
    ffmpeg: ProcessUsage
    packager: ProcessUsage
    frames: int
    """Frames of the first rendition."""
    dropped: int
    duplicated: int
    aligned: bool
    """All video renditions are cut at the same instants."""
    renditions: tuple[TrackResult, ...]
    problems: tuple[str, ...] = ()
    """Breaks in the timeline."""


@dataclass(frozen=True, slots=True)
class TrialMeasurement:
    """The raw figures of a trial."""

    ladder: Ladder
    source: str
    """Name of the source."""
    timeline: Timeline
    """The timeline before the open segments were ended."""
    arrivals: Mapping[str, Sequence[MediaArrival]]
    """By track, in order."""
    progress: Progress
    seconds: float
    cores: int
    ffmpeg: ProcessUsage
    packager: ProcessUsage
    busy: float
    """Share of all cores that was not idle: 0 to 1."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Pace:
    """The rate at which media arrived."""

    ratio: float
    """Seconds of media per second."""
    shortfall: float
    """Seconds of media that real time would have brought and that are missing."""

    @property
    def holds(self) -> bool:
        return self.ratio >= _REAL_TIME or (self.ratio > 0 and self.shortfall < _JITTER)


def judge(measured: TrialMeasurement) -> TrialResult:
    """The result of a trial."""
    timeline = measured.timeline
    renditions = tuple(
        track_result(measured.ladder, timeline, track) for track in timeline.tracks.values()
    )
    videos = [track.id for track in renditions if track.kind is TrackKind.VIDEO]
    paces = [_pace(measured.arrivals[name]) for name in videos]
    pace = min(paces, key=lambda one: one.ratio, default=_Pace(0.0, 0.0))
    share = (measured.ffmpeg.cpu + measured.packager.cpu) / measured.cores
    others = max(0.0, measured.busy - share)
    is_aligned = are_aligned(timeline, videos)
    if pace.holds:
        fault = _fault(measured, renditions, is_aligned=is_aligned)
    else:
        fault = f"{pace.ratio:.2f} x real time; {_remedy(measured.ladder, others)}"
    return TrialResult(
        ladder=measured.ladder.name,
        source=measured.source,
        holds=not fault,
        verdict=f"does not hold: {fault}" if fault else _success(share, measured.cores),
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
        aligned=is_aligned,
        renditions=renditions,
        problems=measured.problems,
    )


def _success(share: float, cores: int) -> str:
    machine = "core" if cores == 1 else f"{cores} cores"
    warning = ", which leaves little for anything else" if share > _HIGH_LOAD else ""
    return f"holds real time with {_percent(share)} of this machine's {machine}{warning}"


def _remedy(ladder: Ladder, others: float) -> str:
    """What to change if media arrives too slowly."""
    if others > _BUSY_MACHINE:
        return f"other processes used {_percent(others)} of this machine: stop them first"
    if isinstance(ladder, PassthroughLadder):
        return "no video is encoded: the source is read too slowly"
    return "use faster presets or fewer renditions"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _fault(
    measured: TrialMeasurement, renditions: Sequence[TrackResult], *, is_aligned: bool
) -> str:
    """The first fault of a trial that was fast enough; empty if it has none."""
    if measured.problems:
        return f"the timeline broke: {measured.problems[0]}"
    if not all(track.segments for track in renditions):
        return "no segment was completed"
    if incomplete := [track.id for track in renditions if track.missing]:
        return f"segments are missing in {', '.join(incomplete)}"
    if isinstance(measured.ladder, PassthroughLadder):
        return ""
    return _encoding_fault(renditions, is_aligned=is_aligned)


def _encoding_fault(renditions: Sequence[TrackResult], *, is_aligned: bool) -> str:
    if not is_aligned:
        return "renditions are not cut at the same instants"
    if off := [t.id for t in renditions if t.off_grid and t.kind is TrackKind.VIDEO]:
        return f"keyframes are off the grid in {', '.join(off)}"
    return ""


def _pace(arrivals: Sequence[MediaArrival]) -> _Pace:
    """The rate after the start, between the most punctual arrivals of the first and last third.

    A source may pause, for example where a file loops, and then catch up at once.
    """
    settled = [arrival for arrival in arrivals if arrival.at >= arrivals[0].at + SETTLES]
    third = len(settled) // 3
    if not third:
        return _Pace(0.0, 0.0)
    first, last = (
        min(part, key=lambda arrival: arrival.at - float(arrival.media))
        for part in (settled[:third], settled[-third:])
    )
    time, media = last.at - first.at, float(last.media - first.media)
    return _Pace(media / time, time - media) if time > 0 else _Pace(0.0, 0.0)
