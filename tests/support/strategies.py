"""Hypothesis strategies: bytes, runs, feeds and journals as the world may send them."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import strategies as st

from packager.cmaf.samples import SampleRun
from packager.errors import JournalError
from packager.journal.format import VERSION
from packager.layout import init_version
from packager.timeline.apply import apply
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    EdgeSet,
    HighWaterMarks,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentBundle,
    SegmentEnded,
    SegmentLost,
    SourceEnded,
    TrackAdded,
    Trimmed,
)
from packager.timeline.segment_table import PackedSegments
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, Ticks, UtcMicros
from packager.track import Track, TrackKind
from tests.support.made_feeds import START, FeedTrack, audio_track, video_track

GRIDS = {
    Fraction(24): Fraction(8, 3),
    Fraction(25): Fraction(48, 25),
    Fraction(30000, 1001): Fraction(1001, 500),
    Fraction(30): Fraction(32, 15),
    Fraction(50): Fraction(48, 25),
    Fraction(60000, 1001): Fraction(1001, 500),
    Fraction(60): Fraction(32, 15),
}
"""Segment durations of the frame rates."""

frame_rates = st.sampled_from(sorted(GRIDS))
durations = st.sampled_from(sorted(set(GRIDS.values())))


@st.composite
def split(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces."""
    places = st.lists(st.integers(0, len(data)), max_size=12)
    stops = sorted({0, len(data), *draw(places)})
    return [data[start:stop] for start, stop in pairwise(stops)]


# Runs of samples.

_words = st.integers(0, 2**32 - 1)


@st.composite
def runs(draw: st.DrawFn, *, start: st.SearchStrategy[int] | None = None) -> SampleRun:
    """Any samples that a fragment can hold."""
    count = draw(st.integers(1, 8))

    def column(values: st.SearchStrategy[int]) -> list[int]:
        same = draw(st.booleans())
        return (
            [draw(values)] * count
            if same
            else draw(st.lists(values, min_size=count, max_size=count))
        )

    sizes = column(st.integers(0, 9))
    return SampleRun(
        draw(st.integers(-(2**63), 2**63 - 1) if start is None else start),
        column(_words),
        sizes,
        column(_words),
        column(st.integers(-(2**31), 2**31 - 1)),
        draw(st.binary(min_size=sum(sizes), max_size=sum(sizes))),
    )


# Journals.

_anchors = st.builds(
    Anchor,
    st.fractions(-(10**6), 10**6, max_denominator=90_000),
    st.integers(0, 2**52).map(UtcMicros),
    st.integers(0, 2**52).map(UtcMicros),
)
_times = st.integers(-(2**53), 2**53).map(Ticks)
_counts = st.integers(0, 2**53)
_ids = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,31}\Z")
tracks = st.builds(
    Track,
    id=_ids,
    kind=st.sampled_from(TrackKind),
    version=st.from_regex(r"\A[0-9a-f]{8}\Z"),
    timescale=st.integers(1, 2**32 - 1),
    codecs=st.text(max_size=12),
    codec_private=st.binary(max_size=8).map(bytes.hex),
    bitrate=_counts,
    width=_counts,
    height=_counts,
    frame_rate=st.none() | st.fractions(1, 240, max_denominator=1001),
    sample_rate=_counts,
    channels=st.integers(0, 16),
    language=st.sampled_from(["und", "eng", "fra"]),
)
_few = st.lists(st.integers(-1, 3), max_size=3)

any_record: st.SearchStrategy[Record] = st.one_of(
    st.builds(
        JournalHeader, st.just(VERSION), _ids, st.fractions("1/2", 20, max_denominator=90_000)
    ),
    st.builds(PeriodStarted, _counts, _counts, _anchors),
    st.builds(TrackAdded, tracks),
    st.builds(ChunkAdded, _ids, _counts, _times, _times, _counts),
    st.builds(SegmentEnded, _ids, _counts, _counts.map(UtcMicros)),
    st.builds(Trimmed, _counts),
    st.builds(SourceEnded, _counts.map(UtcMicros), st.text(max_size=12)),
    st.builds(HighWaterMarks, _ids, _counts, _counts),
    st.builds(EdgeSet, _counts),
    st.builds(SegmentLost, _ids, _counts, st.integers(0, 9)),
    st.builds(
        SegmentBundle,
        _ids,
        st.integers(0, 3),
        st.builds(PackedSegments, _counts, _few, _few, _few, _times, _few, _few, _few),
    ),
)

VIDEO_TIMESCALE = 90_000
_TRACKS = ("v0", "v1", "a0")


def init_data(period: int) -> bytes:
    """The init section of the synthetic tracks."""
    return b"\0\0\0\x08ftyp%08x" % period


def described(name: str, period: int = 0, bitrate: int = 0) -> Track:
    """A track of the made-up journals."""
    if name.startswith("a"):
        return Track(
            id=name,
            kind=TrackKind.AUDIO,
            version=init_version(init_data(period)),
            timescale=48_000,
            codecs="mp4a.40.2",
            codec_private="1190",
            bitrate=128_000 + bitrate,
            sample_rate=48_000,
            channels=2,
            language="eng",
        )
    rung = int(name[1:])
    return Track(
        id=name,
        kind=TrackKind.VIDEO,
        version=init_version(init_data(period)),
        timescale=VIDEO_TIMESCALE,
        codecs="avc1.64001e",
        codec_private="0000000167",
        bitrate=1_000_000 - 1000 * rung + bitrate,
        width=640 >> rung,
        height=360 >> rung,
        frame_rate=Fraction(25),
    )


@dataclass(frozen=True)
class Round:
    """The events around one number of the grid."""

    period: bool
    """A new period starts before it."""
    skipped: int
    """Numbers left out before it, before a new period or a gap of all tracks."""
    hole: bool
    modes: tuple[str, str, str]
    """The fate of each track's segment."""
    order: tuple[str, ...]
    chunks: int
    trim: bool
    redescribed: bool


_modes = st.sampled_from(["whole"] * 7 + ["missing", "stump", "late"])
_rounds = st.builds(
    Round,
    period=st.sampled_from([False] * 5 + [True]),
    skipped=st.integers(0, 3),
    hole=st.sampled_from([False] * 5 + [True]),
    modes=st.tuples(_modes, _modes, _modes),
    order=st.permutations(_TRACKS).map(tuple),
    chunks=st.integers(1, 3),
    trim=st.sampled_from([False] * 5 + [True]),
    redescribed=st.sampled_from([False] * 7 + [True]),
)


@st.composite
def journals(draw: st.DrawFn, *, calm: bool = False, low: bool = False) -> list[Record]:
    """A legal journal: several periods, gaps, cut segments, tracks that end, open segments, trims.

    In a calm one all tracks have the same gaps, and no segment is cut or open. Where
    latency is `low`, all periods have parts.
    """
    grid = Grid(draw(durations))
    rounds = draw(st.lists(_rounds, min_size=1, max_size=12))
    if calm:
        modes = ("whole",) * 3
        rounds = [replace(turn, modes=modes, redescribed=False) for turn in rounds]
    ended = draw(st.booleans())
    part = int(grid.duration * MICROS) // 6 if low else 0
    return _without_early_trims(_journal(grid, rounds, ended=ended, part=part))


@st.composite
def journals_with_losses(draw: st.DrawFn) -> list[Record]:
    """A legal journal in which segments are lost, old and new, whole and open."""
    records = draw(journals())
    numbers = [record.number for record in records if isinstance(record, ChunkAdded)] or [0]
    losses = st.builds(
        SegmentLost, st.sampled_from(_TRACKS), st.sampled_from(numbers), st.integers(0, 2)
    )
    planned = draw(st.lists(st.tuples(st.integers(0, len(records)), losses), max_size=12))
    merged = [
        record
        for place in range(len(records) + 1)
        for record in [*(lost for at, lost in planned if at == place), *records[place : place + 1]]
    ]
    kept: list[Record] = []
    timeline = Timeline()
    for record in merged:
        # A segment that is lost in advance is never written, and an open one is never ended.
        with suppress(JournalError):
            timeline = apply(timeline, record)
            kept.append(record)
    return kept


def _without_early_trims(journal: Iterator[Record]) -> list[Record]:
    """`journal` without the trims that go beyond the edge: the packager keeps listed segments."""
    kept: list[Record] = []
    timeline = Timeline()
    for record in journal:
        if not isinstance(record, Trimmed) or record.number <= timeline.edge:
            timeline = apply(timeline, record)
            kept.append(record)
    return kept


def _journal(grid: Grid, rounds: list[Round], *, ended: bool, part: int = 0) -> Iterator[Record]:
    first = number = grid.number_at_micros(START)
    period = -1
    late: list[SegmentEnded] = []
    yield JournalHeader(VERSION, "tv", grid.duration)
    for turn in rounds:
        starts = turn.period or period < 0
        if starts or turn.hole:
            number += turn.skipped
        if starts:
            period += 1
            utc = grid.micros(number)
            seen = UtcMicros(utc + (1 + period * 700_000) % 1_900_000 if part else utc + 9)
            yield PeriodStarted(period, number, Anchor(Fraction(7, 3), utc, seen), part=part)
            for name in _TRACKS:
                yield TrackAdded(described(name, period))
        yield from late
        late.clear()
        if turn.redescribed:
            yield TrackAdded(described("v0", period, 1))
        for name in turn.order:
            mode = turn.modes[_TRACKS.index(name)]
            if mode == "missing":
                continue
            yield from _chunks(grid, name, number, turn.chunks, stump=mode == "stump")
            at = grid.micros(number + 1) + 1000 * _TRACKS.index(name)
            end = SegmentEnded(name, number, UtcMicros(at))
            if mode == "late":
                late.append(end)
            else:
                yield end
        if turn.trim:
            yield Trimmed(max(first, number - 3))
        number += 1
    if ended:
        yield from late
        yield SourceEnded(grid.micros(number + 1))


def _chunks(grid: Grid, name: str, number: int, count: int, *, stump: bool) -> Iterator[ChunkAdded]:
    timescale = described(name).timescale
    phase = 300 if name.startswith("a") else 0
    start = grid.boundary(number, timescale) + phase
    stop = grid.boundary(number + 1, timescale) + phase
    if stump:
        stop = start + (stop - start) // 3
    marks = [start + (stop - start) * i // count for i in range(count + 1)]
    for index, (begin, end) in enumerate(pairwise(marks)):
        yield ChunkAdded(name, number, Ticks(begin), Ticks(end - begin), 1000 + number % 7 + index)


# Feeds.

_chunk_sizes = st.lists(st.integers(1, 70), min_size=1, max_size=4)
bursts = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 200)), max_size=12)
"""Turns of the tracks: one may be delivered long before another."""


@dataclass(frozen=True)
class EncodedFeed:
    """The output of an encoder with forced keyframes on the grid."""

    frame_rate: Fraction
    grid: Grid
    tracks: tuple[FeedTrack, ...]


@st.composite
def encoded_feeds(draw: st.DrawFn, *, segments: int = 4) -> EncodedFeed:
    """One to three renditions and an audio track; the reference track first."""
    rate = draw(frame_rates)
    grid = Grid(GRIDS[rate])
    frames = int(grid.duration * rate)
    count = frames * draw(st.integers(1, segments)) - draw(st.integers(0, frames - 1))
    keyframes = range(0, count, frames)
    video = [
        video_track(
            index,
            rate,
            keyframes,
            count,
            draw(_chunk_sizes),
            reorder=draw(st.integers(0, 2)),
            bitrate=1_000_000 - index,
        )
        for index in range(draw(st.integers(1, 3)))
    ]
    start = Fraction(draw(st.integers(-3000, 3000)), 48_000)
    length = count / rate + Fraction(draw(st.integers(-500, 500)), 1000)
    sound = max(1, int(length * 48_000 / 1024))
    audio = audio_track(len(video), sound, draw(_chunk_sizes), start=start)
    return EncodedFeed(rate, grid, (*video, audio))


@st.composite
def passed_feeds(draw: st.DrawFn) -> EncodedFeed:
    """Video with keyframes anywhere, and audio of either common rate; both begin anywhere."""
    rate = draw(frame_rates)
    grid = Grid(draw(durations))
    count = draw(st.integers(1, 400))
    keyframes = draw(st.lists(st.integers(0, count - 1), max_size=12))
    begin = Fraction(draw(st.integers(-(10**7), 10**7)), 1000)
    video = video_track(
        0,
        rate,
        keyframes,
        count,
        draw(_chunk_sizes),
        start=begin,
        reorder=draw(st.integers(0, 2)),
        bitrate=0,
    )
    apart = Fraction(draw(st.integers(-700, 700)), 1000)
    sample_rate = draw(st.sampled_from([44_100, 48_000]))
    # Samples that follow the last picture by more than a second are dropped.
    longer = Fraction(draw(st.integers(-900, 900)), 1000) - apart
    sound = max(1, int((count / rate + longer) * sample_rate / 1024))
    audio = audio_track(
        1, sound, draw(_chunk_sizes), start=begin + apart, sample_rate=sample_rate, bitrate=0
    )
    return EncodedFeed(rate, grid, (video, audio))


def instants() -> st.SearchStrategy[UtcMicros]:
    """Instants of the years 2000 to 2100."""
    return st.integers(946_684_800 * MICROS, 4_102_444_800 * MICROS).map(UtcMicros)
