"""Feeds whose samples carry the true instant they were taken at, whatever their timestamps say."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from packager.cmaf.run import Run
from packager.manifest.dash import mpd
from packager.manifest.hls import media
from packager.manifest.smooth import client_manifest
from packager.segmenter import Segmenter
from packager.smooth_clock import TIMESCALE
from packager.ticks import MICROS, UtcMicros, round_half_up
from packager.track import TrackKind
from packager.window import Window, rolling
from tests import said
from tests.feeds import FeedTrack, Played, end_of, sample_numbers, segmenter_for

SKEW = Fraction(25, 1000)
"""Seconds that sound and picture may be apart."""
_MILLISECOND = Fraction(1, 1000)
_TICK = Fraction(1, TIMESCALE)

Stamp = Callable[[Fraction], Fraction]
"""What a source's timestamps are off by, at a true instant; seconds."""


def _on_time(_: Fraction) -> Fraction:
    return Fraction(0)


@dataclass(frozen=True)
class Source:
    """Tracks as they truly are, and as the source's timestamps have them."""

    true: tuple[FeedTrack, ...]
    sent: tuple[FeedTrack, ...]
    off: Stamp

    @classmethod
    def stamped(cls, *tracks: FeedTrack, off: Stamp = _on_time) -> "Source":
        """`tracks`, all with timestamps that are off alike."""
        true = tuple(_parted(track, off) for track in tracks)
        return cls(true, tuple(_restamped(track, off) for track in true), off)


def _parted(track: FeedTrack, off: Stamp) -> FeedTrack:
    """`track` with runs that end where its timestamps jump."""
    runs: list[Run] = []
    for run in track.runs:
        rest, at, place = run, run.start, 0
        by = off(Fraction(run.start, track.facts.timescale))
        for duration in run.durations:
            here = off(Fraction(at, track.facts.timescale))
            if here != by:
                head, rest = rest.split(place)
                runs.append(head)
                by, place = here, 0
            at, place = at + duration, place + 1
        runs.append(rest)
    return FeedTrack(track.spec, track.facts, tuple(runs))


def _restamped(track: FeedTrack, off: Stamp) -> FeedTrack:
    scale = track.facts.timescale
    runs = (run.moved(round_half_up(off(Fraction(run.start, scale)) * scale)) for run in track.runs)
    return FeedTrack(track.spec, track.facts, tuple(runs))


def without(track: FeedTrack, start: Fraction, stop: Fraction) -> FeedTrack:
    """`track` but for the runs that begin in [start, stop)."""
    scale = track.facts.timescale
    kept = (run for run in track.runs if not start <= Fraction(run.start, scale) < stop)
    return FeedTrack(track.spec, track.facts, tuple(kept))


def deliver(
    played: Played,
    source: Source,
    base: UtcMicros,
    *,
    on_grid: bool,
    wall: Callable[[Fraction], int] = lambda _: 0,
) -> Segmenter:
    """Give every run to a new segmenter when it is truly over.

    `base` is true time 0; `wall` is what the wall clock is off by then, in microseconds.
    """
    segmenter = segmenter_for(played, source.sent, on_grid=on_grid)
    turns = sorted(
        (end_of(true, run), index, place)
        for index, true in enumerate(source.true)
        for place, run in enumerate(true.runs)
    )
    now = base
    for over, index, place in turns:
        now = UtcMicros(base + round_half_up(over * MICROS) + wall(over))
        sent = source.sent[index]
        played.take(segmenter.push(sent.spec.id, sent.runs[place], now), now)
        played.take(segmenter.keep_pace(now), now)
    played.take(segmenter.flush(now), now)
    return segmenter


# What is simultaneous.


_EVERY = 7
"""Samples of sound, of which one is compared with the picture."""


def _times(run: Run, scale: int) -> list[int]:
    """When each sample is shown, in ticks of a timescale times `scale`."""
    times, at = [], run.start
    for duration, composition in zip(run.durations, run.compositions, strict=True):
        times.append((at + composition) * scale)
        at += duration
    return times


Shown = list[tuple[int, int]]
"""When each sample was taken, and when it is shown or heard."""


Stretch = tuple[int, Fraction]
"""A period, and what the timestamps are off by."""


def _shown(played: Played, track: FeedTrack, off: Stamp, ticks: int) -> dict[Stretch, Shown]:
    """The samples of a track that came out; in `ticks` a second."""
    scale = ticks // track.facts.timescale
    true = {
        number: time
        for run in track.runs
        for number, time in zip(sample_numbers(run), _times(run, scale), strict=True)
    }
    found: dict[Stretch, Shown] = defaultdict(list)
    known = played.timeline.tracks.get(track.spec.id)
    for segment in known.segments if known else ():
        for run in played.runs(track.spec.id, segment.number):
            for number, time in zip(sample_numbers(run), _times(run, scale), strict=True):
                by = off(Fraction(true[number], ticks))
                found[segment.period, by].append((true[number], time))
    return found


def worst_skew(played: Played, source: Source) -> Fraction:
    """How far samples of sound and picture that were taken together are published apart."""
    ticks = lcm(*(track.facts.timescale for track in source.true))
    picture, sound = (
        [_shown(played, t, source.off, ticks) for t in source.true if t.spec.kind is kind]
        for kind in (TrackKind.VIDEO, TrackKind.AUDIO)
    )
    apart = [
        _off(heard[stretch][::_EVERY], sorted(shown[stretch]), ticks)
        for heard in sound
        for shown in picture
        for stretch in heard.keys() & shown.keys()
    ]
    assert apart, "nothing is simultaneous"
    return Fraction(max(apart), ticks)


def _off(heard: Shown, frames: Shown, ticks: int) -> int:
    """The most that any of `heard` is off from the frames on both sides of it."""
    worst = 0
    for true, published in heard:
        at = bisect_left(frames, (true, 0))
        for seen, shown in frames[max(0, at - 1) : at + 1]:
            if abs(seen - true) < ticks // 30:
                worst = max(worst, abs((published - true) - (shown - seen)))
    return worst


# What the manifests say.


@dataclass(frozen=True)
class Said:
    """The three manifests of one window."""

    window: Window
    hls: dict[str, said.Playlist]
    """By track."""
    dash: list[said.Period]
    smooth: dict[str, list[said.Fragment]]

    @property
    def breaks(self) -> list[int]:
        """The numbers that HLS has a discontinuity before, which is the same for all tracks."""
        (one,) = {tuple(playlist.breaks) for playlist in self.hls.values()}
        return list(one)

    @property
    def periods(self) -> list[str]:
        """Ids of DASH's periods."""
        return [period.id for period in self.dash]


def manifests(played: Played) -> Said:
    """What is said of all there is while the channel is live; the formats must agree."""
    window = rolling(played.timeline, 1 << 40)
    assert window is not None
    found = Said(
        window,
        {t.latest.id: said.hls(media.render(window, t).plain().decode()) for t in window.tracks},
        said.dash(mpd.render(window, mpd.Places("time")).plain()),
        said.smooth(client_manifest.render(window).plain()),
    )
    _check(found)
    return found


def _check(found: Said) -> None:
    window = found.window
    for track in window.tracks:
        name = track.latest.id
        scale = {n: p.tracks[name].timescale for n, p in window.periods.items() if name in p.tracks}
        pieces = [
            said.Piece(
                s.number,
                Fraction(s.start, scale[s.period]),
                Fraction(s.duration, scale[s.period]),
            )
            for s in track.segments
        ]
        _check_playlist(window, found.hls[name], pieces)
        dash = [piece for period in found.dash for piece in period.tracks.get(name, [])]
        assert dash == pieces
        if track.latest.kind is TrackKind.AUDIO:
            _check_fragments(found.smooth[name], pieces)
        elif len(pieces) == max(len(t.segments) for t in window.tracks if t.latest.width):
            _check_fragments(found.smooth["video"], pieces)
    for period in found.dash:
        assert abs(period.offset - period.start) < _MILLISECOND
        for pieces in period.tracks.values():
            assert pieces[0].start >= period.start - Fraction(512, 48_000)
            numbers = [piece.number for piece in pieces]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _check_playlist(window: Window, playlist: said.Playlist, pieces: list[said.Piece]) -> None:
    numbers = [piece.number for piece in pieces]
    assert playlist.numbers == numbers
    every = list(range(window.first, window.last + 1))
    assert sorted([*numbers, *playlist.missing]) == every
    for entry, piece in zip(playlist.media, pieces, strict=True):
        assert abs(entry.start - piece.start) <= _MILLISECOND / 2 + Fraction(1, MICROS)
        assert abs(entry.duration - piece.duration) <= Fraction(1, MICROS)
    assert playlist.sequence == min(window.periods)
    starts = [period.number for period in window.periods.values()]
    assert playlist.breaks == starts[1:]


def _check_fragments(listed: list[said.Fragment], pieces: list[said.Piece]) -> None:
    """All but the newest; each starts where its segment does and lasts until the next."""
    assert len(listed) == len(pieces) - 1
    for fragment, piece, following in zip(listed, pieces, pieces[1:], strict=False):
        assert abs(fragment.start - piece.start) <= _TICK
        assert abs(fragment.start + fragment.duration - following.start) <= _TICK
