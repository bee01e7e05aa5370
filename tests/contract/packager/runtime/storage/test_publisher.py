import os
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from packager.errors import JournalError, RingsideError, StoreError
from packager.journal.format import VERSION, JournalReader
from packager.layout import JOURNAL, STATUS, SegmentName
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.segmenter.actions import Action, EndPeriod, StoreChunk, WriteRecord
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
    Trimmed,
)
from packager.timing.ticks import Ticks, UtcMicros
from tests.support.full_disk import files_up_to, fill, small_disk
from tests.support.strategies import described, journals

D = Fraction(48, 25)
NOW = UtcMicros(1_767_225_600_000_000)
TRACKS = ("v0", "v1", "a0")
MEBIBYTE = 1 << 20


@contextmanager
def channel(folder: Path, duration: Fraction = D) -> Iterator[Publisher]:
    """A channel's publisher, its folder made ready by init sections."""
    journal = JournalWriter(folder, "tv", duration)
    publisher = Publisher("tv", folder, journal, makes_room=True)
    for track in TRACKS:
        publisher.store.write_init(track, "00000000", b"init")
    try:
        yield publisher
    finally:
        publisher.store.close_all()
        journal.close()


def payload(chunk: ChunkAdded) -> bytes:
    """The bytes of a chunk: no two are alike."""
    return random.Random(f"{chunk.track} {chunk.number} {chunk.start}").randbytes(chunk.size)


def action(record: Record) -> Action:
    if not isinstance(record, ChunkAdded):
        return WriteRecord(record)
    data = payload(record)
    return StoreChunk(record, [data[:100], memoryview(data)[100:]])


def actions(records: Iterable[Record]) -> list[Action]:
    return [action(record) for record in records]


def begin(period: int, number: int) -> list[Record]:
    anchor = Anchor(Fraction(0), UtcMicros(1_920_000 * number), NOW)
    tracks = [TrackAdded(described(track)) for track in TRACKS]
    return [PeriodStarted(period, number, anchor), *tracks]


def chunk(track: str, number: int, index: int = 0, size: int = 1000) -> ChunkAdded:
    """A quarter of a segment."""
    quarter = 43_200 if track.startswith("v") else 23_040
    start = Ticks((4 * number + index) * quarter)
    return ChunkAdded(track, number, start, Ticks(quarter), size)


def ended(track: str, number: int) -> SegmentEnded:
    return SegmentEnded(track, number, NOW)


def whole(*numbers: int) -> list[Record]:
    """Segments of every track."""
    return [
        record
        for number in numbers
        for track in TRACKS
        for record in (chunk(track, number), chunk(track, number, 1), ended(track, number))
    ]


def read(folder: Path) -> list[Record]:
    """The whole records of a journal."""
    return list(JournalReader().feed((folder / JOURNAL).read_bytes()))


def named(timeline: Timeline) -> Iterator[tuple[str, ChunkAdded, int]]:
    """The file, record and offset of every chunk that a timeline names."""
    for track in timeline.tracks.values():
        segments = [(segment.number, chunks) for segment, chunks in track.segments.rows()]
        for number, chunks in [*segments, (track.open_number, track.open)]:
            for each in chunks:
                record = ChunkAdded(
                    track.id, number, Ticks(each.start), Ticks(each.duration), each.size
                )
                yield f"{track.id}/{SegmentName(number)}", record, each.offset


def stored(folder: Path) -> Timeline:
    """The records of the journal, once all that it names has been found in the store."""
    timeline = fold(read(folder))
    for file, record, offset in named(timeline):
        data = (folder / file).read_bytes()
        assert data[offset : offset + record.size] == payload(record), (file, offset)
    return timeline


def media(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*.m4s"))


def names(timeline: Timeline) -> list[str]:
    return sorted({file for file, _, _ in named(timeline)})


# Bytes before the word.


def publish(publisher: Publisher, records: list[Record]) -> None:
    """As a channel does: trims are a matter of their own."""
    batch: list[Record] = []
    for record in records:
        if isinstance(record, Trimmed):
            publisher.publish(actions(batch))
            publisher.trim(record.number)
            batch = []
        else:
            batch.append(record)
    publisher.publish(actions(batch))


@given(journals(), st.lists(st.integers(1, 15), min_size=1, max_size=9))
def test_after_every_publish_the_store_has_all_media_that_the_journal_names(
    records: list[Record], sizes: list[int]
) -> None:
    with TemporaryDirectory() as name:
        folder, at = Path(name), 1
        with channel(folder, fold(records[:1]).grid.duration) as publisher:
            for turn in count():
                batch = records[at : at + sizes[turn % len(sizes)]]
                publish(publisher, batch)
                assert stored(folder) == publisher.timeline
                assert media(folder) == names(publisher.timeline)
                at += len(batch)
                if not batch:
                    break
        written = [record for record in read(folder) if not isinstance(record, Trimmed)]
        assert written == [record for record in records if not isinstance(record, Trimmed)]


def live(publisher: Publisher, kept: int) -> Iterator[None]:
    """Publish a new period, for ever; keep the newest segments."""
    timeline = publisher.timeline
    period = timeline.period.index + 1 if timeline.period else 0
    first = timeline.last_number + 1
    publisher.publish(actions(begin(period, first)))
    for number in count(first):
        for index in range(4):
            for track in TRACKS:
                publisher.publish([action(chunk(track, number, index))])
                yield
        publisher.publish([WriteRecord(ended(track, number)) for track in TRACKS])
        publisher.trim(number - kept)
        yield


def test_a_reader_meanwhile_finds_the_bytes_of_every_record(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher, ThreadPoolExecutor(1) as pool:
        going = live(publisher, 1000)
        writing = pool.submit(lambda: [next(going) for _ in range(600)])
        with (tmp_path / JOURNAL).open("rb") as file:
            reader, timeline, done = JournalReader(), Timeline(), False
            while not done:
                # One look more once it is done.
                done = writing.done()
                for record in reader.feed(file.read()):
                    timeline = apply(timeline, record)
                    if isinstance(record, ChunkAdded):
                        track = timeline.tracks[record.track]
                        path = tmp_path / track.id / str(SegmentName(record.number))
                        data = path.read_bytes()[track.open[-1].offset :]
                        assert data[: record.size] == payload(record)
        writing.result()
        assert timeline == publisher.timeline


def publish_until_killed(folder: Path) -> None:
    with channel(folder) as publisher:
        publisher.end_open_segments(NOW)
        for _ in live(publisher, 4):
            pass


def test_a_kill_at_any_moment_loses_no_recorded_media(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        before = publisher.timeline
    for turn in range(6):
        publishing = get_context("fork").Process(target=publish_until_killed, args=[tmp_path])
        publishing.start()
        enough = (tmp_path / JOURNAL).stat().st_size + 5000 + 777 * turn
        while (tmp_path / JOURNAL).stat().st_size < enough:
            assert publishing.is_alive()
        publishing.kill()
        publishing.join()
        publishing.close()
        with channel(tmp_path) as publisher:
            assert publisher.timeline.last_number > before.last_number
            before = stored(tmp_path)
            publisher.end_open_segments(NOW)
            assert names(stored(tmp_path)) == names(before)
            publisher.sweep()
            assert media(tmp_path) == names(publisher.timeline)


def test_a_complete_segment_is_closed(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions(begin(0, 10)))
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing is all there is to it
        publisher.publish(actions(whole(10, 11)))
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_ends_of_periods_are_returned_in_order_and_not_written(tmp_path: Path) -> None:
    first, second = EndPeriod("first"), EndPeriod("second")
    with channel(tmp_path) as publisher:
        start = actions(begin(0, 10))
        assert publisher.publish([*start, first, *actions(whole(10)), second]) == [first, second]
        assert publisher.publish([]) == []
    header = JournalHeader(VERSION, "tv", D)
    assert read(tmp_path) == [header, *begin(0, 10), *whole(10)]


def test_published_media_is_counted_once(tmp_path: Path) -> None:
    def counted() -> list[float]:
        names = ("ringside_chunks_total", "ringside_media_bytes_total", "ringside_segments_total")
        labels = {"channel": "tv", "track": "v1"}
        return [REGISTRY.get_sample_value(name, labels) or 0 for name in names]

    with channel(tmp_path) as publisher:
        publisher.count()
        before = counted()
        publisher.publish(actions([*begin(0, 10), *whole(10, 11, 12)]))
        publisher.count()
        publisher.count()
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [6, 6000, 3]


def test_late_segments_are_counted(tmp_path: Path) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("ringside_late_segments_total", {"channel": "tv"}) or 0

    before = counted()
    with channel(tmp_path) as publisher:
        # The media of `begin` arrived at `NOW`: a segment that ends a while later is on time.
        first = NOW // 1_920_000
        publisher.publish(actions([*begin(0, first), *whole(first)]))
        assert counted() == before
        end = UtcMicros(1_920_000 * (first + 2) + 1_920_000)
        publisher.publish(actions([chunk("v0", first + 1, 3), SegmentEnded("v0", first + 1, end)]))
        assert counted() == before + 1
        # A segment that a killed packager left open is no measure of the source.
        publisher.publish(actions([chunk("a0", first + 1)]))
        publisher.end_open_segments(UtcMicros(end + 60_000_000))
    assert counted() == before + 1


# Media that cannot be stored.


def test_media_before_a_chunk_that_cannot_be_stored_is_published(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10)]))
        (tmp_path / "v1" / "11.m4s").mkdir()
        batch: list[Record] = [chunk(name, 11) for name in ("v0", "a0", "v1")]
        batch.append(chunk("v0", 11, 1))
        with pytest.raises(StoreError, match=r"^v1/11.m4s: Is a directory$"):
            publisher.publish(actions(batch))
        assert read(tmp_path)[-2:] == batch[:2]
        assert stored(tmp_path) == publisher.timeline
        (tmp_path / "v1" / "11.m4s").rmdir()
        publisher.publish(actions(batch[2:]))
        assert read(tmp_path)[-4:] == batch
        assert stored(tmp_path) == publisher.timeline


def test_a_chunk_that_is_written_in_part_is_not_recorded(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10), chunk("v0", 11, 0, 5000)]))
        batch: list[Record] = [chunk("a0", 11), chunk("v0", 11, 1, 5000), ended("a0", 11)]
        with files_up_to(7000), pytest.raises(StoreError):
            publisher.publish(actions(batch))
        assert read(tmp_path)[-1] == batch[0]
        assert (tmp_path / "v0" / "11.m4s").stat().st_size == 5000
        publisher.publish(actions(batch[1:]))
        assert stored(tmp_path) == publisher.timeline


@given(journals(), st.lists(st.integers(20_000, 200_000) | st.none(), min_size=1, max_size=9))
def test_whenever_the_disk_is_full_nothing_is_torn(
    records: list[Record], limits: list[int | None]
) -> None:
    # Chunks so large that it is the media for which there is no room.
    rest = [
        msgspec.structs.replace(record, size=50_000 + record.start % 9)
        if isinstance(record, ChunkAdded)
        else record
        for record in records[1:]
        if not isinstance(record, Trimmed)
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)
        with channel(folder, fold(records[:1]).grid.duration) as publisher:
            for limit in limits:
                batch, before = rest[:10], len(read(folder))
                if limit is None:
                    publisher.publish(actions(batch))
                else:
                    with files_up_to(limit), suppress(StoreError):
                        publisher.publish(actions(batch))
                written = read(folder)[before:]
                assert written == batch[: len(written)]
                assert stored(folder) == publisher.timeline
                rest = rest[len(written) :]
            publisher.publish(actions(rest))
            assert stored(folder) == publisher.timeline


# Records that cannot be written.


def filled(publisher: Publisher, folder: Path) -> int:
    """Make the journal the largest file by far; its size."""
    heavy = msgspec.structs.replace(described("v0"), codec_private="0" * 50_000)
    publisher.publish(actions([TrackAdded(heavy), TrackAdded(described("v0"))]))
    return (folder / JOURNAL).stat().st_size


def test_without_its_record_no_media_counts(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10), chunk("v0", 11)]))
        room = filled(publisher, tmp_path)
        before = publisher.timeline
        with files_up_to(room), pytest.raises(JournalError):
            publisher.publish(actions([chunk("v0", 11, 1), chunk("a0", 11)]))
        assert publisher.timeline == before
        assert stored(tmp_path) == before


@pytest.mark.parametrize("room", [0, 1, 60, 100])
def test_a_chunk_after_unrecorded_media_is_at_its_recorded_place(tmp_path: Path, room: int) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10), chunk("v0", 11)]))
        room += filled(publisher, tmp_path)
        with files_up_to(room), pytest.raises(JournalError):
            publisher.publish(actions([chunk("v0", 11, 1), chunk("a0", 11), chunk("a0", 11, 1)]))
        # What a run does at its end, whatever ended it.
        publisher.publish(actions([chunk("v0", 11, 2), chunk("a0", 11, 2), ended("v0", 11)]))
        assert stored(tmp_path) == publisher.timeline


BATCHES: dict[str, list[Record]] = {
    "chunks": [chunk("v0", 11, 1), chunk("a0", 11)],
    "the end of a segment": [chunk("v0", 11, 1), ended("v0", 11)],
    "a segment and the next": [chunk("v0", 11, 1), ended("v0", 11), chunk("v0", 12)],
    "a whole segment": [chunk("a0", 11), ended("a0", 11)],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_media_whose_record_failed_can_be_published_again(
    tmp_path: Path, batch: list[Record]
) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10), chunk("v0", 11)]))
        room = filled(publisher, tmp_path)
        with files_up_to(room), pytest.raises(JournalError):
            publisher.publish(actions(batch))
        assert stored(tmp_path) == publisher.timeline
        publisher.publish(actions(batch))
        assert stored(tmp_path) == publisher.timeline
        assert read(tmp_path)[-len(batch) :] == batch


def test_after_records_that_could_not_be_written_the_next_period_continues(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10), chunk("v0", 11)]))
        room = filled(publisher, tmp_path)
        with files_up_to(room), pytest.raises(JournalError):
            publisher.publish(actions([chunk("v0", 11, 1), ended("v0", 11), chunk("v0", 12)]))
        publisher.end_open_segments(NOW)
        publisher.publish(actions([*begin(1, 13), *whole(13)]))
        assert publisher.timeline.edge == 13
        assert stored(tmp_path) == publisher.timeline
        publisher.sweep()
        assert media(tmp_path) == names(publisher.timeline)


# Trims.


def test_a_trim_is_recorded_and_its_files_are_removed(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(*range(10, 16))]))
        assert publisher.trim(13) == 9
        assert read(tmp_path)[-1] == Trimmed(13)
        assert media(tmp_path) == sorted(f"{t}/{n}.m4s" for t in TRACKS for n in (13, 14, 15))
        assert stored(tmp_path) == publisher.timeline
        assert publisher.timeline.trimmed == 13


def test_a_trim_of_nothing_is_not_recorded(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        assert publisher.trim(13) == 0
        publisher.publish(actions([*begin(0, 10), *whole(10, 11), chunk("v0", 12)]))
        before = read(tmp_path)
        assert publisher.trim(10) == 0
        assert publisher.trim(11) == 3
        assert publisher.trim(11) == 0
        assert read(tmp_path) == [*before, Trimmed(11)]


def test_a_trim_leaves_open_segments_alone(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        late = chunk("a0", 10)
        records = [record for record in whole(10, 11, 12) if getattr(record, "track", "") != "a0"]
        publisher.publish(actions([*begin(0, 10), late, *records]))
        assert publisher.trim(12) == 4
        assert media(tmp_path) == ["a0/10.m4s", "v0/12.m4s", "v1/12.m4s"]
        publisher.publish(actions([chunk("a0", 10, 1), ended("a0", 10)]))
        assert stored(tmp_path) == publisher.timeline
        assert publisher.trim(12) == 1
        assert media(tmp_path) == ["v0/12.m4s", "v1/12.m4s"]


def test_without_its_record_a_trim_removes_nothing(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10, 11, 12)]))
        before, files = publisher.timeline, media(tmp_path)
        with files_up_to((tmp_path / JOURNAL).stat().st_size), pytest.raises(JournalError):
            publisher.trim(12)
        assert (publisher.timeline, media(tmp_path)) == (before, files)
        assert stored(tmp_path) == before
        assert publisher.trim(12) == 6
        assert media(tmp_path) == names(publisher.timeline)


def test_a_missing_file_does_not_stop_a_trim(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10, 11)]))
        (tmp_path / "v0" / "10.m4s").unlink()
        assert publisher.trim(11) == 3
        assert media(tmp_path) == names(publisher.timeline)


def test_a_rewrite_that_fails_undoes_no_trim(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10, 11)]))
        while (tmp_path / JOURNAL).stat().st_size < MEBIBYTE:
            filled(publisher, tmp_path)
        (tmp_path / JOURNAL).with_suffix(".rewritten").mkdir()
        with suppress(RingsideError):
            publisher.trim(11)
        assert publisher.timeline.trimmed == 11
        assert media(tmp_path) == names(publisher.timeline)
        publisher.publish(actions(whole(12)))
        assert stored(tmp_path) == publisher.timeline


def test_the_folder_stays_small_however_long_it_runs(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        going = live(publisher, 5)
        for _ in range(13 * 2000):
            next(going)
        assert publisher.timeline.last_number == 1999
        assert len(media(tmp_path)) == 3 * 6
        assert (tmp_path / JOURNAL).stat().st_size < MEBIBYTE
        timeline = stored(tmp_path)
    assert names(timeline) == media(tmp_path)


def test_a_journal_is_rewritten_even_if_nothing_is_trimmed_for_hours(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10, 11)]))
        while (tmp_path / JOURNAL).stat().st_size < MEBIBYTE:
            filled(publisher, tmp_path)
        publisher.trim(0)
        assert (tmp_path / JOURNAL).stat().st_size < MEBIBYTE // 2
        assert publisher.timeline.trimmed == 0
        again, timeline = stored(tmp_path), publisher.timeline
        assert (names(again), again.edge) == (names(timeline), timeline.edge)


# Sweeps.


def test_a_sweep_removes_files_that_the_timeline_does_not_name(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10, 11, 12), chunk("v0", 13)]))
        publisher.trim(11)
        strays = ["v0/10.m4s", "v0/14.m4s", "v1/13.m4s", "a0/0.m4s", "gone/12.m4s", "v0/x.m4s"]
        for stray in strays:
            (tmp_path / stray).parent.mkdir(exist_ok=True)
            (tmp_path / stray).write_bytes(b"stray")
        assert publisher.sweep() == len(strays)
        assert media(tmp_path) == names(publisher.timeline)
        assert stored(tmp_path) == publisher.timeline
        assert publisher.sweep() == 0


def test_a_sweep_leaves_everything_but_segments_alone(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10)]))
        (tmp_path / STATUS).write_bytes(b"{}")
        (tmp_path / "v0" / "index.m3u8").write_bytes(b"")
        before = sorted(tmp_path.rglob("*"))
        assert publisher.sweep() == 0
        assert sorted(tmp_path.rglob("*")) == before


def test_a_sweep_keeps_bytes_after_the_last_record_of_an_open_segment(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), chunk("v0", 10)]))
    with (tmp_path / "v0" / "10.m4s").open("ab") as file:
        file.write(b"stored, but never written down")
    with channel(tmp_path) as publisher:
        assert publisher.sweep() == 0
        assert stored(tmp_path) == publisher.timeline


@given(journals(), st.sets(st.tuples(st.sampled_from(TRACKS), st.integers(-12, 3)), max_size=20))
def test_a_sweep_removes_strays_and_nothing_else(
    records: list[Record], strays: set[tuple[str, int]]
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        with channel(folder, fold(records[:1]).grid.duration) as publisher:
            publish(publisher, records[1:])
            kept = set(names(publisher.timeline))
            last = max(publisher.timeline.last_number, 12)
            planted = {f"{track}/{last + ahead}.m4s" for track, ahead in strays} - kept
            for stray in planted:
                (folder / stray).write_bytes(b"stray")
            assert publisher.sweep() == len(planted)
            assert set(media(folder)) == kept
            assert stored(folder) == publisher.timeline


# Open segments of an earlier run.


def test_a_segment_that_an_earlier_run_left_open_is_complete_as_it_is(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(10)]))
        publisher.publish(actions([chunk("v0", 11), chunk("v0", 11, 1), chunk("a0", 11)]))
    with (tmp_path / "v0" / "11.m4s").open("ab") as file:
        file.write(b"stored, but never written down")
    with channel(tmp_path) as publisher:
        publisher.end_open_segments(NOW)
        tracks = publisher.timeline.tracks
        assert [len(tracks[name].segments) for name in TRACKS] == [2, 1, 2]
        assert not any(track.open for track in tracks.values())
        last = tracks["v0"].segments[-1]
        assert (last.number, last.size, last.published) == (11, 2000, NOW)
        assert stored(tmp_path) == publisher.timeline


def test_without_open_segments_nothing_is_written(tmp_path: Path) -> None:
    with channel(tmp_path) as publisher:
        publisher.end_open_segments(NOW)
        publisher.publish(actions([*begin(0, 10), *whole(10), chunk("v0", 11)]))
        publisher.end_open_segments(NOW)
        before = read(tmp_path)
        publisher.end_open_segments(NOW)
        assert read(tmp_path) == before


@given(journals(), st.data())
def test_a_journal_cut_anywhere_continues_in_a_new_period(
    records: list[Record], data: st.DataObject
) -> None:
    duration = fold(records[:1]).grid.duration
    with TemporaryDirectory() as name:
        folder = Path(name)
        with channel(folder, duration) as publisher:
            publish(
                publisher, [record for record in records[1:] if not isinstance(record, Trimmed)]
            )
        journal = (folder / JOURNAL).read_bytes()
        (folder / JOURNAL).write_bytes(journal[: data.draw(st.integers(0, len(journal)))])
        with channel(folder, duration) as publisher:
            publisher.end_open_segments(NOW)
            publisher.sweep()
            assert media(folder) == names(publisher.timeline)
            assert stored(folder) == publisher.timeline
            period = publisher.timeline.period
            number = publisher.timeline.last_number + 1
            publisher.publish(actions(begin(period.index + 1 if period else 0, number)))
            publisher.publish(actions(whole(number, number + 1)))
            assert publisher.timeline.edge == number + 1
            assert stored(folder) == publisher.timeline


# A disk with no room left.


def big(number: int) -> list[Record]:
    return [
        record
        for track in TRACKS
        for record in (chunk(track, number, size=10_000), ended(track, number))
    ]


def fill_disk(publisher: Publisher, first: int) -> int:
    """Publish until the disk is full for the first time; the next number."""
    for number in count(first):
        publisher.publish(actions(big(number)))
        if publisher.evicted:
            return number + 1
    raise AssertionError


def test_on_a_full_disk_the_oldest_segments_make_room_for_the_newest(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m"), channel(tmp_path / "disk") as publisher:
        publisher.publish(actions(begin(0, 10)))
        first = fill_disk(publisher, 10)
        kept = len(publisher.timeline.tracks["v0"].segments)
        assert kept > 30
        for number in range(first, first + 200):
            publisher.publish(actions(big(number)))
            numbers = [s.number for s in publisher.timeline.tracks["v0"].segments]
            assert numbers == list(range(numbers[0], number + 1))
            assert len(numbers) > kept * 3 // 4
        assert stored(tmp_path / "disk") == publisher.timeline
        assert media(tmp_path / "disk") == names(publisher.timeline)


def test_on_a_disk_that_others_fill_the_newest_few_segments_stay(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with small_disk(folder, "2m"), channel(folder) as publisher:
        publisher.publish(actions([*begin(0, 10), *whole(*range(10, 60))]))

        def go_on() -> None:
            for number in count(60):
                fill(folder / "filler")
                publisher.publish(actions(big(number)))

        with pytest.raises(RingsideError, match=r"No space left on device$"):
            go_on()
        timeline = publisher.timeline
        assert len(timeline.tracks["v0"].segments) in {10, 11}
        assert stored(folder) == timeline
        (folder / "filler").unlink()
        publisher.end_open_segments(NOW)
        publisher.publish(
            actions([*begin(1, timeline.last_occupied + 1), *big(timeline.last_occupied + 1)])
        )
        assert stored(folder) == publisher.timeline


def test_a_replay_removes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with small_disk(folder, "1m"):
        journal = JournalWriter(folder, "tv", D)
        publisher = Publisher("tv", folder, journal, makes_room=False)
        publisher.store.write_init("v0", "00000000", b"init")
        publisher.publish(actions(begin(0, 10)[:2]))

        def go_on() -> None:
            for number in count(10):
                segment = [chunk("v0", number, size=10_000), ended("v0", number)]
                publisher.publish(actions(segment))

        with pytest.raises(StoreError):
            go_on()
        assert publisher.evicted == 0
        assert publisher.timeline.tracks["v0"].segments[0].number == 10
        publisher.store.close_all()
        journal.close()
