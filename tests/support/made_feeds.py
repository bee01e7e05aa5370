"""Synthetic feeds for the segmenter: runs of numbered samples, and the media made of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from struct import Struct

from packager.cmaf.codecs import Codec
from packager.cmaf.init_section import InitFacts
from packager.cmaf.samples import DELTA_FLAGS, SYNC_FLAGS, SampleDefaults, SampleRun
from packager.cmaf.single_file import runs_of
from packager.config.parts import Parts
from packager.ffmpeg.outputs import timescale_for
from packager.journal.format import VERSION
from packager.segmenter.actions import Action, EndPeriod, StoreChunk, WriteRecord
from packager.segmenter.config import SegmenterConfig
from packager.segmenter.segmenter import Segmenter
from packager.timeline.apply import apply
from packager.timeline.model import Timeline
from packager.timeline.records import ChunkAdded, JournalHeader, PeriodStarted, Record, SegmentEnded
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros, round_half_up
from packager.track import TrackKind, TrackSpec

START = UtcMicros(1_767_225_600 * MICROS)
"""2026-01-01T00:00:00Z."""

SAMPLE = Struct(">HI")
_NONE = SampleDefaults(0, 0, 0)


def video_facts(timescale: int, width: int = 640, height: int = 360) -> InitFacts:
    codec = Codec("avc1.64001e", bytes.fromhex("0000000167"))
    return InitFacts(TrackKind.VIDEO, timescale, codec, _NONE, width=width, height=height)


def audio_facts(sample_rate: int = 48000) -> InitFacts:
    codec = Codec("mp4a.40.2", bytes.fromhex("1190"))
    return InitFacts(
        TrackKind.AUDIO, sample_rate, codec, _NONE, sample_rate=sample_rate, channels=2
    )


@dataclass(frozen=True)
class FeedTrack:
    """One track of a feed: its description, and its samples in runs."""

    spec: TrackSpec
    facts: InitFacts
    runs: tuple[SampleRun, ...]


def samples(track: int, first: int, count: int) -> tuple[list[int], bytes]:
    """Sizes and payload of `count` samples, numbered from `first`."""
    parts = [
        SAMPLE.pack(track, number) + bytes(number % 3) for number in range(first, first + count)
    ]
    return [len(part) for part in parts], b"".join(parts)


def sample_numbers(run: SampleRun) -> list[int]:
    """The numbers that `samples` gave the samples of `run`."""
    numbers, at = [], 0
    for size in run.sizes:
        numbers.append(SAMPLE.unpack_from(run.payload, at)[1])
        at += size
    return numbers


def cut(count: int, sizes: Sequence[int], forced: Iterable[int] = ()) -> Iterator[tuple[int, int]]:
    """[0, count) in pieces of `sizes`, over and over, and at every one of `forced`."""
    stops = {stop for stop in forced if 0 < stop < count}
    at, turn = 0, 0
    while at < count:
        end = min(at + sizes[turn % len(sizes)], count)
        end = min([stop for stop in stops if at < stop < end], default=end)
        yield at, end
        at, turn = end, turn + 1


def video_track(
    index: int,
    frame_rate: Fraction,
    keyframes: Sequence[int],
    count: int,
    chunks: Sequence[int],
    *,
    start: Fraction = Fraction(0),
    reorder: int = 0,
    bitrate: int = 1_000_000,
) -> FeedTrack:
    """`count` frames whose first is shown at `start` seconds; `reorder` frames of B-frame delay."""
    timescale = timescale_for(frame_rate)
    frame = int(timescale / frame_rate)
    first = round_half_up(start * timescale) - reorder * frame
    keys = set(keyframes)
    runs = []
    for begin, end in cut(count, chunks, keys):
        sizes, payload = samples(index, begin, end - begin)
        runs.append(
            SampleRun(
                first + begin * frame,
                [frame] * (end - begin),
                sizes,
                [SYNC_FLAGS if n in keys else DELTA_FLAGS for n in range(begin, end)],
                [_offset(n, keys, reorder) * frame for n in range(begin, end)],
                payload,
            )
        )
    spec = TrackSpec(f"v{index}", TrackKind.VIDEO, bitrate, frame_rate)
    return FeedTrack(spec, video_facts(timescale), tuple(runs))


def _offset(number: int, keys: set[int], reorder: int) -> int:
    if number in keys or not reorder:
        return reorder
    return reorder + (2, -1, -1)[number % 3] if reorder > 1 else reorder + (1, -1)[number % 2]


def audio_track(
    index: int,
    count: int,
    chunks: Sequence[int],
    *,
    start: Fraction = Fraction(0),
    sample_rate: int = 48000,
    bitrate: int = 128_000,
) -> FeedTrack:
    """`count` AAC frames, the first at `start` seconds."""
    first = round_half_up(start * sample_rate)
    runs = []
    for begin, end in cut(count, chunks):
        sizes, payload = samples(index, begin, end - begin)
        number = end - begin
        flags, none = [SYNC_FLAGS] * number, [0] * number
        runs.append(SampleRun(first + begin * 1024, [1024] * number, sizes, flags, none, payload))
    spec = TrackSpec(f"a{index}", TrackKind.AUDIO, bitrate)
    return FeedTrack(spec, audio_facts(sample_rate), tuple(runs))


def end_of(track: FeedTrack, run: SampleRun) -> Fraction:
    """Seconds of source time at which `run` is over."""
    return Fraction(run.start + run.duration, track.facts.timescale)


def in_media_order(tracks: Sequence[FeedTrack]) -> list[int]:
    """Turns that deliver every run when it is over."""
    ends = [(end_of(t, run), i) for i, t in enumerate(tracks) for run in t.runs]
    return [index for _, index in sorted(ends)]


def in_turns(tracks: Sequence[FeedTrack], bursts: Sequence[tuple[int, int]]) -> list[int]:
    """Turns by `bursts` of (track, runs), over and over, until every run is delivered."""
    left = [len(track.runs) for track in tracks]
    turns: list[int] = []
    for index, count in bursts:
        taken = min(count, left[index % len(tracks)])
        left[index % len(tracks)] -= taken
        turns += [index % len(tracks)] * taken
    for index, count in enumerate(left):
        turns += [index] * count
    return turns


@dataclass
class Played:
    """The output for a feed: the timeline, the bytes, and the records in order."""

    timeline: Timeline = field(default_factory=Timeline)
    records: list[Record] = field(default_factory=list)
    media: dict[tuple[str, int], bytes] = field(default_factory=lambda: defaultdict(bytes))
    breaks: list[EndPeriod] = field(default_factory=list)
    clock: dict[int, UtcMicros] = field(default_factory=dict)
    """When each record was given, by its place."""

    def note(self, record: Record, now: UtcMicros = START) -> None:
        self.timeline = apply(self.timeline, record)
        self.clock[len(self.records)] = now
        self.records.append(record)

    def take(self, actions: Iterable[Action], now: UtcMicros = START) -> None:
        for action in actions:
            match action:
                case StoreChunk(record, parts):
                    data = b"".join(parts)
                    assert len(data) == record.size
                    self.media[record.track, record.number] += data
                    self.note(record, now)
                case WriteRecord(record):
                    self.note(record, now)
                case EndPeriod():
                    self.breaks.append(action)

    def of(self, kind: type) -> list:  # type: ignore[type-arg]
        return [record for record in self.records if isinstance(record, kind)]

    def runs(self, track: str, number: int) -> list[SampleRun]:
        return list(runs_of(self.media[track, number], _NONE))

    def numbers(self, track: str) -> list[int]:
        """Numbers of the samples in the output, in order."""
        return [
            sample
            for segment in sorted(n for name, n in self.media if name == track)
            for run in self.runs(track, segment)
            for sample in sample_numbers(run)
        ]


def begin(grid: Grid) -> Played:
    played = Played()
    played.note(JournalHeader(VERSION, "tv", grid.duration))
    return played


def segmenter_for(
    played: Played,
    tracks: Sequence[FeedTrack],
    *,
    on_grid: bool,
    init: bool = True,
    parts: Parts | None = None,
    arrived_at: UtcMicros | None = None,
    began_at: UtcMicros | None = None,
) -> Segmenter:
    """A segmenter that continues the timeline of `played`, with its tracks' init sections."""
    timeline = played.timeline
    segmenter = Segmenter(
        SegmenterConfig(
            grid=timeline.grid,
            specs=[replace(track.spec, copied=not on_grid) for track in tracks],
            keyframes_on_grid=on_grid,
            last_number=timeline.last_occupied,
            next_period=timeline.period.index + 1 if timeline.period else 0,
            arrived_at=arrived_at,
            began_at=began_at,
            parts=parts,
        )
    )
    for track in tracks if init else ():
        played.take(segmenter.init(track.spec.id, track.facts, "0" * 8))
    return segmenter


def play(
    played: Played,
    tracks: Sequence[FeedTrack],
    turns: Sequence[int],
    *,
    on_grid: bool,
    base: UtcMicros | None = None,
    now: UtcMicros = START,
    segmenter: Segmenter | None = None,
) -> Segmenter:
    """Deliver the runs of `tracks` by `turns`, by default to a new segmenter.

    With `base`, the clock shows it plus the furthest source time delivered; else it is `now`.
    """
    if segmenter is None:
        segmenter = segmenter_for(played, tracks, on_grid=on_grid)
    queues = [iter(track.runs) for track in tracks]
    for index in turns:
        run = next(queues[index])
        if base is not None:
            over = round_half_up(end_of(tracks[index], run) * MICROS)
            now = UtcMicros(max(now, base + over))
        played.take(segmenter.push(tracks[index].spec.id, run, now), now)
    played.take(segmenter.flush(now), now)
    return segmenter


def chunk_ends(played: Played, track: str, timescale: int) -> Iterator[tuple[Fraction, UtcMicros]]:
    """Where each chunk of a track ends, in seconds since the epoch, and when it was given."""
    for place, record in enumerate(played.records):
        if isinstance(record, ChunkAdded) and record.track == track:
            yield Fraction(record.start + record.duration, timescale), played.clock[place]


def used_numbers(played: Played) -> list[tuple[str, int]]:
    return [(record.track, record.number) for record in played.of(SegmentEnded)]


def periods(played: Played) -> list[PeriodStarted]:
    return played.of(PeriodStarted)
