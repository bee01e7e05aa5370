"""Plans for start-over, catch-up, MPD patches and events."""

import re
from fractions import Fraction
from typing import TypeVar

import pytest
from lxml import etree

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide
from origin.decision.plan import (
    Freshness,
    Plan,
    Redirect,
    ServeManifest,
    Wait,
)
from origin.http.render import render
from origin.urls.request import (
    parse,
)
from packager.journal.compaction import records_of
from packager.journal.format import VERSION
from packager.manifest.incremental import ListCaches
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    ChunkAdded,
    EventRemoved,
    EventSet,
    SourceEnded,
    Trimmed,
)
from packager.timeline.retention import SPARE
from packager.timing.ticks import MICROS, Ticks
from tests.support.channel import GRID, MANIFESTS
from tests.support.decisions import (
    CHANNEL,
    KEPT,
    NOTHING_NEW,
    SCRIPT,
    SMOOTH_LATER,
    N,
    asked,
    event,
    fragment_of,
    held,
    live,
    media,
    path_from,
    period,
    refused,
    started,
    whole,
    window_of,
)
from tests.support.made_feeds import START
from tests.support.strategies import described

T = TypeVar("T")


# Views.


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_view_from_an_instant_grows(file: str) -> None:
    numbers = range(N, N + 20)
    for count in (5, 20):
        plan = asked(f"{path_from(N + 3)}{file}", live(*numbers[:count]))
        window = window_of(plan)
        assert held(plan) == list(numbers[3:count])
        assert (window.depth, window.stays, window.ended) == (None, True, False)


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_view_is_complete_once_its_end_has_passed(file: str) -> None:
    path = f"{path_from(N + 3, N + 6)}{file}"
    for count, ended in ((6, False), (7, True), (20, True)):
        plan = asked(path, live(*range(N, N + count)))
        assert held(plan) == list(range(N + 3, min(N + 7, N + count)))
        assert window_of(plan).ended == ended


def test_a_complete_view_never_goes_stale() -> None:
    timeline = live(*range(N, N + 9))
    late = GRID.micros(N + 1000)
    assert window_of(asked(f"{path_from(N, N + 3)}index.mpd", timeline, late)).ended
    assert refused(asked(f"{path_from(N)}index.mpd", timeline, late)).status == 503


def test_a_view_whose_end_was_not_recorded_becomes_complete() -> None:
    timeline = live(*range(N, N + 9))
    path = f"{path_from(N, N + 11)}index.mpd"
    assert not window_of(asked(path, timeline, GRID.micros(N + 12))).ended
    window = window_of(asked(path, timeline, GRID.micros(N + 1000)))
    assert (window.last, window.ended) == (N + 8, True)


def test_a_source_that_is_over_completes_every_view() -> None:
    timeline = fold([SourceEnded(START)], live(*range(N, N + 9)))
    for path in (path_from(N + 2), path_from(N + 2, N + 99)):
        window = window_of(asked(f"{path}index.mpd", timeline, GRID.micros(N + 1000)))
        assert (window.first, window.last, window.ended) == (N + 2, N + 8, True)


def test_a_view_that_has_not_begun_is_404_for_a_moment() -> None:
    plan = refused(asked(f"{path_from(N + 9)}index.mpd", live(N, N + 1)))
    assert (plan.status, plan.freshness) == (404, Freshness.SOON)


def test_a_trimmed_view_is_404() -> None:
    timeline = fold([Trimmed(N + 5)], live(*range(N, N + 9)))
    plan = refused(asked(f"{path_from(N, N + 4)}index.mpd", timeline))
    assert (plan.status, plan.freshness) == (404, Freshness.GONE)


@pytest.mark.parametrize("last", [None, N + 7])
def test_a_view_from_before_the_retention_begins_where_that_does(last: int | None) -> None:
    timeline = fold([Trimmed(N + 5)], live(*range(N, N + 9)))
    plan = asked(f"{path_from(N + 2, last)}index.mpd", timeline)
    assert isinstance(plan, ServeManifest)
    assert (plan.window.first, plan.late, plan.window.stays) == (N + 5, True, False)


def test_a_view_of_a_hole_is_404() -> None:
    timeline = fold([*period(1, N + 9), *whole(N + 9)], live(N, N + 1))
    plan = refused(asked(f"{path_from(N + 3, N + 5)}index.mpd", timeline))
    assert (plan.status, plan.freshness) == (404, Freshness.HOLE)


def test_a_view_spans_periods_and_holes() -> None:
    timeline = fold([*period(1, N + 9), *whole(N + 9)], live(N, N + 1))
    plan = asked(f"{path_from(N)}index.mpd", timeline)
    assert held(plan) == [N, N + 1, N + 9]
    assert list(window_of(plan).periods) == [0, 1]


def test_nothing_yet_is_503_in_every_view() -> None:
    for path in (path_from(N), path_from(N, N + 3)):
        assert refused(asked(f"{path}index.mpd", started())).status == 503


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_query_leads_to_the_view_that_all_share(file: str) -> None:
    timeline = live(N, N + 1, N + 2)
    plans = set()
    for share in (0.0, 0.3, 0.9):
        start = (GRID.micros(N) + share * GRID.duration * MICROS) / MICROS
        path = f"{CHANNEL}/{file}"
        view = ChannelSnapshot(timeline, Fraction(10), KEPT)
        plan = decide(parse(path, f"start={start:.3f}"), view, GRID.micros(N + 3))
        assert isinstance(plan, Redirect)
        plans.add(plan.location)
    (location,) = plans
    assert location == f"{CHANNEL}/{path_from(N)}{file}"
    assert held(decide(parse(location), view, GRID.micros(N + 3))) == [N, N + 1, N + 2]


# Patches.


def patch_of(view: str, timeline: Timeline, had: Timeline) -> Plan:
    """The plan for the patch that turns the MPD of `had` into that of `timeline`."""
    plan = asked(f"{view}index.mpd", had)
    assert isinstance(plan, ServeManifest)
    text = render(plan, ListCaches()).plain().decode()
    found = re.search("<PatchLocation>(.*)</PatchLocation>", text)
    name = found[1] if found else f"patch-{N}-0123456789abcdef.mpp"
    return asked(f"{view}{name}", timeline)


def changes_of(plan: Plan) -> etree._Element:
    assert isinstance(plan, ServeManifest), plan
    return etree.fromstring(render(plan, ListCaches()).plain())


def test_a_patch_adds_new_segments() -> None:
    had, timeline = live(*range(N, N + 5)), live(*range(N, N + 9))
    changes = changes_of(patch_of(path_from(N), timeline, had))
    assert len(changes) == 2 + len(timeline.tracks)
    assert changes.get("originalPublishTime") != changes.get("publishTime")


def test_a_patch_without_changes_is_held() -> None:
    timeline = live(*range(N, N + 5))
    assert patch_of(path_from(N), timeline, timeline) == Wait(GRID.duration / 2, NOTHING_NEW)


@pytest.mark.parametrize("view", ["", path_from(N), path_from(N, N + 6)])
def test_an_impossible_patch_matches_no_mpd(view: str) -> None:
    had, timeline = live(*range(N, N + 5)), live(*range(N, N + 9))
    another = fold([*period(1, N + 12), *whole(N + 12)], timeline)
    ended = [fold([SourceEnded(START)], either) for either in (had, timeline)]
    for after in (*ended, fold([Trimmed(N + 1)], timeline), another):
        changes = changes_of(patch_of(view, after, had))
        assert len(changes) == 0
        assert changes.get("originalPublishTime") == "1970-01-01T00:00:00.000Z"


# Events.


@pytest.mark.parametrize("file", MANIFESTS)
def test_an_event_lists_media_between_its_start_and_its_end(file: str) -> None:
    timeline = live(*range(N, N + 9))
    path = f"event/fight/{file}"
    plan = refused(asked(path, timeline))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)
    plan = refused(asked(path, fold([event(N + 20)], timeline)))
    assert (plan.status, plan.freshness) == (404, Freshness.SOON)
    going_on = asked(path, fold([event(N + 2)], timeline))
    assert held(going_on) == list(range(N + 2, N + 9))
    assert not window_of(going_on).ended
    over = asked(path, fold([event(N + 2), event(N + 2, N + 5)], timeline))
    assert held(over) == list(range(N + 2, N + 6))
    assert window_of(over).ended
    gone = fold([event(N + 2), EventRemoved("fight")], timeline)
    assert refused(asked(path, gone)).status == 404


def test_a_pinned_event_stays_when_all_around_it_goes() -> None:
    timeline = live(*range(N, N + 20))
    timeline = fold([event(N + 3, N + 6, pinned=True), Trimmed(N + 10)], timeline)
    assert held(asked("event/fight/index.mpd", timeline)) == list(range(N + 3, N + 7))
    media(asked(f"v0/{N + 4}.m4s", timeline))
    for number in (N, N + 2, N + 7, N + 9):
        assert refused(asked(f"v0/{number}.m4s", timeline)).status == 410
    # A view that goes on does not begin with a gap that was cut.
    goes_on = list(range(N + 10 + SPARE, N + 20))
    assert held(asked(f"{path_from(N)}index.mpd", timeline)) == goes_on
    assert held(asked(f"{path_from(N, N + 30)}index.mpd", timeline)) == goes_on
    assert held(asked(f"{path_from(N, N + 12)}index.mpd", timeline)) == list(range(N + 3, N + 7))


def test_an_event_pinned_after_a_trim_begins_at_the_trim() -> None:
    timeline = fold([Trimmed(N + 5), event(N, pinned=True)], live(*range(N, N + 20)))
    plan = asked("event/fight/index.mpd", timeline)
    assert isinstance(plan, ServeManifest)
    assert (plan.window.first, plan.late, plan.window.stays) == (N + 5, True, True)


def test_a_view_is_cached_no_longer_than_its_media_stays() -> None:
    numbers = range(N, N + 20)
    path = f"{path_from(N + 8, N + 12)}index.mpd"

    def lasts(timeline: Timeline, retention: int) -> Fraction | None:
        view = ChannelSnapshot(timeline, Fraction(10), retention * GRID.duration)
        plan = decide(parse(f"{CHANNEL}/{path}"), view, GRID.micros(N + 20))
        assert isinstance(plan, ServeManifest)
        return plan.lasts

    assert lasts(live(*numbers), 30) == (N + 8 + 30 - SPARE - (N + 19)) * GRID.duration
    assert lasts(fold([Trimmed(N + 3)], live(*numbers)), 30) == (8 - 3 - SPARE) * GRID.duration
    assert lasts(fold([Trimmed(N + 8 - SPARE)], live(*numbers)), 30) == 0
    assert lasts(fold([event(N + 8, N + 12, pinned=True)], live(*numbers)), 30) is None
    assert lasts(fold([SourceEnded(START)], live(*numbers)), 30) is None


def test_the_last_fragment_needs_no_following_one_in_smooth() -> None:
    timeline = live(N, N + 1)
    name = SCRIPT.fragment(N + 1)
    assert asked(name, timeline) == Wait(GRID.duration / 2, SMOOTH_LATER)
    assert fragment_of(asked(name, timeline, GRID.micros(N + 99))).following == ()
    other = [described("v1", 1), described("a0", 1)]
    gone = fold([*period(1, N + 2, *other), *whole(N + 2, tracks=tuple(other))], timeline)
    assert fragment_of(asked(name, gone)).following == ()


def test_a_pinned_event_that_goes_on_keeps_all_from_its_start_on() -> None:
    timeline = fold([event(N + 3, pinned=True), Trimmed(N + 10)], live(*range(N, N + 20)))
    assert held(asked("event/fight/index.mpd", timeline)) == list(range(N + 3, N + 20))
    assert held(asked(f"{path_from(N)}index.mpd", timeline)) == list(range(N + 3, N + 20))


@pytest.mark.parametrize(
    "again", [event(N, pinned=True), EventSet("other", GRID.micros(N), None, pinned=True)]
)
def test_media_trimmed_out_of_a_reopened_event_is_a_gap(again: EventSet) -> None:
    """A follower that served it before agrees with one that reads the compacted journal."""
    tapes = ListCaches(4)
    timeline = fold([event(N, pinned=True)], live(*range(N, N + 40)))
    files = ("v0/index.m3u8", "index.mpd", "index.ism/Manifest")
    for file in files:
        served = asked(f"event/fight/{file}", timeline)
        assert isinstance(served, ServeManifest)
        render(served, tapes)
    after = fold([event(N, N + 9, pinned=True), Trimmed(N + 20), again], timeline)
    assert after.past_revision > timeline.past_revision
    fresh = fold(records_of(after, VERSION))
    for file in files:
        path = f"event/{again.name}/{file}"
        one, two = asked(path, after), asked(path, fresh)
        assert isinstance(one, ServeManifest)
        assert isinstance(two, ServeManifest)
        # Without cached lists, as after a compaction.
        text = render(one, ListCaches(4)).plain()
        assert text == render(two, ListCaches(4)).plain()
        if file.endswith("m3u8"):
            assert text.count(b"EXT-X-GAP") == 10
        if file.endswith("mpd"):
            numbers = [
                t.get("startNumber") for t in etree.fromstring(text).iter("{*}SegmentTemplate")
            ]
            assert numbers == [str(N)] * 2 + [str(N + 20)] * 2


def test_larger_media_shortens_the_retained_time() -> None:
    small, large = range(N, N + 20), range(N + 20, N + 30)
    records = [
        r
        for n in large
        for r in [
            ChunkAdded("v0", n, GRID.boundary(n, 90_000), Ticks(172_800), 40_000),
            SCRIPT.end("v0", n),
            *whole(n, tracks=(described("a0"),)),
        ]
    ]
    timeline = fold([*records, Trimmed(N + 2)], live(*small))
    view = ChannelSnapshot(timeline, Fraction(10), 100 * GRID.duration)
    plan = decide(
        parse(f"{CHANNEL}/{path_from(N + 10, N + 12)}index.mpd"), view, GRID.micros(N + 30)
    )
    assert isinstance(plan, ServeManifest)
    # Eight segments before it leave room for less than one more segment.
    assert plan.lasts is not None
    assert plan.lasts < GRID.duration


def test_the_last_fragment_of_a_stale_channel_may_not_be_the_last() -> None:
    timeline = live(N, N + 1)
    late = fragment_of(asked(SCRIPT.fragment(N + 1), timeline, GRID.micros(N + 99)))
    assert (late.following, late.final) == ((), False)
    ended = fold([SourceEnded(START)], timeline)
    assert fragment_of(asked(SCRIPT.fragment(N + 1), ended)).final
