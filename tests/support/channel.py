"""A channel made by hand, as records and as the packager publishes them."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.media_store import MediaStore
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
    Trimmed,
)
from packager.timing.grid import Grid
from packager.timing.smooth_time import smooth_time
from packager.timing.ticks import MICROS, Ticks, UtcMicros
from packager.track import Track
from tests.support.made_feeds import (
    START,
    Played,
    audio_track,
    begin,
    in_media_order,
    play,
    video_track,
)
from tests.support.strategies import described, init_data

GRID = Grid(Fraction(48, 25))
FIRST = GRID.number_at_micros(START) + 1
"""The number of a channel's first segment, on that grid."""
LONG = Fraction(30)
"""Seconds of a segment whose successor is held for longer than any test lasts."""
QUICK = Fraction(1, 5)
"""Seconds of a segment whose successor is held for a tenth of one."""
MANIFESTS = ["index.m3u8", "v0/index.m3u8", "a0/index.m3u8", "index.mpd", "index.ism/Manifest"]


@dataclass(frozen=True)
class Script:
    """Records of a channel; its tracks are v0 and a0 by default."""

    grid: Grid

    def period(self, index: int, number: int, *tracks: Track, part: int = 0) -> Iterator[Record]:
        utc = self.grid.micros(number)
        yield PeriodStarted(index, number, Anchor(Fraction(0), utc, utc), part=part)
        for track in tracks or (described("v0", index), described("a0", index)):
            yield TrackAdded(track)

    def chunk(self, track: Track, number: int, index: int, of: int, size: int) -> ChunkAdded:
        """Chunk `index` of a segment of `of` chunks."""
        start, stop = (self.grid.boundary(n, track.timescale) for n in (number, number + 1))
        begin, end = (start + (stop - start) * i // of for i in (index, index + 1))
        return ChunkAdded(track.id, number, Ticks(begin), Ticks(end - begin), size)

    def chunks(
        self, number: int, track: Track, count: int = 1, of: int = 1
    ) -> Iterator[ChunkAdded]:
        """The first `count` chunks of a segment of `of` chunks."""
        for index in range(count):
            yield self.chunk(track, number, index, of, 1000 + index)

    def end(self, track: str, number: int) -> SegmentEnded:
        return SegmentEnded(track, number, self.grid.micros(number + 1))

    def whole(self, *numbers: int, tracks: tuple[Track, ...] = (), of: int = 1) -> Iterator[Record]:
        for number in numbers:
            for track in tracks or (described("v0"), described("a0")):
                yield from self.chunks(number, track, of, of)
                yield self.end(track.id, number)

    def fragment(self, number: int, track: Track | None = None, off: int = 0) -> str:
        """The file of the Smooth fragment of a segment."""
        track = track or described("v0")
        time = smooth_time(self.grid.boundary(number, track.timescale), track.timescale) + off
        return f"index.ism/QualityLevels({track.bitrate})/Fragments({track.kind}={time})"


def payload(track: str, number: int, index: int, size: int = 1000) -> bytes:
    """Made-up bytes of a chunk."""
    return (sha256(f"{track}/{number}/{index}".encode()).digest() * (size // 32 + 1))[:size]


WHOLE = payload("v0", FIRST, 0) + payload("v0", FIRST, 1)
"""The first segment of v0."""


@dataclass
class Packager:
    """Publishes a made-up channel as the packager does: bytes first, the record second."""

    folder: Path
    grid: Grid
    journal: JournalWriter
    store: MediaStore

    @property
    def first(self) -> int:
        """The number that the channel begins with."""
        return self.grid.number_at_micros(START) + 1

    @property
    def script(self) -> Script:
        return Script(self.grid)

    def note(self, *records: Record) -> None:
        self.journal.append(records)

    def begin(self, index: int, number: int, part: int = 0) -> None:
        for record in self.script.period(index, number, part=part):
            if isinstance(record, TrackAdded):
                track = record.track
                self.store.write_init(track.id, track.version, init_data(index))
            self.note(record)

    def chunk(self, track: str, number: int, index: int, size: int = 1000) -> bytes:
        """Publish chunk `index` of the two of a segment."""
        data = payload(track, number, index, size)
        self.store.append(track, number, [data])
        self.note(self.record(track, number, index, size))
        return data

    def record(self, track: str, number: int, index: int, size: int = 1000) -> ChunkAdded:
        return self.script.chunk(described(track), number, index, 2, size)

    def end(self, track: str, number: int) -> None:
        self.store.close(track)
        self.note(self.script.end(track, number))

    def whole(self, number: int, *tracks: str, size: int = 1000) -> None:
        for track in tracks or ("v0", "a0"):
            for index in (0, 1):
                self.chunk(track, number, index, size)
            self.end(track, number)

    def trim(self, number: int) -> None:
        """Trim the segments before this number."""
        gone = [
            (track.id, segment.number)
            for track in self.journal.timeline.tracks.values()
            for segment in track.segments
            if segment.number < number
        ]
        self.note(Trimmed(number))
        for track_id, old in gone:
            self.store.remove(track_id, old)

    def path(self, track: str, number: int) -> Path:
        """The file of a segment."""
        return self.folder / track / f"{number}.m4s"

    def fragment(self, index: int) -> str:
        """The file of the fragment of the video's segment at `index` of the first period."""
        timeline = self.journal.timeline
        return self.script.fragment(timeline.periods[0].number + index, timeline.latest("v0"))


def packager(data: Path, segment: Fraction = GRID.duration, name: str = "tv") -> Packager:
    folder = data / name
    return Packager(folder, Grid(segment), JournalWriter(folder, name, segment), MediaStore(folder))


def channel(
    data: Path, segment: Fraction = GRID.duration, segments: int = 3, part: int = 0
) -> Packager:
    """A channel with a few segments."""
    made = packager(data, segment)
    made.begin(0, made.first, part)
    for number in range(made.first, made.first + segments):
        made.whole(number)
    return made


def low(data: Path, segment: Fraction = GRID.duration) -> Packager:
    """The same channel with low latency: each part is half a segment."""
    return channel(data, segment, part=round(segment * MICROS / 2))


def a_feed() -> Played:
    """Four segments at 25 fps, four chunks each, on the channel's grid."""
    played = begin(GRID)
    go_on(played, START)
    return played


def go_on(played: Played, base: UtcMicros) -> None:
    video = video_track(0, Fraction(25), range(0, 192, 48), 192, [12])
    sound = audio_track(1, 360, [10])
    play(played, (video, sound), in_media_order((video, sound)), on_grid=True, base=base)


def publish(made: Packager, played: Played, start: int = 1, stop: int | None = None) -> None:
    """Publish records `start` to `stop` of what the segmenter made of a feed.

    The first is the header, which the journal's writer writes by itself.
    """
    sent: dict[tuple[str, int], int] = defaultdict(int)
    for place, record in enumerate(played.records[:stop]):
        if isinstance(record, ChunkAdded):
            key = record.track, record.number
            data = played.media[key][sent[key] : sent[key] + record.size]
            sent[key] += record.size
            if place >= start:
                made.store.append(*key, [data])
        if place >= start:
            if isinstance(record, TrackAdded):
                made.store.write_init(record.track.id, record.track.version, init_data(0))
            made.note(record)
