"""Plans for Smooth fragments."""

import msgspec
import pytest

from origin.decision.plan import (
    Freshness,
    Wait,
)
from packager.journal.format import VERSION
from packager.timeline.apply import fold
from packager.timeline.records import (
    JournalHeader,
    SourceEnded,
    Trimmed,
)
from packager.timing.smooth_time import TOLERANCE, smooth_time, span
from packager.timing.ticks import MICROS
from tests.support.channel import GRID
from tests.support.decisions import (
    HALF,
    SMOOTH_LATER,
    N,
    asked,
    chunks,
    fragment,
    fragment_of,
    live,
    period,
    refused,
    started,
    whole,
)
from tests.support.made_feeds import START
from tests.support.strategies import described


def test_a_fragment() -> None:
    timeline = live(N, N + 1, N + 2)
    plan = fragment_of(asked(fragment(N), timeline))
    assert (plan.channel, plan.track) == ("tv", described("v0"))
    segments = timeline.tracks["v0"].segments
    assert plan.segment == segments[0]
    following = segments[1]
    timescale = described("v0").timescale
    assert list(plan.following) == [span(following.start, following.end, timescale)]


@pytest.mark.parametrize("off", [-TOLERANCE, -1, 0, 1, TOLERANCE])
def test_a_fragment_a_millisecond_off(off: int) -> None:
    plan = fragment_of(asked(fragment(N + 1, off=off), live(N, N + 1, N + 2)))
    assert plan.segment.number == N + 1


def test_the_newest_fragment_is_waited_for() -> None:
    timeline = live(N, N + 1)
    assert asked(fragment(N + 1), timeline) == Wait(HALF, SMOOTH_LATER)


def test_the_next_fragment_is_waited_for() -> None:
    timeline = live(N, N + 1)
    assert asked(fragment(N + 2), timeline) == Wait(HALF, SMOOTH_LATER)


@pytest.mark.parametrize("ahead", [2, 3, 1000])
def test_a_fragment_further_in_the_future_is_412_at_once(ahead: int) -> None:
    assert asked(fragment(N + 1 + ahead), live(N, N + 1)) == SMOOTH_LATER


def test_a_fragment_that_left_the_retention_is_404() -> None:
    timeline = fold([Trimmed(N + 2)], live(N, N + 1, N + 2, N + 3))
    plan = refused(asked(fragment(N), timeline))
    assert (plan.status, plan.freshness) == (404, Freshness.GONE)
    fragment_of(asked(fragment(N + 2), timeline))


def test_a_fragment_in_a_hole_is_412() -> None:
    timeline = fold([*period(1, N + 5), *whole(N + 5, N + 6)], live(N, N + 1))
    plan = refused(asked(fragment(N + 3), timeline))
    assert (plan.status, plan.freshness) == (412, Freshness.HOLE)


def test_a_fragment_in_the_middle_of_another_is_412() -> None:
    plan = refused(asked(fragment(N, off=2 * TOLERANCE), live(N, N + 1, N + 2)))
    assert plan.status == 412


def test_a_fragment_names_the_next_across_a_hole() -> None:
    timeline = fold([*period(1, N + 5), *whole(N + 5, N + 6)], live(N, N + 1))
    plan = fragment_of(asked(fragment(N + 1), timeline))
    after = timeline.tracks["v0"].segments[-2]
    assert after.number == N + 5
    assert list(plan.following) == [span(after.start, after.end, described("v0").timescale)]


def test_the_last_fragment_of_all_has_no_successor() -> None:
    timeline = fold([SourceEnded(START)], live(N, N + 1))
    plan = fragment_of(asked(fragment(N + 1), timeline))
    assert list(plan.following) == []


def test_no_fragment_follows_the_end() -> None:
    timeline = fold([SourceEnded(START)], live(N, N + 1))
    assert asked(fragment(N + 2), timeline) == SMOOTH_LATER


@pytest.mark.parametrize(("kind", "bitrate"), [("video", 7), ("audio", 1_000_000), ("video", 0)])
def test_no_such_quality_level_is_404(kind: str, bitrate: int) -> None:
    time = smooth_time(GRID.boundary(N, MICROS), MICROS)
    file = f"index.ism/QualityLevels({bitrate})/Fragments({kind}={time})"
    plan = refused(asked(file, live(N, N + 1)))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)


def test_a_fragment_of_a_level_that_another_track_has_now() -> None:
    # v0 and v1 have changed their bit rates.
    before, after = described("v0"), described("v1")
    swapped = [
        msgspec.structs.replace(before, bitrate=after.bitrate, version="093bdc25"),
        msgspec.structs.replace(after, bitrate=before.bitrate, version="093bdc25"),
    ]
    timeline = fold(
        [
            JournalHeader(VERSION, "tv", GRID.duration),
            *period(0, N, before),
            *whole(N, N + 1, tracks=(before,)),
            *period(1, N + 2, *swapped),
            *whole(N + 2, N + 3, tracks=tuple(swapped)),
        ]
    )
    for number, track in ((N, "v0"), (N + 2, "v1")):
        plan = fragment_of(asked(fragment(number), timeline))
        assert (plan.track.id, plan.segment.number) == (track, number)


# A 404 is for fragments that existed: caches keep that response for a minute.
def test_a_fragment_before_the_first_is_not_reported_as_gone() -> None:
    timeline = fold(chunks(N, described("v0"), 1, 4), started())
    for plan in (asked(fragment(N), timeline), asked(fragment(N), started())):
        answer = plan.otherwise if isinstance(plan, Wait) else refused(plan)
        assert (answer.status, answer.freshness) != (404, Freshness.GONE)
        assert answer.status == 412


def test_a_hole_at_the_beginning_of_a_track_is_a_hole() -> None:
    video, sound = described("v0"), described("a0")
    timeline = fold(
        [*whole(N, tracks=(sound,)), *whole(N + 1, N + 2, tracks=(video, sound))], started()
    )
    plan = refused(asked(fragment(N, video), timeline))
    assert (plan.status, plan.freshness) == (412, Freshness.HOLE)


# A returning encoder may have other parameters.
def test_fragments_of_a_period_with_another_timescale() -> None:
    slow = msgspec.structs.replace(described("v0"), timescale=24_000)
    timeline = fold(
        [*period(1, N + 5, slow, described("a0", 1)), *whole(N + 5, N + 6, tracks=(slow,))],
        live(N, N + 1),
    )
    before = fragment_of(asked(fragment(N), timeline))
    assert before.segment.number == N
    first = timeline.tracks["v0"].segments[0]
    assert span(before.segment.start, before.segment.end, before.track.timescale) == span(
        first.start, first.end, described("v0").timescale
    )
    last = fragment_of(asked(fragment(N + 1), timeline))
    after = fragment_of(asked(fragment(N + 5, slow), timeline))
    assert (after.segment.number, after.track.timescale) == (N + 5, 24_000)
    assert list(last.following) == [span(after.segment.start, after.segment.end, 24_000)]
