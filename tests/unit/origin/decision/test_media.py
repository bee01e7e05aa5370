"""Plans for init sections, segments and chunks."""

import pytest

from origin.decision.plan import (
    Freshness,
    ServeInit,
    Wait,
)
from packager.journal.format import VERSION
from packager.layout import InitName, SegmentName
from packager.timeline.apply import fold
from packager.timeline.records import (
    JournalHeader,
    SourceEnded,
    Trimmed,
)
from tests.support.channel import GRID
from tests.support.decisions import (
    HALF,
    LATER,
    N,
    asked,
    chunks,
    in_chunks,
    in_two_chunks,
    live,
    media,
    period,
    refused,
    started,
    whole,
)
from tests.support.made_feeds import START
from tests.support.strategies import described

# Init sections.


def test_an_init_section() -> None:
    plan = asked("v0/init-0faa60ec.mp4", started())
    assert isinstance(plan, ServeInit)
    assert (plan.file, plan.track) == (InitName("0faa60ec"), described("v0"))


def test_init_sections_of_all_periods_are_there() -> None:
    timeline = fold([*period(1, N + 5), *whole(N + 5)], live(N))
    for version in ("0faa60ec", "093bdc25"):
        plan = asked(f"a0/init-{version}.mp4", timeline)
        assert isinstance(plan, ServeInit)
        assert plan.file == InitName(version)


@pytest.mark.parametrize("file", ["v0/init-ffffffff.mp4", "v9/init-0faa60ec.mp4"])
def test_no_such_version_or_track_is_404(file: str) -> None:
    plan = refused(asked(file, live(N)))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)


# Segments.


def test_a_segment() -> None:
    plan = media(asked(f"v0/{N}.m4s", fold(whole(N, of=3), started())))
    assert (plan.file, plan.offset, plan.size) == (SegmentName(N), 0, 3003)
    assert plan.modified == GRID.micros(N + 1)


def test_a_segment_that_no_manifest_lists_yet() -> None:
    timeline = fold(whole(N + 1, tracks=(described("v0"),)), live(N))
    assert timeline.edge == N
    media(asked(f"v0/{N + 1}.m4s", timeline))


def test_the_next_segment_is_waited_for() -> None:
    assert asked(f"v0/{N + 2}.m4s", live(N, N + 1)) == Wait(HALF, LATER)


def test_the_next_segment_of_a_track_that_is_behind_is_waited_for() -> None:
    timeline = fold(whole(N + 1, tracks=(described("v0"),)), live(N))
    assert asked(f"a0/{N + 1}.m4s", timeline) == Wait(HALF, LATER)
    assert asked(f"v0/{N + 2}.m4s", timeline) == Wait(HALF, LATER)


@pytest.mark.parametrize("ahead", [2, 3, 1000])
def test_a_segment_further_in_the_future_is_404_at_once(ahead: int) -> None:
    assert asked(f"v0/{N + 1 + ahead}.m4s", live(N, N + 1)) == LATER


# After a hole, and at the very beginning, the next segment is not the last one's successor.
@pytest.mark.parametrize("before", [[], [N - 5, N - 4]], ids=["first of all", "first of a period"])
def test_the_segment_that_is_open_is_the_next(before: list[int]) -> None:
    past = [*period(0, N - 9), *whole(*before)] if before else []
    timeline = fold(
        [
            JournalHeader(VERSION, "tv", GRID.duration),
            *past,
            *period(1, N),
            *chunks(N, described("v0"), 1, 4),
        ]
    )
    assert asked(f"v0/{N}.m4s", timeline) == Wait(HALF, LATER)


def test_a_segment_that_left_the_retention_is_410() -> None:
    timeline = fold([Trimmed(N + 2)], live(N, N + 1, N + 2))
    for number in (N, N + 1):
        plan = refused(asked(f"v0/{number}.m4s", timeline))
        assert (plan.status, plan.freshness) == (410, Freshness.GONE)
    media(asked(f"v0/{N + 2}.m4s", timeline))


def test_a_segment_in_a_hole_is_404() -> None:
    timeline = fold([*period(1, N + 5), *whole(N + 5)], live(N))
    plan = refused(asked(f"v0/{N + 3}.m4s", timeline))
    assert (plan.status, plan.freshness) == (404, Freshness.HOLE)


def test_a_segment_before_the_channel_began_is_404() -> None:
    assert refused(asked("v0/5.m4s", live(N))).status == 404


def test_a_segment_of_no_track_is_404() -> None:
    plan = refused(asked(f"v9/{N}.m4s", live(N)))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)


@pytest.mark.parametrize("file", [f"v0/{N + 2}.m4s", f"v0/{N + 2}.0.m4s", f"v0/{N + 9}.m4s"])
def test_media_after_the_end_is_not_waited_for(file: str) -> None:
    timeline = fold([SourceEnded(START)], live(N, N + 1))
    assert refused(asked(file, timeline)).status == 404


# Chunks.


def test_a_chunk_of_a_whole_segment() -> None:
    plan = media(asked(f"v0/{N}.2.m4s", in_chunks(0)))
    assert (plan.file, plan.offset, plan.size) == (SegmentName(N), 2001, 1002)


def test_a_chunk_of_an_open_segment() -> None:
    plan = media(asked(f"v0/{N + 1}.1.m4s", in_chunks(2)))
    assert (plan.file, plan.offset, plan.size) == (SegmentName(N + 1), 1000, 1001)


@pytest.mark.parametrize("there", [0, 1, 3])
def test_the_next_chunk_is_waited_for(there: int) -> None:
    assert asked(f"v0/{N + 1}.{there}.m4s", in_chunks(there)) == Wait(HALF, LATER)


@pytest.mark.parametrize("before", [[], [N - 5, N - 4]], ids=["first of all", "first of a period"])
def test_the_next_chunk_of_a_first_segment_is_waited_for(before: list[int]) -> None:
    past = [*period(0, N - 9), *whole(*before)] if before else []
    timeline = fold(
        [
            JournalHeader(VERSION, "tv", GRID.duration),
            *past,
            *period(1, N),
            *chunks(N, described("v0"), 1, 4),
        ]
    )
    assert asked(f"v0/{N}.1.m4s", timeline) == Wait(HALF, LATER)


def test_a_whole_segment_gets_no_more_chunks() -> None:
    plan = refused(asked(f"v0/{N}.4.m4s", in_chunks(2)))
    assert plan.status == 404


def test_the_next_chunk_of_an_open_segment_is_waited_for() -> None:
    assert asked(f"v0/{N + 2}.0.m4s", in_chunks(2)) == Wait(HALF, LATER)


@pytest.mark.parametrize(
    ("number", "chunk", "there"), [(N + 2, 1, 2), (N + 3, 0, 2), (N + 2, 0, 0), (N + 99, 0, 2)]
)
def test_a_chunk_further_in_the_future_is_404_at_once(number: int, chunk: int, there: int) -> None:
    assert asked(f"v0/{number}.{chunk}.m4s", in_chunks(there)) == LATER


def test_a_chunk_that_left_the_retention_is_410() -> None:
    timeline = fold([*whole(N + 1), Trimmed(N + 1)], live(N))
    assert refused(asked(f"v0/{N}.0.m4s", timeline)).status == 410


def test_a_chunk_of_a_segment_left_open_by_a_crash() -> None:
    timeline = fold([*in_two_chunks(), *period(1, N + 5)], live(N))
    media(asked(f"v0/{N + 1}.1.m4s", timeline))
