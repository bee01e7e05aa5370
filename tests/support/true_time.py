"""Feeds whose samples carry their true capture time, independent of their timestamps."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from packager.cmaf.samples import SampleRun
from packager.manifest.dash import mpd
from packager.manifest.hls import media
from packager.manifest.smooth import client_manifest
from packager.manifest.window import Window, rolling
from packager.segmenter.segmenter import Segmenter
from packager.timing.smooth_time import TIMESCALE
from packager.timing.ticks import MICROS, UtcMicros, round_half_up
from packager.track import TrackKind
from tests.support import manifest_reader as reader
from tests.support.made_feeds import FeedTrack, Played, end_of, sample_numbers, segmenter_for

SKEW = Fraction(25, 1000)
"""The largest allowed A/V skew in seconds."""
_MILLISECOND = Fraction(1, 1000)
_TICK = Fraction(1, TIMESCALE)

Stamp = Callable[[Fraction], Fraction]
"""True instant -> error of the source's timestamps; seconds."""


def _on_time(_: Fraction) -> Fraction:
    return Fraction(0)


@dataclass(frozen=True)
class Source:
    """Tracks with their true times and with the times of the source."""

    true: tuple[FeedTrack, ...]
    sent: tuple[FeedTrack, ...]
    off: Stamp

    @classmethod
    def stamped(cls, *tracks: FeedTrack, off: Stamp = _on_time) -> "Source":
        """`tracks` with the same error in all timestamps."""
        true = tuple(_parted(track, off) for track in tracks)
        return cls(true, tuple(_restamped(track, off) for track in true), off)


def _parted(track: FeedTrack, off: Stamp) -> FeedTrack:
    """`track` with runs that end where its timestamps jump."""
    runs: list[SampleRun] = []
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
    """`track` without the runs that begin in [start, stop)."""
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
    """Give every run to a new segmenter at its true end.

    `base` is true time 0; `wall` is the error of the wall clock at a true time, in microseconds.
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


# Simultaneous samples.


_EVERY = 7
"""One of so many audio samples is compared with the video."""


def _times(run: SampleRun, scale: int) -> list[int]:
    """Presentation times of the samples, in ticks of a timescale times `scale`."""
    times, at = [], run.start
    for duration, composition in zip(run.durations, run.compositions, strict=True):
        times.append((at + composition) * scale)
        at += duration
    return times


Shown = list[tuple[int, int]]
"""Capture time and presentation time of each sample."""


Stretch = tuple[int, Fraction]
"""A period, and the error of the timestamps in it."""


def _shown(played: Played, track: FeedTrack, off: Stamp, ticks: int) -> dict[Stretch, Shown]:
    """The samples of a track in the output; in `ticks` a second."""
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
    """The largest A/V skew in the output, in seconds."""
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
    """The largest distance of any of `heard` from the frames on both sides of it."""
    worst = 0
    for true, published in heard:
        at = bisect_left(frames, (true, 0))
        for seen, shown in frames[max(0, at - 1) : at + 1]:
            if abs(seen - true) < ticks // 30:
                worst = max(worst, abs((published - true) - (shown - seen)))
    return worst


# The content of the manifests.


@dataclass(frozen=True)
class ReadManifests:
    """The three manifests of one window."""

    window: Window
    hls: dict[str, reader.Playlist]
    """By track."""
    dash: list[reader.Period]
    smooth: dict[str, list[reader.Fragment]]

    @property
    def breaks(self) -> list[int]:
        """The numbers after an HLS discontinuity, equal for all tracks."""
        (one,) = {tuple(playlist.breaks) for playlist in self.hls.values()}
        return list(one)

    @property
    def periods(self) -> list[str]:
        """Ids of the DASH periods."""
        return [period.id for period in self.dash]


def manifests(played: Played) -> ReadManifests:
    """The manifests of all media while the channel is live; the formats must agree."""
    window = rolling(played.timeline, 1 << 40)
    assert window is not None
    found = ReadManifests(
        window,
        {t.latest.id: reader.hls(media.render(window, t).plain().decode()) for t in window.tracks},
        reader.dash(mpd.render(window, mpd.UrlTemplates("time")).plain()),
        reader.smooth(client_manifest.render(window).plain()),
    )
    _check(found)
    return found


def _check(found: ReadManifests) -> None:
    window = found.window
    for track in window.tracks:
        name = track.latest.id
        scale = {n: p.tracks[name].timescale for n, p in window.periods.items() if name in p.tracks}
        pieces = [
            reader.Piece(
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


def _check_playlist(window: Window, playlist: reader.Playlist, pieces: list[reader.Piece]) -> None:
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


def _check_fragments(listed: list[reader.Fragment], pieces: list[reader.Piece]) -> None:
    """Check all fragments but the newest: each starts with its segment and lasts until the next."""
    assert len(listed) == len(pieces) - 1
    for fragment, piece, following in zip(listed, pieces, pieces[1:], strict=False):
        assert abs(fragment.start - piece.start) <= _TICK
        assert abs(fragment.start + fragment.duration - following.start) <= _TICK
