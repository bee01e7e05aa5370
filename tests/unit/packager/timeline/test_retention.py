from hypothesis import given
from hypothesis import strategies as st

from packager.timeline.apply import apply, fold
from packager.timeline.model import FOREVER, Timeline, kept, leaving
from packager.timeline.records import EventSet, Record, Trimmed
from packager.timeline.retention import expired_events, first_within
from packager.timing.ticks import UtcMicros
from tests.support.strategies import journals

events = st.lists(
    st.tuples(st.integers(-3, 30), st.integers(1, 12) | st.none(), st.booleans()), max_size=3
)


def with_events(timeline: Timeline, drawn: list[tuple[int, int | None, bool]]) -> Timeline:
    """Events that begin so many segments after the oldest there is, for so many."""
    numbers = [t.segments[0].number for t in timeline.tracks.values() if t.segments]
    first, grid = min(numbers, default=1000), timeline.grid
    return fold(
        [
            EventSet(
                f"e{index}",
                grid.micros(first + begin),
                None if length is None else grid.micros(first + begin + length),
                pinned,
            )
            for index, (begin, length, pinned) in enumerate(drawn)
        ],
        timeline,
    )


def held(timeline: Timeline) -> set[tuple[str, int]]:
    return {(t.id, s.number) for t in timeline.tracks.values() for s in t.segments}


@given(journals(), events, st.integers(0, 12))
def test_a_trim_removes_media_outside_pinned_events(
    records: list[Record], drawn: list[tuple[int, int | None, bool]], back: int
) -> None:
    timeline = with_events(fold(records), drawn)
    before = timeline.edge - back
    gone = set(leaving(timeline, before))
    after = apply(timeline, Trimmed(before))
    assert held(timeline) - held(after) == gone
    grid = timeline.grid
    for track, number in held(timeline):
        pinned = any(
            grid.number_at_micros(event.start) <= number
            and (event.end is None or number <= grid.ending_before(event.end))
            for event in timeline.events.values()
            if event.pinned
        )
        assert ((track, number) in gone) == (number < before and not pinned)
    ranges = kept(timeline, before)
    assert ranges == sorted(ranges)
    assert ranges[-1][1] >= FOREVER
    # Named segments are described.
    for known in after.tracks.values():
        for segment in known.segments:
            after.track(known.id, segment.period)


@given(journals(), events, st.integers(1, 60_000))
def test_so_many_bytes_stay_at_most(
    records: list[Record], drawn: list[tuple[int, int | None, bool]], octets: int
) -> None:
    timeline = with_events(fold(records), drawn)
    before = first_within(timeline, octets)
    assert before <= max(timeline.edge, timeline.trimmed)

    def left(number: int) -> int:
        return sum(t.segments.size for t in apply(timeline, Trimmed(number)).tracks.values())

    if before < timeline.edge:
        assert left(before) <= octets
    if timeline.trimmed < before:
        assert left(before - 1) > octets


def test_an_event_without_segments_expires() -> None:
    grid = Timeline().grid
    timeline = fold(
        [
            EventSet("gone", UtcMicros(0), grid.micros(5)),
            EventSet("pinned", UtcMicros(0), grid.micros(5), pinned=True),
            EventSet("half", UtcMicros(0), grid.micros(11)),
            EventSet("open", UtcMicros(0)),
            Trimmed(10),
        ]
    )
    assert expired_events(timeline) == ["gone"]
