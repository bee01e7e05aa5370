"""Journals that are damaged before their end, taken away, or on a full disk."""

import os
from collections.abc import Iterable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.runtime.journal.follower import FollowedChannel
from packager.errors import JournalError
from packager.journal.compaction import records_of
from packager.journal.format import VERSION, encode
from packager.layout import JOURNAL
from packager.runtime.storage.journal_writer import JournalWriter
from packager.timeline.apply import fold
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    EventRemoved,
    EventSet,
    JournalHeader,
    PeriodStarted,
    Record,
    TrackAdded,
    Trimmed,
)
from packager.timing.ticks import UtcMicros
from tests.support.full_disk import fill, small_disk
from tests.support.story import (
    ANCHOR,
    NEXT,
    STORY,
    D,
    chunk,
    ended,
    lines,
    opened,
    read,
    write_story,
)
from tests.support.strategies import described, journals

DAMAGED = "journal.damaged"


def begin_next(writer: JournalWriter) -> list[Record]:
    """What a channel writes first, whatever it finds."""
    timeline = writer.timeline
    number = timeline.last_occupied + 1
    utc = timeline.grid.micros(number)
    index = timeline.period.index + 1 if timeline.period else 0
    video = TrackAdded(described("v0"))
    return [PeriodStarted(index, number, Anchor(Fraction(0), utc, utc)), video]


def newest(records: Iterable[Record]) -> tuple[int, int]:
    """The highest index of a period, the highest number of a segment."""
    named = list(records)
    periods = [r.index for r in named if isinstance(r, PeriodStarted)]
    chunks = [r.number for r in named if isinstance(r, ChunkAdded)]
    return max(periods, default=-1), max(chunks, default=-1)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


BEHIND = {
    "NULs and a line": bytes(100) + b"\n" + encode(NEXT),
    "a record that cannot follow": encode(chunk("v9", 12)),
    "a record that cannot follow and one that can": encode(chunk("v0", 10)) + encode(NEXT),
    "another version": encode(JournalHeader(VERSION + 1, "tv", D)),
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND)
def test_undamaged_records_count_and_the_whole_file_is_kept(tmp_path: Path, behind: bytes) -> None:
    path = write_story(tmp_path)
    path.write_bytes(before := path.read_bytes() + behind)
    with closing(opened(tmp_path)) as writer:
        assert (writer.cut_off, writer.set_aside) == (len(behind), tmp_path / DAMAGED)
        tracks = fold(STORY).tracks
        assert [t.open for t in writer.timeline.tracks.values()] == [(), ()]
        for name, track in writer.timeline.tracks.items():
            assert list(track.segments) == list(tracks[name].segments)
        writer.append(begin_next(writer))
        after = writer.timeline
    assert (tmp_path / DAMAGED).read_bytes() == before
    with closing(opened(tmp_path)) as writer:
        assert (writer.timeline, writer.cut_off, writer.set_aside) == (after, 0, None)


def test_events_after_the_damage_stay_as_ordered(tmp_path: Path) -> None:
    path = write_story(
        tmp_path, [*STORY, EventSet("one", UtcMicros(1)), EventSet("two", UtcMicros(1))]
    )
    orders = [EventSet("three", UtcMicros(5), None, pinned=True), EventRemoved("one")]
    path.write_bytes(path.read_bytes() + b"damage\n" + b"".join(map(encode, orders)))
    with closing(opened(tmp_path)) as writer:
        events = writer.timeline.events
    assert set(events) == {"two", "three"}
    assert events["three"].pinned


def test_no_number_of_a_damaged_bundle_is_used_again(tmp_path: Path) -> None:
    write_story(tmp_path)
    with closing(opened(tmp_path)) as writer:
        writer.append([ended("v0", 11)])
        for number in range(12, 60):
            writer.append([chunk("v0", number), ended("v0", number)])
        timeline = writer.timeline
    path = tmp_path / JOURNAL
    data = b"".join(map(encode, records_of(timeline, VERSION)))
    at = data.index(b'["b"')
    path.write_bytes(flipped(data, at + 9))
    with closing(opened(tmp_path)) as writer:
        assert writer.timeline.last_occupied > timeline.last_number


def test_no_number_of_a_damaged_header_is_used_again(tmp_path: Path) -> None:
    path = write_story(tmp_path)
    path.write_bytes(flipped(path.read_bytes(), 12))
    with closing(opened(tmp_path)) as writer:
        first, *_, added = read(tmp_path)
        assert first == STORY[0]
        assert isinstance(added, PeriodStarted)
        assert (added.index, added.number) == (2, 13)
        period, *_ = begin_next(writer)
        assert isinstance(period, PeriodStarted)
        assert (period.index, period.number) == (3, 13)


@given(journals(), st.data())
def test_wherever_a_byte_is_wrong_no_number_is_used_twice(
    records: list[Record], data: st.DataObject
) -> None:
    whole = lines(records)
    place = data.draw(st.integers(0, len(whole) - 1))
    torn = place >= len(lines(records[:-1])) - 1
    sound = [r for at, r in enumerate(records) if len(lines(records[: at + 1])) <= place]
    duration = fold(records[:1]).grid.duration
    with TemporaryDirectory() as name:
        folder = Path(name)
        channel = FollowedChannel("tv", folder, Fraction(60), Fraction(600))
        (folder / JOURNAL).write_bytes(whole)
        if not torn:
            channel.catch_up()
        (folder / JOURNAL).write_bytes(flipped(whole, place))
        with closing(JournalWriter(folder, "tv", duration)) as writer:
            assert (writer.set_aside is None) == torn
            index, number = newest(sound if torn else records)
            period, _ = begin = begin_next(writer)
            assert isinstance(period, PeriodStarted)
            assert period.index > index
            assert period.number > number
            was = fold(sound).tracks
            for track in writer.timeline.tracks.values():
                assert list(track.segments) == list(was[track.id].segments)
                assert torn or not track.open
            writer.append(begin)
            channel.catch_up()
            assert channel.timeline == writer.timeline
        channel.close()


def test_a_segment_left_open_when_a_period_began_without_its_track_can_end(tmp_path: Path) -> None:
    write_story(tmp_path, [*STORY[:-2], PeriodStarted(1, 12, ANCHOR)])
    with closing(opened(tmp_path)) as writer:
        writer.append([ended("v0", 11), *begin_next(writer)])
        assert writer.timeline.tracks["v0"].last_number == 11


# A journal that another program removes.


def test_a_journal_in_its_place_is_found_there(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as writer:
        writer.check_in_place()


def test_a_removed_journal_is_named(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as writer:
        (tmp_path / JOURNAL).unlink()
        with pytest.raises(JournalError, match=f"^{tmp_path / JOURNAL}: No such file"):
            writer.check_in_place()


def test_another_journal_in_its_place_is_named(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as writer:
        (tmp_path / "other").write_bytes((tmp_path / JOURNAL).read_bytes())
        (tmp_path / "other").replace(tmp_path / JOURNAL)
        with pytest.raises(JournalError, match=f"^{tmp_path / JOURNAL}: replaced while in use$"):
            writer.check_in_place()


@pytest.mark.parametrize("octets", [-7, 7])
def test_a_journal_of_another_length_is_named(tmp_path: Path, octets: int) -> None:
    with closing(opened(tmp_path)) as writer:
        size = (tmp_path / JOURNAL).stat().st_size
        os.truncate(tmp_path / JOURNAL, size + octets)
        reason = f"^{tmp_path / JOURNAL}: {size + octets} bytes, {size} were written$"
        with pytest.raises(JournalError, match=reason):
            writer.check_in_place()


# A full disk.


def test_on_a_full_disk_the_reserve_has_room_for_a_record(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m"), closing(opened(tmp_path / "disk")) as writer:
        writer.append(STORY[1:-1])
        writer.hold_reserve()
        fill(tmp_path / "disk" / "filler")
        written = fill_journal(writer)
        with pytest.raises(JournalError) as caught:
            writer.append([NEXT])
        assert caught.value.full
        writer.give_up_reserve()
        writer.append([NEXT])
        assert writer.timeline == fold([*STORY[:-1], *written, NEXT])
        (tmp_path / "disk" / "filler").unlink()
        writer.hold_reserve()
        fill(tmp_path / "disk" / "filler")
        fill_journal(writer)
        writer.give_up_reserve()
        writer.append([chunk("v0", 11, 3)])


def fill_journal(writer: JournalWriter) -> list[Record]:
    """Take the rest of the journal's last block too."""
    again: list[Record] = [Trimmed(0)]
    written: list[Record] = []
    try:
        while True:
            writer.append(again)
            written += again
    except JournalError:
        return written
