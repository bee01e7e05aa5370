from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from itertools import accumulate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import JournalError
from packager.journal.compaction import records_of
from packager.journal.format import VERSION
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    EventRemoved,
    EventSet,
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
from packager.timeline.segment_table import Chunk, PackedSegments, Segment
from packager.timeline.segments import Segments
from packager.timing.grid import Grid
from packager.timing.ticks import Ticks, UtcMicros, micros_of, rescale
from tests.support.strategies import any_record, described, journals, journals_with_losses

GRID = Grid(Fraction(48, 25))
D = 172_800


def snapshot(timeline: Timeline) -> bytes:
    """The whole content of a timeline, as bytes."""
    tracks = {
        name: (
            list(t.segments.rows()),
            t.open_number,
            t.open,
            t.open_period,
            t.longest,
            t.peak,
            t.last_lost,
        )
        for name, t in timeline.tracks.items()
    }
    whole = (
        timeline.channel,
        str(timeline.grid.duration),
        timeline.periods,
        tracks,
        timeline.edge,
        timeline.trimmed,
        timeline.ended,
        timeline.version,
    )
    return msgspec.json.encode(whole, enc_hook=str)


def content(timeline: Timeline) -> object:
    """What a rewritten journal has to keep."""
    opened = {
        name: (t.open_number, t.open, t.open_period)
        for name, t in timeline.tracks.items()
        if t.open
    }
    return (
        timeline.channel,
        timeline.grid,
        timeline.periods,
        {
            name: (list(t.segments.rows()), t.longest, t.peak, t.last_lost)
            for name, t in timeline.tracks.items()
        },
        opened,
        timeline.edge,
        timeline.trimmed,
        timeline.ended,
    )


@given(journals_with_losses())
def test_earlier_timelines_do_not_change(records: list[Record]) -> None:
    timelines, snapshots = [Timeline()], [snapshot(Timeline())]
    for record in records:
        timelines.append(apply(timelines[-1], record))
        snapshots.append(snapshot(timelines[-1]))
    assert [snapshot(timeline) for timeline in timelines] == snapshots
    # And not if the records differ from a point on.
    middle = timelines[len(timelines) // 2]
    fold(records_of(middle, VERSION))
    for record in records[len(timelines) // 2 :]:
        middle = apply(middle, record)
    assert snapshot(middle) == snapshots[-1]
    assert [snapshot(timeline) for timeline in timelines] == snapshots


@given(journals_with_losses())
def test_every_prefix_can_be_rewritten(records: list[Record]) -> None:
    timeline = Timeline()
    for record in records:
        timeline = apply(timeline, record)
        again = fold(records_of(timeline, VERSION))
        assert content(again) == content(timeline)


@given(journals_with_losses(), st.data())
def test_a_rewritten_journal_goes_on_the_same(records: list[Record], data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(records)))
    rewritten = fold(records_of(fold(records[:place]), VERSION))
    assert content(fold(records[place:], rewritten)) == content(fold(records))


@given(journals_with_losses())
def test_the_edge_never_goes_back(records: list[Record]) -> None:
    timeline = Timeline()
    for record in records:
        after = apply(timeline, record)
        assert after.edge >= timeline.edge
        assert after.version >= timeline.version
        if (after.edge, after.ended, after.periods, after.trimmed) != (
            timeline.edge,
            timeline.ended,
            timeline.periods,
            timeline.trimmed,
        ):
            assert after.version > timeline.version
        for track in after.tracks.values():
            assert after.edge <= max(t.last_number for t in after.tracks.values())
            assert track.last_number <= after.last_number
        timeline = after


@given(journals_with_losses())
def test_the_longest_and_the_peak_never_shrink(records: list[Record]) -> None:
    timeline = Timeline()
    for record in records:
        after = apply(timeline, record)
        for name, track in timeline.tracks.items():
            assert after.tracks[name].longest >= track.longest
            assert after.tracks[name].peak >= track.peak
            durations = [segment.duration for segment in after.tracks[name].segments]
            scale = described(name).timescale
            assert all(micros_of(d, scale) <= after.tracks[name].longest for d in durations)
        timeline = after


@given(journals_with_losses())
def test_segments_are_their_chunks(records: list[Record]) -> None:
    timeline = fold(records)
    for track in timeline.tracks.values():
        numbers = [segment.number for segment in track.segments]
        assert numbers == sorted(set(numbers))
        for segment, chunks in track.segments.rows():
            assert segment.start == chunks[0].start
            assert segment.end == chunks[-1].start + chunks[-1].duration
            assert segment.size == sum(chunk.size for chunk in chunks)
            offsets = [chunk.offset for chunk in chunks]
            sizes = [chunk.size for chunk in chunks]
            assert offsets == [sum(sizes[:index]) for index in range(len(sizes))]
            assert timeline.track(track.id, segment.period).id == track.id
            assert segment.number >= timeline.trimmed


@given(journals(), st.integers(-2, 14))
def test_trim(records: list[Record], ahead: int) -> None:
    timeline = fold(records)
    number = timeline.last_number - 12 + ahead
    after = apply(timeline, Trimmed(number))
    assert after.trimmed == max(number, timeline.trimmed)
    for name, track in timeline.tracks.items():
        kept = [segment for segment in track.segments if segment.number >= number]
        assert list(after.tracks[name].segments) == kept
        assert after.tracks[name].longest == track.longest
    used = {s.period for t in after.tracks.values() for s in t.segments}
    used |= {t.open_period for t in after.tracks.values() if t.open}
    assert used <= {period.index for period in after.periods}
    if (last := timeline.period) is not None and after.period is not None:
        known = [stretch.number for stretch in last.continuations]
        last_one = max((at for at in known if at <= number), default=0)
        stays = [at for at in known if at >= last_one]
        assert [stretch.number for stretch in after.period.continuations] == stays
        assert after.period.index == last.index
    assert after.edge == timeline.edge
    assert content(apply(after, Trimmed(number))) == content(after)


@given(journals(), any_record)
def test_any_record_follows_or_is_refused(records: list[Record], record: Record) -> None:
    timeline = fold(records)
    before = snapshot(timeline)
    with suppress(JournalError):
        apply(timeline, record)
    assert snapshot(timeline) == before


# The edge.


def chunk(track: str, number: int, duration: int = D) -> ChunkAdded:
    """Of a duration in ticks of 90 kHz, whatever the track's are."""
    start, length = (
        rescale(ticks, 90_000, described(track).timescale) for ticks in (number * D, duration)
    )
    return ChunkAdded(track, number, Ticks(start), Ticks(length), 1000)


def whole(number: int, *names: str) -> Iterable[Record]:
    for name in names:
        yield chunk(name, number)
        yield SegmentEnded(name, number, UtcMicros(number))


def live(*names: str) -> Timeline:
    anchor = Anchor(Fraction(0), UtcMicros(0), UtcMicros(0))
    head = [JournalHeader(VERSION, "tv", GRID.duration), PeriodStarted(0, 10, anchor)]
    return fold([*head, *(TrackAdded(described(name)) for name in names)])


def test_keyframes_that_are_far_apart_hold_nothing_back() -> None:
    """Sound that ends a moment after the picture is no track that has died."""
    timeline = fold(whole(10, "v0", "a0"), live("v0", "a0"))
    long = fold([chunk("v0", 12, 3 * D), SegmentEnded("v0", 12, UtcMicros(0))], timeline)
    assert long.edge == 12  # sound has died before
    begins = fold([chunk("v0", 11, 3 * D), SegmentEnded("v0", 11, UtcMicros(0))], timeline)
    assert begins.edge == 10
    assert fold([chunk("a0", 11, 3 * D), SegmentEnded("a0", 11, UtcMicros(0))], begins).edge == 11


def test_every_change_visible_in_a_manifest_is_a_new_version() -> None:
    """A segment behind the edge takes the place of a gap; a rate or a length may be the highest."""
    timeline = fold([*whole(10, "v0", "a0"), *whole(11, "v0"), *whole(12, "v0")], live("v0", "a0"))
    assert timeline.edge == 12
    late = fold(whole(11, "a0"), timeline)
    assert (late.edge, late.version) == (12, timeline.version + 1)
    ahead = fold([*whole(10, "v0", "a0"), chunk("v0", 11)], live("v0", "a0"))
    same = fold([SegmentEnded("v0", 11, UtcMicros(0))], ahead)
    assert (same.edge, same.version) == (10, ahead.version)
    larger = ChunkAdded("v0", 11, Ticks(12 * D), Ticks(D), 9000)
    higher = fold([larger, SegmentEnded("v0", 11, UtcMicros(0))], ahead)
    assert (higher.edge, higher.version) == (10, ahead.version + 1)


def test_schedule_digests_outlast_orders_and_compaction() -> None:
    scheduled = EventSet("fight", UtcMicros(1), None, schedule="abc")
    ended = fold([scheduled, EventSet("fight", UtcMicros(1), UtcMicros(2))], live("v0"))
    removed = fold([EventRemoved("fight")], ended)
    for timeline in (ended, removed):
        again = fold(records_of(timeline, VERSION))
        assert again.scheduled == timeline.scheduled == {"fight": "abc"}
        assert [(e.name, e.end) for e in again.events.values()] == [
            (e.name, e.end) for e in timeline.events.values()
        ]


def test_the_edge_is_the_newest_segment_of_all_tracks() -> None:
    timeline = fold(whole(10, "v0", "v1"), live("v0", "v1", "a0"))
    assert timeline.edge == -1
    timeline = fold(whole(10, "a0"), timeline)
    assert timeline.edge == 10
    timeline = fold(whole(11, "v0", "a0"), timeline)
    assert timeline.edge == 10


@pytest.mark.parametrize("dead", ["v0", "v1", "a0"])
def test_a_track_that_dies_alone_holds_the_edge_back_by_one_segment(dead: str) -> None:
    timeline = live("v0", "v1", "a0")
    timeline = fold(whole(10, "v0", "v1", "a0"), timeline)
    others = [name for name in ("v0", "v1", "a0") if name != dead]
    for number in range(11, 20):
        timeline = fold(whole(number, *others), timeline)
        assert timeline.edge == (10 if number == 11 else number)
    # It returns: the live edge does not go back.
    timeline = fold(whole(20, dead), timeline)
    assert timeline.edge >= 19


def test_a_new_period_shows_all_of_the_last() -> None:
    timeline = fold([*whole(10, "v0", "a0"), *whole(11, "v0")], live("v0", "a0"))
    assert timeline.edge == 10
    anchor = Anchor(Fraction(0), UtcMicros(0), UtcMicros(0))
    timeline = fold([PeriodStarted(1, 15, anchor)], timeline)
    assert timeline.edge == 11
    timeline = fold([TrackAdded(described("v0", 1)), *whole(15, "v0")], timeline)
    assert timeline.edge == 15


def test_the_end_shows_all() -> None:
    timeline = fold([*whole(10, "v0", "a0"), *whole(11, "v0")], live("v0", "a0"))
    timeline = fold([SourceEnded(UtcMicros(5), "a match")], timeline)
    assert (timeline.edge, timeline.ended, timeline.ended_source) == (11, True, "a match")
    timeline = fold([PeriodStarted(1, 15, ANCHOR)], timeline)
    assert (timeline.ended, timeline.ended_source) == (False, "")


def test_a_cut_segment_does_not_count_for_the_peak_rate() -> None:
    timeline = fold([chunk("v0", 10, D // 10), SegmentEnded("v0", 10, UtcMicros(0))], live("v0"))
    assert timeline.tracks["v0"].peak == 0
    timeline = fold(whole(11, "v0"), timeline)
    assert timeline.tracks["v0"].peak == round(1000 * 8 / 1.92)


ANCHOR = Anchor(Fraction(0), UtcMicros(0), UtcMicros(0))


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (PeriodStarted(0, 20, ANCHOR), "period 0 after period 0"),
        (PeriodStarted(1, 11, ANCHOR), "period 1 starts at segment 11, which is taken"),
        (chunk("v9", 12), "chunk of unknown track v9"),
        (chunk("v0", 12), "chunk of segment 12 of track v0 out of order"),
        (chunk("a0", 10), "chunk of segment 10 of track a0 out of order"),
        (chunk("a0", 9), "chunk of segment 9 of track a0 out of order"),
        (SegmentEnded("v0", 12, UtcMicros(0)), "end of segment 12 of track v0, which is not open"),
        (SegmentEnded("a0", 11, UtcMicros(0)), "end of segment 11 of track a0, which is not open"),
        (SegmentEnded("v9", 11, UtcMicros(0)), "end of segment 11 of track v9, which is not open"),
    ],
)
def test_a_record_that_cannot_follow(record: Record, reason: str) -> None:
    timeline = fold([*whole(10, "v0", "a0"), chunk("v0", 11)], live("v0", "a0"))
    with pytest.raises(JournalError, match=f"^{reason}$"):
        apply(timeline, record)


def test_a_track_before_any_period() -> None:
    with pytest.raises(JournalError, match="track v0 before any period"):
        apply(Timeline(), TrackAdded(described("v0")))


def test_a_target_duration_outlives_a_change_of_timescale() -> None:
    timeline = fold(whole(10, "v0"), live("v0"))
    slower = msgspec.structs.replace(described("v0", 1), timescale=24_000)
    timeline = fold([PeriodStarted(1, 15, ANCHOR), TrackAdded(slower)], timeline)
    assert timeline.tracks["v0"].longest == 1_920_000
    short = ChunkAdded("v0", 15, Ticks(691_200), Ticks(24_000), 10)
    timeline = fold([short, SegmentEnded("v0", 15, UtcMicros(1))], timeline)
    assert timeline.tracks["v0"].longest == 1_920_000
    assert content(fold(records_of(timeline, VERSION))) == content(timeline)


def test_carried_high_water_marks_are_lower_bounds() -> None:
    timeline = fold([HighWaterMarks("v0", 7, 9), HighWaterMarks("v0", 5, 11)])
    assert (timeline.tracks["v0"].longest, timeline.tracks["v0"].peak) == (7, 11)


def test_reached_is_where_media_lies() -> None:
    timeline = fold([chunk("v0", 10, 3 * D), SegmentEnded("v0", 10, UtcMicros(0))], live("v0"))
    assert (timeline.last_number, timeline.last_occupied) == (10, 12)
    timeline = fold([chunk("v0", 14)], timeline)
    assert (timeline.last_number, timeline.last_occupied) == (14, 14)
    assert Timeline().last_occupied == -1


# What the store has lost.


def numbers(timeline: Timeline, track: str) -> list[int]:
    return [segment.number for segment in timeline.tracks[track].segments]


def stretches(timeline: Timeline) -> list[tuple[int, Fraction]]:
    """Those of the current period: the number that each begins with, and where it does."""
    assert timeline.period is not None
    return [(each.number, each.begin) for each in timeline.period.continuations]


def at(number: int) -> tuple[int, Fraction]:
    return number, number * GRID.duration


def both(*numbers: int) -> list[Record]:
    return [record for number in numbers for record in whole(number, "v0", "a0")]


def lost(timeline: Timeline, *numbers: int, tracks: tuple[str, ...] = ("v0", "a0")) -> Timeline:
    return fold([SegmentLost(track, number) for number in numbers for track in tracks], timeline)


def test_a_lost_segment_is_a_hole() -> None:
    before = fold(both(10, 11, 12, 13), live("v0", "a0"))
    after = lost(before, 11, tracks=("v0",))
    assert (numbers(after, "v0"), numbers(after, "a0")) == ([10, 12, 13], [10, 11, 12, 13])
    assert stretches(after) == [at(12)]
    assert (after.edge, after.last_number) == (13, 13)
    assert after.version > before.version


def test_a_lost_segment_is_lost_once() -> None:
    once = lost(fold(both(10, 11, 12), live("v0", "a0")), 11)
    assert content(lost(once, 11)) == content(once)


def test_a_hole_grows_from_either_side() -> None:
    whole = fold(both(*range(10, 20)), live("v0", "a0"))
    assert stretches(lost(whole, 12, 13, 14)) == [at(15)]
    assert stretches(lost(whole, 14, 13, 12)) == [at(15)]
    assert stretches(lost(whole, 12, 14, 13)) == [at(15)]
    assert stretches(lost(whole, 12, 16)) == [at(13), at(17)]


def test_a_continuation_begins_where_any_track_begins() -> None:
    whole = fold(both(10, 11, 15, 16), live("v0", "a0"))
    one = lost(whole, 15, tracks=("v0",))
    assert stretches(one) == [at(15)]
    assert stretches(lost(one, 15, tracks=("a0",))) == [at(16)]


def test_the_ends_of_a_period_are_no_holes_within_it() -> None:
    timeline = fold(both(10, 11, 12), live("v0", "a0"))
    assert stretches(lost(timeline, 10, 12)) == []
    timeline = fold([PeriodStarted(1, 15, ANCHOR), TrackAdded(described("v0", 1))], timeline)
    timeline = lost(fold([*whole(15, "v0"), *whole(16, "v0")], timeline), 12, 15)
    assert [period.continuations for period in timeline.periods] == [(), ()]


def test_the_number_of_a_lost_segment_is_never_used_again() -> None:
    timeline = lost(fold(both(10, 11, 12), live("v0", "a0")), 11, 12)
    assert (timeline.edge, timeline.last_number) == (12, 12)
    assert timeline.last_occupied >= 12
    for record in (chunk("v0", 12), PeriodStarted(1, 12, ANCHOR)):
        with pytest.raises(JournalError):
            apply(timeline, record)
        with pytest.raises(JournalError):
            apply(fold(records_of(timeline, VERSION)), record)
    timeline = fold([PeriodStarted(1, 13, ANCHOR), TrackAdded(described("v0", 1))], timeline)
    assert timeline.edge == 12
    assert fold(whole(13, "v0"), timeline).edge == 13


def test_media_after_a_loss_begins_a_continuation() -> None:
    timeline = lost(fold(both(10, 11), live("v0", "a0")), 11)
    assert stretches(fold(both(12), timeline)) == [at(12)]


def test_an_open_segment_is_cut_back_to_its_remaining_chunks() -> None:
    timeline = fold(both(10), live("v0", "a0"))
    thirds = [
        ChunkAdded("v0", 11, Ticks(11 * D + index * D // 3), Ticks(D // 3), 100 + index)
        for index in range(3)
    ]
    timeline = fold(thirds, timeline)
    cut = apply(timeline, SegmentLost("v0", 11, 2))
    assert [piece.size for piece in cut.tracks["v0"].open] == [100, 101]
    ended = apply(cut, SegmentEnded("v0", 11, UtcMicros(0)))
    assert (ended.tracks["v0"].segments[-1].size, ended.edge) == (201, 10)
    none = apply(timeline, SegmentLost("v0", 11))
    assert (none.tracks["v0"].open, none.last_number) == ((), 11)
    with pytest.raises(JournalError):
        apply(none, SegmentEnded("v0", 11, UtcMicros(0)))


def test_a_loss_of_an_unknown_track_is_refused() -> None:
    with pytest.raises(JournalError, match="loss of segment 10 of unknown track v9"):
        apply(live("v0"), SegmentLost("v9", 10))


# Views of segments.


PIECES = (Chunk(0, 1, 0, 1),)


def segment(number: int) -> Segment:
    return Segment(number, 0, number, 1, 1, UtcMicros(0))


@given(st.lists(st.integers(0, 40), unique=True, max_size=20).map(sorted), st.data())
def test_a_view_is_a_list(numbers: list[int], data: st.DataObject) -> None:
    view = Segments()
    for number in numbers:
        view = view.plus(segment(number), PIECES)
    plain = [segment(number) for number in numbers]
    assert list(view) == plain == [view[index] for index in range(len(view))]
    assert view == view[:]
    assert [view[-1 - index] for index in range(len(view))] == plain[::-1]
    first = data.draw(st.integers(-3, 44))
    last = data.draw(st.integers(-3, 44))
    assert list(view.between(first, last)) == [s for s in plain if first <= s.number <= last]
    assert list(view.only([(first, 99)])) == [s for s in plain if s.number >= first]
    assert view.index_of(first) == sum(number < first for number in numbers)
    found = view.numbered(first)
    assert (found.number if found else None) == (first if first in numbers else None)
    start, stop = data.draw(st.integers(-25, 25)), data.draw(st.integers(-25, 25))
    part = view[start:stop]
    assert list(part) == plain[start:stop]
    assert list(part.between(first, last)) == [
        s for s in plain[start:stop] if first <= s.number <= last
    ]


def test_one_table_serves_all_later_views() -> None:
    views = [Segments()]
    for number in range(100):
        views.append(views[-1].plus(segment(number), PIECES))
    columns = {id(view._columns) for view in views}
    assert len(columns) == 1
    assert [len(view) for view in views] == list(range(101))


def test_a_diverging_view_gets_a_table_of_its_own() -> None:
    one = Segments().plus(segment(1), PIECES)
    two = one.plus(segment(2), PIECES)
    other = one.plus(segment(3), PIECES)
    assert ([s.number for s in two], [s.number for s in other]) == ([1, 2], [1, 3])
    assert [s.number for s in other.plus(segment(4), PIECES)] == [1, 3, 4]
    assert [s.number for s in two.plus(segment(5), PIECES)] == [1, 2, 5]


@given(st.integers(1, 40), st.lists(st.integers(0, 3), max_size=40))
def test_trimmed_segments_are_released(count: int, steps: list[int]) -> None:
    view = Segments()
    oldest = 0
    for number in range(count):
        view = view.plus(segment(number), PIECES)
    for number, step in enumerate(steps, count):
        oldest += step
        view = view.plus(segment(number), PIECES).only([(oldest, 999)])
        assert [s.number for s in view] == list(range(min(oldest, number + 1), number + 1))
        assert len(view._columns.number) <= 2 * len(view) + 1


@pytest.mark.parametrize("index", [0, -1, 5, slice(None, None, 2)])
def test_an_index_without_a_segment_raises(index: int | slice) -> None:
    with pytest.raises((IndexError, ValueError)):
        Segments()[index]


def naive_runs(view: Segments) -> list[tuple[int, int, int, int]]:
    found: list[tuple[int, int, int, int]] = []
    last: Segment | None = None
    for this in view:
        if last is not None and (last.number + 1, last.end, last.duration, last.period) == (
            this.number,
            this.start,
            this.duration,
            this.period,
        ):
            number, start, duration, length = found.pop()
            found.append((number, start, duration, length + 1))
        else:
            found.append((this.number, this.start, this.duration, 1))
        last = this
    return found


@given(journals(), st.integers(0, 20), st.integers(0, 20))
def test_runs_equal_those_of_a_naive_search(records: list[Record], skip: int, width: int) -> None:
    for timeline in (fold(records), fold(records_of(fold(records), VERSION))):
        for track in timeline.tracks.values():
            view = track.segments[min(skip, len(track.segments)) :]
            expected = naive_runs(view)
            assert list(map(tuple, view.runs())) == expected
            if view:
                first = view[0].number + skip // 2
                inside = [run for run in expected if first <= run[0] <= first + width]
                assert list(map(tuple, view.runs(first, first + width))) == inside
                assert view.last_run == expected[-1][0]
            numbers = [n for a, b in view.numbers() for n in range(a, b + 1)]
            assert numbers == [segment.number for segment in view]


# Bundles of segments, as rewritten journals have them.


def pieces(*durations: int) -> tuple[Chunk, ...]:
    """Chunks with a tick between each and the next."""
    starts = accumulate((duration + 1 for duration in durations), initial=0)
    sizes = range(1, len(durations) + 1)
    return tuple(
        Chunk(start, duration, sum(sizes[:index]), size)
        for index, (start, duration, size) in enumerate(zip(starts, durations, sizes, strict=False))
    )


@given(
    st.lists(st.tuples(st.integers(1, 3), st.lists(st.integers(1, 9), min_size=1)), min_size=1),
    st.integers(1, 12),
    st.integers(0, 5),
)
def test_packed_segments_are_the_same_again(
    turns: list[tuple[int, list[int]]], most: int, trimmed: int
) -> None:
    view, number = Segments(), 0
    for step, durations in turns:
        number += step
        chunks = pieces(*durations)
        size, duration = sum(c.size for c in chunks), chunks[-1].start + chunks[-1].duration
        view = view.plus(Segment(number, 3, 0, duration, size, UtcMicros(number)), chunks)
    view = view.only([(trimmed, 99999)])
    again = Segments()
    for packed in view.packed(most):
        assert len(packed.counts) == 1 or sum(packed.counts) <= most
        again = again.joined(packed, 3)
    assert again == view
    assert (again.ticks, again.size) == (view.ticks, view.size)
    assert (view.ticks, view.size) == (sum(s.duration for s in view), sum(s.size for s in view))
    assert view.of_period(3) == view
    assert len(view.of_period(2)) == len(view.of_period(4)) == 0


GOOD = PackedSegments(17, [1], [5, 6], [1, 2], 0, [0, 0], [1, 1, 1], [9, 9, 9])


@pytest.mark.parametrize(
    "bad",
    [
        {"number": 10},
        {"steps": [0]},
        {"steps": [1, 1]},
        {"published": [5]},
        {"counts": [3, 0]},
        {"counts": [1, 1]},
        {"counts": []},
        {"gaps": [0]},
        {"durations": [1]},
        {"sizes": [9, 9]},
        {"start": 1 << 70},
    ],
)
def test_numbers_that_do_not_belong_together_are_refused(bad: dict[str, object]) -> None:
    timeline = fold(whole(10, "v0"), live("v0"))
    assert len(fold([SegmentBundle("v0", 0, GOOD)], timeline).tracks["v0"].segments) == 3
    with pytest.raises(JournalError, match=r"^segments of track v0"):
        apply(timeline, SegmentBundle("v0", 0, msgspec.structs.replace(GOOD, **bad)))
    assert len(fold([SegmentBundle("v0", 0, GOOD)], timeline).tracks["v0"].segments) == 3


def test_a_bundle_of_another_track_or_period_is_refused() -> None:
    timeline = fold(whole(10, "v0"), live("v0"))
    for record in (SegmentBundle("v1", 0, GOOD), SegmentBundle("v0", 1, GOOD)):
        with pytest.raises(JournalError):
            apply(timeline, record)
