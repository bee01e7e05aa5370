"""What the packager does at its start about segments that a power loss has hurt."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree

from origin.urls.view import StartOverView, path_of
from packager.journal.format import JournalReader
from packager.journal.missing_media import summary
from packager.layout import JOURNAL, InitName
from packager.runtime.storage import fsync_queue as flushing
from packager.runtime.storage import journal_writer
from packager.runtime.storage.fsync_queue import FsyncQueue
from packager.runtime.storage.publisher import Publisher
from packager.timeline.apply import fold
from packager.timeline.records import SegmentLost, TrackAdded
from tests.support.channel import FIRST, GRID, Packager, channel, packager
from tests.support.service import wait_until
from tests.support.site import check, serving
from tests.support.strategies import described, init_data

SIZE = 2000
"""Bytes of a segment."""
ON_DISK = round(300 / GRID.duration)
"""Segments after which one is not looked at any more."""


@contextmanager
def at_start(made: Packager) -> Iterator[Publisher]:
    """The packager's publisher, as it starts again."""
    publisher = Publisher("tv", made.folder, made.journal, makes_room=True)
    yield publisher
    publisher.store.close_all()


def mended(made: Packager) -> list[SegmentLost]:
    with at_start(made) as publisher:
        return publisher.record_losses()


@pytest.mark.parametrize("left", [0, 1, SIZE // 2, SIZE - 1])
def test_a_segment_that_is_short_is_lost(tmp_path: Path, left: int) -> None:
    made = channel(tmp_path)
    os.truncate(made.path("v0", FIRST + 1), left)
    assert mended(made) == [SegmentLost("v0", FIRST + 1)]
    segments = made.journal.timeline.tracks["v0"].segments
    assert [segment.number for segment in segments] == [FIRST, FIRST + 2]
    assert mended(made) == []


def test_a_segment_without_a_file_is_lost(tmp_path: Path) -> None:
    made = channel(tmp_path)
    made.path("a0", FIRST + 2).unlink()
    assert mended(made) == [SegmentLost("a0", FIRST + 2)]


def test_a_missing_folder_loses_all_its_segments(tmp_path: Path) -> None:
    made = channel(tmp_path)
    (made.folder / "a0").rename(tmp_path / "elsewhere")
    assert mended(made) == [SegmentLost("a0", FIRST + step) for step in (2, 1, 0)]


def test_a_segment_longer_than_its_record_is_complete(tmp_path: Path) -> None:
    made = channel(tmp_path)
    with made.path("v0", FIRST + 1).open("ab") as file:
        file.write(b"stored, but never written down")
    assert mended(made) == []


def test_of_old_segments_only_the_name_is_checked(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=ON_DISK + 4)
    for step in range(ON_DISK + 4):
        os.truncate(made.path("v0", FIRST + step), 5)
    made.path("v0", FIRST + 1).unlink()
    lost = sorted(loss.number - FIRST for loss in mended(made))
    assert lost[0] == 1
    assert 0 < len(range(ON_DISK + 4)) - len(lost) < 5
    assert lost[-1] == ON_DISK + 3


@pytest.mark.parametrize(("left", "chunks"), [(0, 0), (999, 0), (1000, 1), (1999, 1), (2000, 2)])
def test_an_open_segment_ends_after_its_last_whole_chunk(
    tmp_path: Path, left: int, chunks: int
) -> None:
    made = channel(tmp_path)
    for index in (0, 1):
        made.chunk("v0", FIRST + 3, index)
    os.truncate(made.path("v0", FIRST + 3), left)
    with at_start(made) as publisher:
        assert publisher.record_losses() == (
            [] if chunks == 2 else [SegmentLost("v0", FIRST + 3, chunks)]
        )
        publisher.end_open_segments(GRID.micros(FIRST + 5))
        publisher.sweep()
    found = made.journal.timeline.tracks["v0"].segments.numbered(FIRST + 3)
    assert (found.size if found else 0) == chunks * 1000
    assert made.path("v0", FIRST + 3).exists() == bool(chunks)
    assert made.journal.timeline.last_number == FIRST + 3


def test_files_of_a_trim_without_a_record_are_lost(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=ON_DISK + 20)
    for step in range(5):
        for track in ("v0", "a0"):
            made.path(track, FIRST + step).unlink()
    assert len(mended(made)) == 10
    assert made.journal.timeline.tracks["a0"].segments[0].number == FIRST + 5


def test_losses_are_summed_up_in_one_line() -> None:
    text = summary([SegmentLost("v0", 12), SegmentLost("v0", 14), SegmentLost("a0", 12)])
    assert "\n" not in text
    assert "3 segments of v0, a0" in text
    assert "12 to 14" in text


# Init sections.


def test_a_damaged_init_section_is_named_and_written_again(tmp_path: Path) -> None:
    made = channel(tmp_path)
    name = str(InitName(described("v0").version))
    (made.folder / "v0" / name).write_bytes(bytes(len(init_data(0))))
    (made.folder / "a0" / name).unlink()
    with at_start(made) as publisher:
        assert publisher.missing_inits() == [f"a0/{name}", f"v0/{name}"]
        for track in ("v0", "a0"):
            publisher.store.write_init(track, described("v0").version, init_data(0))
        assert publisher.missing_inits() == []


def test_an_init_section_that_no_segment_needs_is_not_missing(tmp_path: Path) -> None:
    made = packager(tmp_path)
    made.begin(0, FIRST)
    made.whole(FIRST, "v0")
    made.note(TrackAdded(described("v1")))
    with at_start(made) as publisher:
        assert publisher.missing_inits() == []


# What viewers see.


async def test_lost_segments_are_a_gap_in_every_format(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=6)
    for track in ("v0", "a0"):
        os.truncate(made.path(track, FIRST + 2), 7)
    async with serving(made) as site:
        before = await site.ask("v0/index.m3u8")
        assert (await site.ask(f"v0/{FIRST + 2}.m4s")).status == 503
        assert len(mended(made)) == 2
        answer = await site.until(f"v0/{FIRST + 2}.m4s", 404)
        check(answer)
        assert "immutable" not in answer.one("Cache-Control")
        for step in (0, 1, 3, 4, 5):
            assert (await site.ask(f"a0/{FIRST + step}.m4s")).status == 200
        text = (await site.ask("v0/index.m3u8")).body.decode()
        listed = [line for line in text.splitlines() if line.endswith(".m4s")]
        assert listed == [f"{FIRST + step}.m4s" for step in range(6)]
        lines = text.splitlines()
        assert lines[lines.index(f"{FIRST + 2}.m4s") - 2] == "#EXT-X-GAP"
        assert text.count("#EXT-X-GAP") == 1
        assert text.splitlines()[:5] == before.body.decode().splitlines()[:5]
        mpd = etree.fromstring((await site.ask("index.mpd")).body)
        names = [period.get("id") for period in mpd.iterfind("{*}Period")]
        assert names == ["p0", f"p0-{FIRST + 3}"]
        smooth = etree.fromstring((await site.ask("index.ism/Manifest")).body)
        fragments = smooth.findall("StreamIndex[@Type='video']/c")
        lengths = [int(c.get("d", "0")) for c in fragments for _ in range(int(c.get("r", "1")))]
        assert [round(length / 19_200_000) for length in lengths] == [1, 2, 1, 1]


async def test_cached_manifests_are_rendered_again_after_a_loss(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=400)
    view = path_of(StartOverView(GRID.micros(FIRST)))
    async with serving(made) as site:
        whole = (await site.ask(f"{view}v0/index.m3u8")).body.decode()
        assert "#EXT-X-GAP" not in whole
        await site.ask(f"{view}index.mpd")
        for track in ("v0", "a0"):
            made.path(track, FIRST + 150).unlink()
        mended(made)
        await site.until(f"v0/{FIRST + 150}.m4s", 404)
        lines = (await site.ask(f"{view}v0/index.m3u8")).body.decode().splitlines()
        assert lines.count("#EXT-X-GAP") == 1
        (gap,) = (at for at, line in enumerate(lines) if line.endswith(f"/{FIRST + 150}.m4s"))
        assert lines[gap - 2] == "#EXT-X-GAP"
        mpd = etree.fromstring((await site.ask(f"{view}index.mpd")).body)
        names = [period.get("id") for period in mpd.iterfind("{*}Period")]
        assert names == ["p0", f"p0-{FIRST + 151}"]


async def test_the_live_edge_does_not_go_back(tmp_path: Path) -> None:
    made = channel(tmp_path, segments=4)
    for track in ("v0", "a0"):
        made.path(track, FIRST + 3).unlink()
    async with serving(made) as site:
        before = (await site.ask("v0/index.m3u8")).body.decode()
        mended(made)
        await site.until(f"v0/{FIRST + 3}.m4s", 404)
        after = (await site.ask("v0/index.m3u8")).body.decode()
        assert before.splitlines()[-1] == after.splitlines()[-1] == f"{FIRST + 3}.m4s"
        made.begin(1, FIRST + 4)
        made.whole(FIRST + 4)
        await site.until(f"a0/{FIRST + 4}.m4s")
        text = (await site.ask("v0/index.m3u8")).body.decode()
        numbers = [int(line[:-4]) for line in text.splitlines() if line.endswith(".m4s")]
        assert all(after == before + 1 for before, after in pairwise(numbers))
        assert numbers[-1] == FIRST + 4


# Flushing.


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing is all there is to it


def test_a_flushed_file_is_closed(tmp_path: Path) -> None:
    before = descriptors()
    flusher = FsyncQueue("tv")
    made = channel(tmp_path)
    publisher = Publisher("tv", made.folder, made.journal, makes_room=True, flush=flusher.flush)
    publisher.note([TrackAdded(described("v0"))])
    publisher.store.append("v0", FIRST + 9, [b"media"])
    publisher.store.close("v0")
    flusher.close()
    made.store.close_all()
    made.journal.close()
    assert descriptors() == before


def test_a_slow_disk_does_not_delay_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    flushed: list[int] = []

    def slow(descriptor: int) -> None:
        os.read(reading, 1)
        flushed.append(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    before = descriptors()
    flusher = FsyncQueue("tv")
    for index in range(3 * flushing.LONGEST_QUEUE):
        flusher.flush(os.open(tmp_path / str(index), os.O_CREAT | os.O_WRONLY))
    assert descriptors() <= before + flushing.LONGEST_QUEUE + 1
    os.write(writing, bytes(3 * flushing.LONGEST_QUEUE))
    flusher.close()
    assert flushing.LONGEST_QUEUE <= len(flushed) <= flushing.LONGEST_QUEUE + 1
    assert descriptors() == before
    os.close(reading)
    os.close(writing)


def test_a_file_that_cannot_be_flushed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def broken(descriptor: int) -> None:
        done.append(descriptor)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    flusher = FsyncQueue("tv")
    for _ in range(2):
        flusher.flush(os.open("/dev/null", os.O_WRONLY))
    wait_until(lambda: len(done) == 2, "two tries")
    flusher.close()


def test_a_folder_that_cannot_be_flushed_costs_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = channel(tmp_path)

    def broken(folder: Path) -> None:
        raise OSError(5, "Input/output error", folder)

    monkeypatch.setattr(journal_writer, "sync_folder", broken)
    made.note(*[TrackAdded(described("v0"))] * 6000)
    size = (made.folder / JOURNAL).stat().st_size
    made.journal.rewrite_if_worth_it()
    assert (made.folder / JOURNAL).stat().st_size < size
    made.whole(FIRST + 3)
    made.journal.check_in_place()
    timeline = fold(JournalReader().feed((made.folder / JOURNAL).read_bytes()))
    assert timeline.last_number == FIRST + 3
