import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import Buffer
from packager.errors import StoreError
from packager.journal.format import VERSION
from packager.layout import parse_media_name
from packager.runtime.storage.media_store import MediaStore
from packager.timeline.apply import fold
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
)
from packager.timing.ticks import Ticks, UtcMicros
from tests.support.full_disk import files_up_to
from tests.support.strategies import described

INIT = b"init section " * 100
VERSION_OF_INIT = "0123abcd"
INIT_FILE = f"init-{VERSION_OF_INIT}.mp4"
CHUNK = bytes(range(256)) * 3


@contextmanager
def store_in(root: Path, *tracks: str) -> Iterator[MediaStore]:
    """A store whose tracks have their init sections."""
    store = MediaStore(root)
    for track in tracks:
        store.write_init(track, VERSION_OF_INIT, INIT)
    with closing_all(store):
        yield store


@contextmanager
def closing_all(store: MediaStore) -> Iterator[None]:
    try:
        yield
    finally:
        store.close_all()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing is all there is to it


def one_line(error: BaseException, name: str) -> bool:
    """Whether the text of a failure is a line that names the file."""
    return str(error).startswith(f"{name}: ") and "\n" not in str(error)


# Segments.


def test_appended_chunks_are_read_in_order(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        store.append("v0", 7, [b"one", b"", bytearray(b"two"), memoryview(b"three")])
        store.append("v0", 7, [b"four"])
    assert (tmp_path / "v0" / "7.m4s").read_bytes() == b"onetwothreefour"


def test_it_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        for count in range(1, 4):
            store.append("v0", 7, [CHUNK])
            assert (tmp_path / "v0" / "7.m4s").read_bytes() == CHUNK * count


pieces = st.lists(st.binary(max_size=20), min_size=1, max_size=4)
turns = st.lists(
    st.tuples(st.sampled_from(["v0", "v1", "a0"]), st.booleans(), st.booleans(), pieces),
    max_size=40,
)


@given(turns)
def test_a_chunk_is_at_its_place_in_the_timeline(
    appended: list[tuple[str, bool, bool, list[bytes]]],
) -> None:
    anchor = Anchor(Fraction(0), UtcMicros(0), UtcMicros(0))
    records: list[Record] = [JournalHeader(VERSION, "tv", Fraction(2)), PeriodStarted(0, 0, anchor)]
    records += [TrackAdded(described(name)) for name in ("v0", "v1", "a0")]
    numbers: defaultdict[str, int] = defaultdict(int)
    held: dict[tuple[str, int, int], bytes] = {}
    begun: set[str] = set()
    with TemporaryDirectory() as name, store_in(Path(name), "v0", "v1", "a0") as store:
        for index, (track, another, closes, parts) in enumerate(appended):
            if another and track in begun:
                records.append(SegmentEnded(track, numbers[track], UtcMicros(0)))
                numbers[track] += 1
                if closes:
                    # The store finds out by the next number too.
                    store.close(track)
            begun.add(track)
            number, data = numbers[track], b"".join(parts)
            store.append(track, number, parts)
            records.append(ChunkAdded(track, number, Ticks(index), Ticks(1), len(data)))
            held[track, number, index] = data
        for known in fold(records).tracks.values():
            segments = [(s.number, chunks) for s, chunks in known.segments.rows()]
            if known.open:
                segments.append((known.open_number, known.open))
            for number, chunks in segments:
                data = (Path(name) / known.id / f"{number}.m4s").read_bytes()
                assert len(data) == sum(chunk.size for chunk in chunks)
                for chunk in chunks:
                    found = data[chunk.offset : chunk.offset + chunk.size]
                    assert found == held.pop((known.id, number, chunk.start))
    assert not held


@pytest.mark.parametrize("left", [b"", b"x", CHUNK * 9])
def test_bytes_of_a_crash_under_a_segments_name_are_overwritten(
    tmp_path: Path, left: bytes
) -> None:
    with store_in(tmp_path, "v0") as store:
        (tmp_path / "v0" / "7.m4s").write_bytes(left)
        store.append("v0", 7, [CHUNK])
        store.append("v0", 7, [b"more"])
    assert (tmp_path / "v0" / "7.m4s").read_bytes() == CHUNK + b"more"


def test_an_append_cut_short_at_any_byte_leaves_the_recorded_bytes(tmp_path: Path) -> None:
    path = tmp_path / "v0" / "7.m4s"
    parts: list[Buffer] = [b"head of a chunk", memoryview(b"and its samples")]
    whole = b"".join(parts)
    with store_in(tmp_path, "v0") as store:
        store.append("v0", 7, [CHUNK])
        for room in range(len(whole)):
            with files_up_to(len(CHUNK) + room), pytest.raises(StoreError) as caught:
                store.append("v0", 7, parts)
            assert str(caught.value).startswith("v0/7")
            assert "\n" not in str(caught.value)
            assert path.read_bytes() == CHUNK
        with files_up_to(len(CHUNK) + len(whole)):
            store.append("v0", 7, parts)
        assert path.read_bytes() == CHUNK + whole
        store.append("v0", 7, [b"more"])
    assert path.read_bytes() == CHUNK + whole + b"more"


@pytest.mark.parametrize("room", [0, 1, len(CHUNK) - 1])
def test_a_first_chunk_cut_short_can_be_appended_later(tmp_path: Path, room: int) -> None:
    path = tmp_path / "v0" / "7.m4s"
    with store_in(tmp_path, "v0") as store:
        with files_up_to(room), pytest.raises(StoreError):
            store.append("v0", 7, [CHUNK])
        assert not path.exists() or not path.read_bytes()
        store.append("v0", 7, [CHUNK])
    assert path.read_bytes() == CHUNK


def test_an_append_cut_short_harms_no_other_segment(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0", "a0") as store:
        store.append("v0", 7, [CHUNK])
        store.append("a0", 7, [b"sound"])
        with files_up_to(len(CHUNK)):
            with pytest.raises(StoreError):
                store.append("v0", 7, [CHUNK])
            store.append("a0", 7, [b"sound"])
        store.append("v0", 8, [CHUNK])
    assert (tmp_path / "v0" / "7.m4s").read_bytes() == CHUNK
    assert (tmp_path / "v0" / "8.m4s").read_bytes() == CHUNK
    assert (tmp_path / "a0" / "7.m4s").read_bytes() == b"soundsound"


# Init sections.


def test_an_init_section_is_there_under_its_name(tmp_path: Path) -> None:
    MediaStore(tmp_path / "data" / "tv").write_init("v0", VERSION_OF_INIT, INIT)
    assert (tmp_path / "data" / "tv" / "v0" / INIT_FILE).read_bytes() == INIT


def test_an_equal_version_stays_as_it_is(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        before = (tmp_path / "v0" / INIT_FILE).stat()
        store.write_init("v0", VERSION_OF_INIT, INIT)
        after = (tmp_path / "v0" / INIT_FILE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_version_lies_beside_the_first(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        store.write_init("v0", "ffffffff", b"another")
    assert (tmp_path / "v0" / INIT_FILE).read_bytes() == INIT
    assert (tmp_path / "v0" / "init-ffffffff.mp4").read_bytes() == b"another"


def test_nothing_else_is_left_of_an_init_section(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0"):
        assert [path.name for path in (tmp_path / "v0").iterdir()] == [INIT_FILE]


def test_an_init_section_cut_short_is_never_seen_under_a_real_name(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    for room in (0, 1, len(INIT) - 1):
        with files_up_to(room), pytest.raises(StoreError) as caught:
            store.write_init("v0", VERSION_OF_INIT, INIT)
        assert one_line(caught.value, f"v0/{INIT_FILE}")
        names = [path.name for path in (tmp_path / "v0").iterdir()]
        assert not any(map(parse_media_name, names))
    store.write_init("v0", VERSION_OF_INIT, INIT)
    assert (tmp_path / "v0" / INIT_FILE).read_bytes() == INIT


def test_the_remains_of_an_init_section_after_a_crash_are_overwritten(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    with files_up_to(7), pytest.raises(StoreError):
        store.write_init("v0", VERSION_OF_INIT, INIT)
    for path in (tmp_path / "v0").iterdir():
        path.write_bytes(INIT * 2)
    store.write_init("v0", VERSION_OF_INIT, INIT)
    assert [path.name for path in (tmp_path / "v0").iterdir()] == [INIT_FILE]
    assert (tmp_path / "v0" / INIT_FILE).read_bytes() == INIT


def test_an_init_section_that_a_power_loss_left_empty_is_written_again(tmp_path: Path) -> None:
    # A file system may keep a rename and lose the bytes written before it.
    (tmp_path / "v0").mkdir()
    (tmp_path / "v0" / INIT_FILE).write_bytes(b"")
    MediaStore(tmp_path).write_init("v0", VERSION_OF_INIT, INIT)
    assert (tmp_path / "v0" / INIT_FILE).read_bytes() == INIT


# Removal.


def test_a_segment_is_removed_and_its_neighbours_stay(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0", "a0") as store:
        for track in ("v0", "a0"):
            for number in (7, 8):
                store.append(track, number, [CHUNK])
        store.remove("v0", 7)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    assert left == ["a0/7.m4s", "a0/8.m4s", f"a0/{INIT_FILE}", "v0/8.m4s", f"v0/{INIT_FILE}"]


def test_a_segment_may_be_removed_twice(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        store.append("v0", 7, [CHUNK])
        store.remove("v0", 7)
        store.remove("v0", 7)
        store.remove("v9", 7)
    assert not (tmp_path / "v0" / "7.m4s").exists()


# Descriptors.


def test_a_track_has_at_most_one_descriptor(tmp_path: Path) -> None:
    before = descriptors()
    with store_in(tmp_path, "v0", "a0") as store:
        for number in range(50):
            for track in ("v0", "a0"):
                store.append(track, number, [CHUNK])
                store.append(track, number, [CHUNK])
            assert descriptors() == before + 2
    assert descriptors() == before


def test_a_track_that_is_closed_has_none(tmp_path: Path) -> None:
    before = descriptors()
    with store_in(tmp_path, "v0", "a0") as store:
        store.append("v0", 7, [CHUNK])
        store.append("a0", 7, [CHUNK])
        store.close("v0")
        assert descriptors() == before + 1
        store.close("v0")
        store.close("v9")
        assert descriptors() == before + 1
        store.close_all()
        assert descriptors() == before
        store.close_all()


def test_a_failure_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = descriptors()
    with store_in(tmp_path, "v0") as store:
        (tmp_path / "v0" / "9.m4s").mkdir()
        store.append("v0", 7, [b"x"])
        for number in range(8, 12):
            with files_up_to(10), pytest.raises(StoreError):
                store.append("v0", number, [CHUNK])
            with files_up_to(10), pytest.raises(StoreError):
                store.write_init("a0", VERSION_OF_INIT, INIT)
        assert descriptors() <= before + 1
    assert descriptors() == before


# Media that cannot be written.


def test_a_track_without_a_folder_is_a_store_error(tmp_path: Path) -> None:
    store = MediaStore(tmp_path)
    with closing_all(store):
        with pytest.raises(StoreError) as caught:
            store.append("v0", 7, [CHUNK])
        assert str(caught.value) == "v0/7.m4s: No such file or directory"
        store.write_init("v0", VERSION_OF_INIT, INIT)
        store.append("v0", 7, [CHUNK])
    assert (tmp_path / "v0" / "7.m4s").read_bytes() == CHUNK


def test_a_file_in_the_tracks_place_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "v0").write_bytes(b"")
    store = MediaStore(tmp_path)
    with pytest.raises(StoreError) as caught:
        store.write_init("v0", VERSION_OF_INIT, INIT)
    assert one_line(caught.value, f"v0/{INIT_FILE}")
    with pytest.raises(StoreError) as caught:
        store.append("v0", 7, [CHUNK])
    assert one_line(caught.value, "v0/7.m4s")


def test_a_file_in_the_channels_place_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "tv").write_bytes(b"")
    store = MediaStore(tmp_path / "tv")
    with pytest.raises(StoreError) as caught:
        store.write_init("v0", VERSION_OF_INIT, INIT)
    assert one_line(caught.value, f"v0/{INIT_FILE}")
    with pytest.raises(StoreError) as caught:
        store.append("v0", 7, [CHUNK])
    assert one_line(caught.value, "v0/7.m4s")


def test_a_folder_in_the_segments_place_is_a_store_error(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        (tmp_path / "v0" / "7.m4s").mkdir()
        with pytest.raises(StoreError) as caught:
            store.append("v0", 7, [CHUNK])
        assert one_line(caught.value, "v0/7.m4s")
        store.append("v0", 8, [CHUNK])
    assert (tmp_path / "v0" / "8.m4s").read_bytes() == CHUNK


def test_a_segment_that_cannot_be_removed_is_a_store_error(tmp_path: Path) -> None:
    with store_in(tmp_path, "v0") as store:
        (tmp_path / "v0" / "7.m4s").mkdir()
        with pytest.raises(StoreError) as caught:
            store.remove("v0", 7)
        assert one_line(caught.value, "v0/7.m4s")
