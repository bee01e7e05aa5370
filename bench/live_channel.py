"""A channel that has been on air for twelve hours, without an encoder: a segment every 1.92 s.

The past is written at once, as a compacted journal has it. Only the newest segments and the future
ones have media: the benchmarks request no others.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

from packager.journal.format import VERSION, encode
from packager.layout import JOURNAL, SegmentName, init_version
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.media_store import MediaStore
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    EdgeSet,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentBundle,
    SegmentEnded,
    TrackAdded,
)
from packager.timeline.segment_table import PackedSegments
from packager.timing.clock import Clock
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, Ticks
from packager.track import Track, TrackKind

NAME = "tv"
GRID = Grid(Fraction(48, 25))
HOURS = 12
CHUNKS = 4
"""Bytes of a segment."""
SETS = {"200KB": ("v2", 200_000, 64), "1MB": ("v1", 1_000_000, 32), "4MB": ("v0", 4_000_000, 16)}
"""Distinct segments by name: track, bytes of each, number of segments."""
PLAYLIST_TRACK = "v2"
_SOUND = 30_720
"""Bytes of an audio segment."""
_SIZES = {track: size for track, size, _ in SETS.values()} | {"a0": _SOUND}
_KEPT = 40
"""New segments whose media is kept."""
_PACKED = 250
"""Segments in one record."""
_INIT = b"\0\0\0\x08ftyp"
"""Invented codec data: no player reads it."""


def _track(name: str) -> Track:
    bitrate = int(_SIZES[name] * 8 / GRID.duration)
    if name == "a0":
        return Track(
            id=name,
            kind=TrackKind.AUDIO,
            version=init_version(_INIT),
            timescale=48_000,
            codecs="mp4a.40.2",
            codec_private="1190",
            bitrate=bitrate,
            sample_rate=48_000,
            channels=2,
        )
    return Track(
        id=name,
        kind=TrackKind.VIDEO,
        version=init_version(_INIT),
        timescale=12_800,
        codecs="avc1.64001e",
        codec_private="0000000167",
        bitrate=bitrate,
        width=3840 >> int(name[1:]),
        height=2160 >> int(name[1:]),
        frame_rate=Fraction(25),
    )


TRACKS = tuple(_track(name) for name in _SIZES)


class LiveChannel:
    """The channel in a data folder; a thread keeps it live."""

    def __init__(self, data: Path, clock: Clock) -> None:
        """Write the past of the channel into the folder `data`; it ends now."""
        self._folder = data / NAME
        self._clock = clock
        self._laid = GRID.number_at_micros(clock.now()) - 1
        first = self._laid + 1 - int(HOURS * 3600 / GRID.duration)
        self.first = first // 25 * 25
        """The first segment; it starts at a whole second."""
        self._folder.mkdir(parents=True)
        self._store = MediaStore(self._folder)
        for track in TRACKS:
            self._store.write_init(track.id, track.version, _INIT)
        for track, size, count in SETS.values():
            for number in self._newest(count):
                self._store.append(track, number, [os.urandom(size)])
        self._store.close_all()
        with (self._folder / JOURNAL).open("wb") as journal:
            journal.writelines(map(encode, self._past()))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._fault: Exception | None = None

    def files(self, name: str) -> list[str]:
        """Paths of a set's segments, below the channel."""
        track, _, count = SETS[name]
        return [f"{track}/{SegmentName(number)}" for number in self._newest(count)]

    @property
    def start_over(self) -> str:
        """Path of the playlist of all twelve hours, below the channel."""
        return f"from/{int(self.first * GRID.duration)}/{PLAYLIST_TRACK}/index.m3u8"

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread."""
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Check that the channel is on air."""
        if self._fault is not None:
            raise self._fault

    def _newest(self, count: int) -> range:
        return range(self._laid - count + 1, self._laid + 1)

    def _past(self) -> Iterator[Record]:
        utc = GRID.micros(self.first)
        yield JournalHeader(VERSION, NAME, GRID.duration)
        yield PeriodStarted(0, self.first, Anchor(Fraction(0), utc, utc))
        yield from map(TrackAdded, TRACKS)
        for track in TRACKS:
            for first in range(self.first, self._laid + 1, _PACKED):
                numbers = range(first, min(first + _PACKED, self._laid + 1))
                yield SegmentBundle(track.id, 0, _packed(track, numbers))
        yield EdgeSet(self._laid)

    def _go_on(self) -> None:
        journal = JournalWriter(self._folder, NAME, GRID.duration)
        gone: deque[int] = deque()
        number = self._laid + 1
        try:
            while not self._over.is_set():
                self._publish(journal, number)
                gone.append(number)
                if len(gone) > _KEPT:
                    old = gone.popleft()
                    for track in TRACKS:
                        self._store.remove(track.id, old)
                number += 1
        except Exception as error:  # noqa: BLE001 - told by `check`
            self._fault = error
        finally:
            self._store.close_all()
            journal.close()

    def _publish(self, journal: JournalWriter, number: int) -> None:
        """Publish a segment of each track, chunk by chunk, each at its time."""
        for index in range(CHUNKS):
            due = GRID.micros(number) + (index + 1) * GRID.duration * MICROS / CHUNKS
            if self._over.wait(max(0.0, float(due - self._clock.now()) / MICROS)):
                return
            for track in TRACKS:
                size = _SIZES[track.id] // CHUNKS
                self._store.append(track.id, number, [os.urandom(size)])
                journal.append([_chunk(track, number, index, size)])
        for track in TRACKS:
            self._store.close(track.id)
            journal.append([SegmentEnded(track.id, number, self._clock.now())])


def _chunk(track: Track, number: int, index: int, size: int) -> ChunkAdded:
    length = int(GRID.duration * track.timescale) // CHUNKS
    start = GRID.boundary(number, track.timescale) + index * length
    return ChunkAdded(track.id, number, Ticks(start), Ticks(length), size)


def _packed(track: Track, numbers: range) -> PackedSegments:
    chunks = CHUNKS * len(numbers)
    return PackedSegments(
        number=numbers[0],
        steps=[1] * (len(numbers) - 1),
        published=[GRID.micros(number + 1) for number in numbers],
        counts=[CHUNKS] * len(numbers),
        start=GRID.boundary(numbers[0], track.timescale),
        gaps=[0] * (chunks - 1),
        durations=[int(GRID.duration * track.timescale) // CHUNKS] * chunks,
        sizes=[_SIZES[track.id] // CHUNKS] * chunks,
    )
