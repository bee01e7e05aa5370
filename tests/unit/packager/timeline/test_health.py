from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from packager.journal.compaction import records_of
from packager.journal.format import VERSION
from packager.timeline.apply import apply, fold
from packager.timeline.health import holes, is_late, skew
from packager.timeline.model import Timeline, kept
from packager.timeline.records import (
    Anchor,
    EventSet,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentEnded,
    SegmentLost,
    TrackAdded,
    Trimmed,
)
from packager.timeline.retention import first_named
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.channel import Script
from tests.support.strategies import described, journals, journals_with_losses

GRID = Grid(Fraction(2))
SCRIPT = Script(GRID)
V0, A0 = described("v0"), described("a0")


def timeline_of(*records: Iterable[Record]) -> Timeline:
    return fold(
        [JournalHeader(VERSION, "tv", GRID.duration), *(one for some in records for one in some)]
    )


def missing_runs(there: Iterable[int]) -> int:
    numbers = sorted(there)
    return sum(b - a > 1 for a, b in pairwise(numbers))


def seen(timeline: Timeline) -> list[list[set[int]]]:
    """The numbers of each track in each stretch that manifests name."""
    ranges = [(f, min(last, timeline.edge)) for f, last in kept(timeline, first_named(timeline))]
    return [
        [
            {number for number in track.segments.every_number if first <= number <= last}
            for track in timeline.tracks.values()
        ]
        for first, last in ranges
    ]


events = st.none() | st.tuples(st.integers(0, 12), st.integers(0, 6))


@given(journals(calm=True), events)
def test_holes_are_runs_of_numbers_that_are_missing(
    records: list[Record], event: tuple[int, int] | None
) -> None:
    timeline = fold(records)
    if event is not None:
        grid, oldest = timeline.grid, min(t.segments[0].number for t in timeline.tracks.values())
        begin, end = (grid.micros(oldest + at) for at in (event[0], sum(event) + 1))
        timeline = apply(timeline, EventSet("fight", begin, end, pinned=True))
        timeline = apply(timeline, Trimmed(timeline.edge - 1))
    expected = sum(missing_runs(set().union(*tracks)) for tracks in seen(timeline))
    assert holes(timeline) == expected
    assert holes(fold(records_of(timeline, VERSION))) == expected


@given(journals_with_losses())
def test_every_gap_of_all_tracks_is_counted(records: list[Record]) -> None:
    timeline = fold(records)
    least = 0
    for tracks in seen(timeline):
        around = pairwise(sorted(set().union(*tracks)))
        least += sum(b - a > 1 and any({a, b} <= track for track in tracks) for a, b in around)
    assert holes(timeline) >= least


def test_a_period_that_lost_its_first_segment_begins_with_a_hole() -> None:
    timeline = timeline_of(SCRIPT.period(0, 10), SCRIPT.whole(10, 11), SCRIPT.period(1, 12))
    timeline = fold(SCRIPT.whole(12, 13), timeline)
    assert holes(timeline) == 0
    assert holes(fold([SegmentLost("v0", 12), SegmentLost("a0", 12)], timeline)) == 1


def test_no_holes_where_there_is_nothing() -> None:
    assert holes(Timeline()) == skew(Timeline()) == 0
    assert holes(timeline_of(SCRIPT.period(0, 10))) == 0


def test_a_period_without_a_segment_makes_no_second_hole() -> None:
    begun = timeline_of(SCRIPT.period(0, 10), SCRIPT.whole(10, 11))
    for second in (12, 14):
        timeline = fold([*SCRIPT.period(1, second), *SCRIPT.period(2, 16)], begun)
        assert holes(timeline) == 0  # no manifest lists the segments after it
        assert holes(fold(SCRIPT.whole(16, 17), timeline)) == 1


def test_a_track_that_ends_before_its_period_has_a_hole() -> None:
    timeline = timeline_of(SCRIPT.period(0, 10), SCRIPT.whole(10), SCRIPT.whole(11, tracks=(V0,)))
    timeline = fold([*SCRIPT.period(1, 12), *SCRIPT.whole(12)], timeline)
    assert holes(timeline) == 1


def test_a_track_that_another_ladder_has_not_has_no_hole() -> None:
    timeline = timeline_of(SCRIPT.period(0, 10), SCRIPT.whole(10, 11))
    other = described("v1")
    timeline = fold([*SCRIPT.period(1, 12, other), *SCRIPT.whole(12, tracks=(other,))], timeline)
    timeline = fold([*SCRIPT.period(2, 13), *SCRIPT.whole(13)], timeline)
    assert holes(timeline) == 0


def test_skew_is_between_the_newest_of_each_track() -> None:
    timeline = timeline_of(SCRIPT.period(0, 10), SCRIPT.whole(10))
    assert skew(timeline) == 0
    timeline = fold(SCRIPT.whole(11, 12, 13, tracks=(V0,)), timeline)
    assert skew(timeline) == 6 * MICROS
    # A track without a segment is at the start of its period.
    timeline = fold([*SCRIPT.period(1, 14), *SCRIPT.whole(14, tracks=(A0,))], timeline)
    assert skew(timeline) == 2 * MICROS
    assert skew(fold(SCRIPT.whole(14, tracks=(V0,)), timeline)) == 0


def test_late_is_later_than_usual_by_more_than_half_a_segment() -> None:
    utc = GRID.micros(10)
    usual = MICROS + MICROS // 2
    begun = PeriodStarted(0, 10, Anchor(Fraction(0), utc, UtcMicros(utc + usual)))
    start = [begun, TrackAdded(V0)]
    for late_by, expected in ((-usual, False), (0, False), (MICROS, False), (MICROS + 1, True)):
        end = SegmentEnded("v0", 10, UtcMicros(GRID.micros(11) + usual + late_by))
        timeline = timeline_of(start, SCRIPT.chunks(10, V0), [end])
        assert is_late(timeline, "v0", timeline.tracks["v0"].segments[-1]) == expected
