import errno
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.caching.counters import RequestCounters
from origin.caching.prepared import PreparedResponse
from origin.http.response import plain
from origin.runtime.content.manifest_cache import ChannelManifests
from origin.runtime.journal.follower import FollowedChannel
from packager.errors import JournalError
from packager.journal.format import MAX_LINE, VERSION, JournalReader, encode
from packager.layout import JOURNAL
from packager.runtime.storage.journal_writer import JournalWriter
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    EdgeSet,
    JournalHeader,
    Record,
    TrackAdded,
    Trimmed,
)
from tests.support.full_disk import files_up_to
from tests.support.story import (
    HEADER,
    NEXT,
    STORY,
    D,
    chunk,
    content,
    ended,
    lines,
    opened,
    read,
    write_story,
)
from tests.support.strategies import described, journals, split

MEBIBYTE = 1 << 20
REWRITTEN = "journal.rewritten"


def size(folder: Path) -> int:
    return (folder / JOURNAL).stat().st_size


def file_id(folder: Path) -> int:
    """Another one after a rewrite: the old file is open until the new one is there."""
    return (folder / JOURNAL).stat().st_ino


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing is all there is to it


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """A folder for one example of a property."""
    with TemporaryDirectory() as name:
        yield Path(name)


# What a crash leaves.


def test_a_journal_cut_at_any_byte_opens_with_the_whole_records_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / JOURNAL
    whole = lines(STORY)
    ends = [len(lines(STORY[:count])) for count in range(len(STORY) + 1)]
    for place in range(len(whole) + 1):
        path.write_bytes(whole[:place])
        count = sum(end <= place for end in ends) - 1
        with closing(opened(tmp_path)) as writer:
            assert writer.cut_off == place - ends[count]
            # Where not even the header was whole, there is one now.
            count = max(count, 1)
            assert writer.timeline == fold(STORY[:count])
            assert path.read_bytes() == whole[: ends[count]]
            for record in STORY[count:]:
                writer.append([record])
            assert writer.timeline == fold(STORY)
        assert path.read_bytes() == whole


@given(journals(), st.data())
def test_any_journal_cut_anywhere_continues_to_the_same_bytes(
    records: list[Record], data: st.DataObject
) -> None:
    whole = lines(records)
    place = data.draw(st.integers(0, len(whole)))
    reader = JournalReader()
    before = list(reader.feed(whole[:place]))
    with fresh_folder() as folder:
        (folder / JOURNAL).write_bytes(whole[:place])
        duration = fold(records[:1]).grid.duration
        with closing(JournalWriter(folder, "tv", duration)) as writer:
            assert writer.cut_off == place - reader.offset
            assert writer.timeline == fold(before or records[:1])
            writer.append(records[max(len(before), 1) :])
        assert (folder / JOURNAL).read_bytes() == whole


def damaged_by_power_loss(seed: int) -> bytes:
    return random.Random(seed).randbytes(5000)


GARBAGE = {
    "random bytes": damaged_by_power_loss(1),
    "random lines": damaged_by_power_loss(2).replace(b"\0", b"\n"),
    "NULs": bytes(4096),
    "an empty line": b"\n",
    "half a line": encode(NEXT)[:-20],
    "half a line and a whole one": encode(NEXT)[:-20] + encode(NEXT),
    "a line without its end": encode(NEXT)[:-1],
    "a wrong checksum": b"00000000" + encode(NEXT)[8:],
    "a line without end": b"x" * (MAX_LINE + 1),
    "no record": b'%08x ["nothing",1]\n' % crc32(b'["nothing",1]'),
    "no JSON": b"%08x nothing\n" % crc32(b"nothing"),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_after_the_end_is_cut_off(tmp_path: Path, garbage: bytes) -> None:
    path = write_story(tmp_path)
    path.write_bytes(path.read_bytes() + garbage)
    with closing(opened(tmp_path)) as writer:
        assert (writer.timeline, writer.cut_off) == (fold(STORY), len(garbage))
        assert path.read_bytes() == lines(STORY)
        writer.append([NEXT])
    assert read(tmp_path) == [*STORY, NEXT]
    with closing(opened(tmp_path)) as writer:
        assert (writer.timeline, writer.cut_off) == (fold([*STORY, NEXT]), 0)


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_after_the_end_are_cut_off(garbage: bytes) -> None:
    with fresh_folder() as folder:
        path = write_story(folder)
        path.write_bytes(path.read_bytes() + garbage)
        with closing(opened(folder)) as writer:
            assert (writer.timeline, writer.cut_off) == (fold(STORY), len(garbage))
            writer.append([NEXT])
        assert read(folder) == [*STORY, NEXT]


def test_a_journal_of_nothing_but_garbage_starts_afresh(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(bytes(4096))
    with closing(opened(tmp_path)) as writer:
        assert (writer.timeline, writer.cut_off) == (fold([HEADER]), 4096)
    assert read(tmp_path) == [HEADER]


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "tv"
    with closing(opened(folder)) as writer:
        assert (writer.timeline, writer.cut_off) == (fold([HEADER]), 0)
    assert read(folder) == [HEADER]


@given(journals(), st.lists(st.integers(0, 9), max_size=8))
def test_a_journal_opened_repeatedly_continues(records: list[Record], counts: list[int]) -> None:
    duration = fold(records[:1]).grid.duration
    at = 1
    with fresh_folder() as folder:
        for count in [*counts, len(records)]:
            with closing(JournalWriter(folder, "tv", duration)) as writer:
                assert writer.timeline == fold(records[:at])
                writer.append(records[at : at + count])
                at = min(at + count, len(records))
        assert read(folder) == records


# Writes that fail.


def test_a_write_cut_short_at_any_byte_does_not_count(tmp_path: Path) -> None:
    path = write_story(tmp_path, STORY[:9])
    rest = STORY[9:]
    with closing(opened(tmp_path)) as writer:
        before = path.read_bytes()
        for room in range(len(lines(rest))):
            with files_up_to(len(before) + room), pytest.raises(JournalError) as caught:
                writer.append(rest)
            assert str(caught.value).startswith(f"{path}: ")
            assert "\n" not in str(caught.value)
            assert writer.timeline == fold(STORY[:9])
            assert path.read_bytes() == before
        with files_up_to(len(before) + len(lines(rest))):
            writer.append(rest)
        assert writer.timeline == fold(STORY)
    assert read(tmp_path) == STORY


@given(journals(), st.integers(0, 999).map(random.Random))
def test_failed_writes_neither_tear_nor_lose_records(
    records: list[Record], chance: random.Random
) -> None:
    duration, at = fold(records[:1]).grid.duration, 1
    with fresh_folder() as folder:
        with closing(JournalWriter(folder, "tv", duration)) as writer:
            while at < len(records):
                batch = records[at : at + chance.randint(1, 20)]
                if chance.random() < 0.5:
                    room = chance.randrange(len(lines(batch)))
                    with files_up_to(size(folder) + room), pytest.raises(JournalError):
                        writer.append(batch)
                else:
                    writer.append(batch)
                    at += len(batch)
                assert writer.timeline == fold(records[:at])
        assert read(folder) == records


def test_records_that_cannot_follow_are_refused_whole(tmp_path: Path) -> None:
    path = write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        with pytest.raises(JournalError, match="chunk of unknown track v9"):
            writer.append([NEXT, chunk("v9", 12)])
        assert writer.timeline == fold(STORY)
        assert path.read_bytes() == lines(STORY)
        writer.append([NEXT])
    assert read(tmp_path) == [*STORY, NEXT]


def test_a_record_too_long_for_readers_is_refused(tmp_path: Path) -> None:
    write_story(tmp_path)
    long = msgspec.structs.replace(described("v0"), codec_private="0" * MAX_LINE)
    with closing(opened(tmp_path)) as writer:
        with pytest.raises(JournalError):
            writer.append([TrackAdded(long)])
        assert writer.timeline == fold(STORY)
        writer.append([NEXT])
    assert read(tmp_path) == [*STORY, NEXT]


# Journals that cannot be opened.


def test_a_journal_of_another_grid_is_left_alone(tmp_path: Path) -> None:
    path = write_story(tmp_path)
    with pytest.raises(JournalError) as caught:
        JournalWriter(tmp_path, "tv", Fraction(32, 15))
    text = str(caught.value)
    assert text.startswith(f"{path}: its segments last 48/25 s, but the configuration has 32/15 s")
    assert "\n" not in text
    assert path.read_bytes() == lines(STORY)


def test_a_journal_of_another_version_is_left_alone(tmp_path: Path) -> None:
    path = write_story(tmp_path, [JournalHeader(VERSION + 1, "tv", D), *STORY[1:]])
    before = path.read_bytes()
    with pytest.raises(JournalError) as caught:
        opened(tmp_path)
    text = f"{path}: journal version {VERSION + 1}, this program reads up to {VERSION}"
    assert str(caught.value) == text
    assert path.read_bytes() == before


def test_a_folder_in_the_journals_place_is_named(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(JournalError) as caught:
        opened(tmp_path)
    assert str(caught.value) == f"{tmp_path / JOURNAL}: Is a directory"


@pytest.mark.parametrize("below", [".", "tv", "tv/more"])
def test_a_file_in_the_folders_place_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    folder = tmp_path / "file" / below
    with pytest.raises(JournalError) as caught:
        opened(folder)
    assert str(caught.value).startswith(f"{folder / JOURNAL}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("room", [0, 1, 20])
def test_a_journal_that_has_no_room_to_begin_can_begin_later(tmp_path: Path, room: int) -> None:
    with files_up_to(room), pytest.raises(JournalError) as caught:
        opened(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / JOURNAL}: ")
    with closing(opened(tmp_path)) as writer:
        assert writer.cut_off == 0
    assert read(tmp_path) == [HEADER]


def test_a_journal_of_an_earlier_version_continues_as_one_of_this_version(tmp_path: Path) -> None:
    path = write_story(tmp_path, [JournalHeader(1, "tv", D), *STORY[1:]])
    with closing(opened(tmp_path)) as writer:
        assert content(writer.timeline) == content(fold(STORY))
        writer.append([NEXT])
    first = next(iter(read(tmp_path)))
    assert first == HEADER
    assert content(fold(read(tmp_path))) == content(fold([*STORY, NEXT]))
    assert path.exists()


# The supervisor tries again and again in the same process.


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = descriptors()
    with closing(opened(tmp_path)) as writer:
        writer.append(STORY[1:])
        for _ in range(3):
            writer.append(ballast(writer.timeline))
            writer.rewrite_if_worth_it()
        assert descriptors() == before + 1
    assert descriptors() == before


def test_a_journal_of_another_grid_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    write_story(tmp_path)
    before = descriptors()
    with pytest.raises(JournalError):
        JournalWriter(tmp_path, "tv", Fraction(32, 15))
    assert descriptors() == before


def test_a_journal_of_another_version_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    write_story(tmp_path, [JournalHeader(VERSION + 1, "tv", D)])
    before = descriptors()
    with pytest.raises(JournalError):
        opened(tmp_path)
    assert descriptors() == before


def test_a_journal_that_has_no_room_to_begin_leaves_no_descriptor_behind(tmp_path: Path) -> None:
    before = descriptors()
    with files_up_to(0), pytest.raises(JournalError):
        opened(tmp_path)
    assert descriptors() == before


# Rewrites.


def ballast(timeline: Timeline, octets: int = MEBIBYTE) -> list[Record]:
    """Records of at least `octets` bytes that leave the timeline as it was."""
    if timeline.period is None or not timeline.period.tracks:
        return []
    track = next(iter(timeline.period.tracks.values()))
    heavy = TrackAdded(msgspec.structs.replace(track, codec_private="0" * 60_000))
    return [*[heavy] * (octets // 60_000 + 1), TrackAdded(track)]


def test_a_journal_below_a_mebibyte_is_never_rewritten(tmp_path: Path) -> None:
    write_story(tmp_path, [record for record in STORY if not isinstance(record, EdgeSet)])
    with closing(opened(tmp_path)) as writer:
        file = file_id(tmp_path)
        heavy = ballast(writer.timeline)[0]
        writer.append([heavy] * ((MEBIBYTE - 1 - size(tmp_path)) // len(encode(heavy))))
        while size(tmp_path) + len(encode(Trimmed(11))) < MEBIBYTE:
            writer.append([Trimmed(11)])
        writer.rewrite_if_worth_it()
        assert file_id(tmp_path) == file
        writer.append([Trimmed(11)])
        writer.rewrite_if_worth_it()
        assert file_id(tmp_path) != file
        assert size(tmp_path) < MEBIBYTE // 2


def test_a_journal_is_rewritten_again_only_when_it_has_grown(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        # This much stays: as many tracks.
        heavy = msgspec.structs.replace(described("v0"), codec_private="0" * 60_000)
        ids = [f"v{index}" for index in range(1, 26)]
        writer.append([TrackAdded(msgspec.structs.replace(heavy, id=name)) for name in ids])
        writer.rewrite_if_worth_it()
        file, least = file_id(tmp_path), size(tmp_path)
        assert least > MEBIBYTE
        line = TrackAdded(heavy)
        while size(tmp_path) + len(encode(line)) < least + MEBIBYTE:
            writer.append([line])
            writer.rewrite_if_worth_it()
            assert file_id(tmp_path) == file
        writer.append([line])
        writer.rewrite_if_worth_it()
        assert file_id(tmp_path) != file
        # Only the track that was described again has grown.
        assert size(tmp_path) < least + 2 * len(encode(line))


@given(journals(), st.data())
def test_a_rewritten_journal_has_the_same_timeline_and_continues_it(
    records: list[Record], data: st.DataObject
) -> None:
    place = data.draw(st.integers(1, len(records)))
    duration = fold(records[:1]).grid.duration
    with fresh_folder() as folder:
        with closing(JournalWriter(folder, "tv", duration)) as writer:
            writer.append(records[1:place])
            file = file_id(folder)
            writer.append(heavy := ballast(writer.timeline))
            writer.rewrite_if_worth_it()
            assert (file_id(folder) != file) == bool(heavy)
            assert size(folder) < MEBIBYTE
            assert content(writer.timeline) == content(fold(records[:place]))
            assert content(fold(read(folder))) == content(writer.timeline)
            writer.append(records[place:])
        assert content(fold(read(folder))) == content(fold(records))
        with closing(JournalWriter(folder, "tv", duration)) as writer:
            assert writer.cut_off == 0
            assert content(writer.timeline) == content(fold(records))


def test_after_a_rewrite_a_write_cut_short_does_not_count(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append(ballast(writer.timeline))
        writer.rewrite_if_worth_it()
        before = (tmp_path / JOURNAL).read_bytes()
        with files_up_to(len(before) + 5), pytest.raises(JournalError):
            writer.append([NEXT])
        assert (tmp_path / JOURNAL).read_bytes() == before
        writer.append([NEXT])
        assert (tmp_path / JOURNAL).read_bytes() == before + encode(NEXT)
        assert content(fold(read(tmp_path))) == content(fold([*STORY, NEXT]))


def test_a_rewrite_that_fails_leaves_the_old_journal_in_use(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append(ballast(writer.timeline))
        before, file = (tmp_path / JOURNAL).read_bytes(), file_id(tmp_path)
        for room in (0, 1, 300):
            with files_up_to(room), pytest.raises(JournalError) as caught:
                writer.rewrite_if_worth_it()
            assert str(caught.value).startswith(f"{tmp_path}/")
            assert "\n" not in str(caught.value)
            assert (file_id(tmp_path), (tmp_path / JOURNAL).read_bytes()) == (file, before)
        writer.append([NEXT])
        assert (tmp_path / JOURNAL).read_bytes() == before + encode(NEXT)
        assert content(writer.timeline) == content(fold([*STORY, NEXT]))
        writer.rewrite_if_worth_it()
        assert file_id(tmp_path) != file
    assert content(fold(read(tmp_path))) == content(fold([*STORY, NEXT]))


def test_a_rewrite_that_failed_leaves_the_old_journal_to_the_next_start(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append(ballast(writer.timeline))
        whole = read(tmp_path)
        with files_up_to(300), pytest.raises(JournalError):
            writer.rewrite_if_worth_it()
    with closing(opened(tmp_path)) as writer:
        assert (writer.timeline, writer.cut_off) == (fold(whole), 0)


def test_a_rewrite_that_cannot_begin_leaves_the_old_journal_in_use(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append(ballast(writer.timeline))
        (tmp_path / REWRITTEN).mkdir()
        with pytest.raises(JournalError, match=f"^{tmp_path / REWRITTEN}: Is a directory$"):
            writer.rewrite_if_worth_it()
        writer.append([NEXT])
        assert content(fold(read(tmp_path))) == content(fold([*STORY, NEXT]))


def test_the_remains_of_a_rewrite_after_a_crash_harm_nothing(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append(ballast(writer.timeline))
        with files_up_to(300), pytest.raises(JournalError):
            writer.rewrite_if_worth_it()
    (tmp_path / REWRITTEN).write_bytes(damaged_by_power_loss(3) * 1000)
    with closing(opened(tmp_path)) as writer:
        writer.append([NEXT])
        writer.append(ballast(writer.timeline, 2 * MEBIBYTE))
        writer.rewrite_if_worth_it()
        assert size(tmp_path) < MEBIBYTE
    assert content(fold(read(tmp_path))) == content(fold([*STORY, NEXT]))
    assert not (tmp_path / REWRITTEN).exists()


def round_of(number: int, kept: int, chunks: int = 25) -> Iterator[list[Record]]:
    """One number of the grid published in two tracks, then trimmed to the newest `kept`."""
    for track in ("v0", "a0"):
        for index in range(chunks):
            yield [chunk(track, number, index)]
        yield [ended(track, number)]
    yield [Trimmed(number - kept + 1)]


def test_a_journal_stays_small_however_long_the_channel_runs(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as writer:
        writer.append(STORY[1:4])
        rewrites, written, file = 0, 0, file_id(tmp_path)
        for number in range(10, 1500):
            for records in round_of(number, 20):
                writer.append(records)
                written += len(lines(records))
            writer.rewrite_if_worth_it()
            rewrites += file_id(tmp_path) != file
            file = file_id(tmp_path)
            assert size(tmp_path) < MEBIBYTE + MEBIBYTE // 16
        assert len(writer.timeline.tracks["v0"].segments) == 20
    assert written > 3 * MEBIBYTE
    assert 3 <= rewrites <= 4
    assert content(fold(read(tmp_path))) == content(writer.timeline)


def test_a_journal_stays_small_however_often_the_packager_restarts(tmp_path: Path) -> None:
    write_story(tmp_path)
    for _ in range(8):
        with closing(opened(tmp_path)) as writer:
            writer.append(ballast(writer.timeline, MEBIBYTE // 2))
            writer.rewrite_if_worth_it()
            assert size(tmp_path) < 2 * MEBIBYTE
    assert content(fold(read(tmp_path))) == content(fold(STORY))


# Readers.


@contextmanager
def following(folder: Path) -> Iterator[FollowedChannel]:
    channel = FollowedChannel("tv", folder, Fraction(60), Fraction(600))
    try:
        yield channel
    finally:
        channel.close()


def test_a_follower_reads_on_in_the_new_file_after_a_rewrite(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer, following(tmp_path) as channel:
        channel.catch_up()
        writer.append(ballast(writer.timeline))
        writer.rewrite_if_worth_it()
        writer.append([NEXT])
        channel.catch_up()
        assert content(channel.timeline) == content(fold([*STORY, NEXT]))
        writer.append([ended("v0", 11)])
        channel.catch_up()
        assert content(channel.timeline) == content(writer.timeline)


@pytest.mark.parametrize("looks", [True, False])
def test_a_follower_in_step_reads_nothing_twice(tmp_path: Path, *, looks: bool) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer, following(tmp_path) as channel:
        channel.catch_up()
        generation = channel.generation
        writer.append(ballast(writer.timeline))
        if looks:
            channel.catch_up()
        writer.append([NEXT])
        writer.rewrite_if_worth_it()
        writer.append([ended("v0", 11)])
        channel.catch_up()
        assert channel.generation == generation
        assert content(channel.timeline) == content(writer.timeline)


def test_a_follower_that_cannot_open_the_new_file_reads_it_all_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer, following(tmp_path) as channel:
        channel.catch_up()
        writer.append(ballast(writer.timeline))
        writer.append([NEXT])
        writer.rewrite_if_worth_it()

        def no_more(*_: object) -> int:
            raise OSError(errno.EMFILE, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(os, "open", no_more)
            channel.catch_up()
        writer.append([ended("v0", 11)])
        channel.catch_up()
        assert content(channel.timeline) == content(writer.timeline)


def test_a_period_with_many_holes_can_be_rewritten(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append([ended("v0", 11)])
        for number in range(13, 6013, 2):
            writer.append([chunk("v0", number), ended("v0", number)])
        writer.append(ballast(writer.timeline))
        writer.rewrite_if_worth_it()
        assert content(fold(read(tmp_path))) == content(writer.timeline)


STEPS = st.lists(
    st.sampled_from(["append", "append", "rewrite", "look", "open again"]), max_size=30
)


@given(journals(), STEPS, st.integers(0, 999).map(random.Random))
def test_a_follower_that_reads_now_and_then_has_the_writers_timeline(
    records: list[Record], steps: list[str], chance: random.Random
) -> None:
    duration = fold(records[:1]).grid.duration
    with fresh_folder() as folder, following(folder) as channel:
        writer, at = JournalWriter(folder, "tv", duration), 1
        for step in [*steps, "look"]:
            match step:
                case "append":
                    count = chance.randint(1, 12)
                    writer.append(records[at : at + count])
                    at = min(at + count, len(records))
                case "rewrite":
                    writer.append(ballast(writer.timeline))
                    writer.rewrite_if_worth_it()
                case "open again":
                    writer.close()
                    writer = JournalWriter(folder, "tv", duration)
                case _:
                    channel.catch_up()
                    assert content(channel.timeline) == content(fold(records[:at]))
        writer.append(records[at:])
        channel.catch_up()
        writer.close()
        assert content(channel.timeline) == content(writer.timeline) == content(fold(records))


@given(journals(), st.data())
def test_a_follower_of_a_journal_that_grows_by_any_bytes_knows_the_whole_records(
    records: list[Record], data: st.DataObject
) -> None:
    whole, reader, known = lines(records), JournalReader(), Timeline()
    with (
        fresh_folder() as folder,
        following(folder) as channel,
        (folder / JOURNAL).open("ab", 0) as file,
    ):
        for piece in data.draw(split(whole)):
            file.write(piece)
            channel.catch_up()
            known = fold(reader.feed(piece), known)
            assert channel.timeline == known
    assert known == fold(records)


def test_a_follower_meanwhile_has_only_timelines_that_the_writer_had(tmp_path: Path) -> None:
    batches = [batch for number in range(10, 60) for batch in round_of(number, 8, 3)]
    history: list[Record] = list(STORY[:4])
    known: list[Timeline] = []
    with closing(opened(tmp_path)) as writer, following(tmp_path) as channel:
        writer.append(STORY[1:4])
        channel.catch_up()

        def write() -> None:
            for index, batch in enumerate(batches):
                heavy = ballast(writer.timeline) if index % 50 == 49 else []
                for records in (batch, heavy):
                    writer.append(records)
                    history.extend(records)
                writer.rewrite_if_worth_it()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            while not writing.done():
                channel.catch_up()
                if not known or channel.timeline is not known[-1]:
                    known.append(channel.timeline)
            writing.result()
        channel.catch_up()
        assert content(channel.timeline) == content(writer.timeline)
    timeline, moments = Timeline(), list[bytes]()
    for record in history:
        timeline = apply(timeline, record)
        moments.append(content(timeline))
    assert set(map(content, known)) <= set(moments)
    edges = [each.edge for each in known]
    assert edges == sorted(edges)


TORN = {
    "half a line": encode(ended("v0", 11))[:-3],
    "NULs": bytes(40),
    "random bytes": damaged_by_power_loss(4),
}


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_follower_that_read_a_torn_end_continues_once_it_is_cut_off(
    tmp_path: Path, torn: bytes
) -> None:
    path = write_story(tmp_path)
    with following(tmp_path) as channel:
        with path.open("ab") as file:
            file.write(torn)
        channel.catch_up()
        assert channel.timeline == fold(STORY)
        with closing(opened(tmp_path)) as writer:
            channel.catch_up()
            writer.append([NEXT])
            writer.append([Trimmed(11)])
            channel.catch_up()
            assert channel.timeline == writer.timeline


@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_follower_that_read_a_torn_end_and_then_more_continues(
    tmp_path: Path, torn: bytes
) -> None:
    path = write_story(tmp_path)
    with following(tmp_path) as channel:
        with path.open("ab") as file:
            file.write(torn)
        channel.catch_up()
        with closing(opened(tmp_path)) as writer:
            # The journal has grown beyond its old size before the reader reads it again.
            writer.append([NEXT, *ballast(writer.timeline, 6000)])
            channel.catch_up()
            assert content(channel.timeline) == content(writer.timeline)


# A rewritten journal may happen to have as many changes as the follower has seen.
@pytest.mark.parametrize("before", [11, 12, 13])
def test_rendered_manifests_are_dropped_with_the_segments_that_they_name(
    tmp_path: Path, before: int
) -> None:
    with closing(opened(tmp_path)) as writer, following(tmp_path) as channel:
        writer.append(STORY[1:3])
        for number in range(10, 20):
            writer.append([chunk("v0", number, index) for index in range(2600)])
            writer.append([ended("v0", number)])
        channel.catch_up()
        answer = plain(200, "names segment 10", "no-store")
        kept = ChannelManifests(channel)
        prepared = PreparedResponse(answer, RequestCounters("tv", "dash", 200))
        assert kept.find("a manifest") is None
        kept.put("a manifest", prepared)
        assert kept.find("a manifest") is prepared
        file = file_id(tmp_path)
        writer.append([Trimmed(before)])
        writer.rewrite_if_worth_it()
        assert file_id(tmp_path) != file
        channel.catch_up()
        assert channel.timeline.tracks["v0"].segments[0].number == before
        assert kept.find("a manifest") is None
