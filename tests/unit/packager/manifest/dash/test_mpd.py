from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from lxml import etree

from packager.manifest.window import Window, rolling, stretch
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import Record
from packager.timing.ticks import MICROS
from tests.support.channel import FIRST, GRID, Script
from tests.support.dash_reader import DASH, TICK, document, listed, offset_of, seconds
from tests.support.dash_schema import DASH_CHECKS
from tests.support.made_feeds import Played, begin, in_media_order, play
from tests.support.strategies import EncodedFeed, encoded_feeds
from tests.support.windows import any_window, each, rolled_calmly, several_sounds, windows


def origin_of(root: etree._Element) -> Fraction:
    """What the periods' starts count from, in seconds since the epoch."""
    if root.get("type") == "dynamic":
        return Fraction(0)
    return offset_of(next(root.iter(f"{DASH}SegmentTemplate")))


@pytest.mark.parametrize("check", DASH_CHECKS)
@pytest.mark.parametrize("calm", [True, False])
def test_the_schema_and_the_rules(check: Callable[[etree._Element], None], *, calm: bool) -> None:
    @given(any_window(calm=calm))
    def check_any(window: Window) -> None:
        check(document(window))

    check_any()


@given(any_window())
def test_every_segment_is_named_once_with_its_number_and_times(window: Window) -> None:
    found = sorted(
        (s.track, s.number, s.time, s.duration, s.init) for s in listed(document(window))
    )
    expected = sorted(
        (
            track.id,
            segment.number,
            Fraction(segment.start, track.timescale),
            Fraction(segment.duration, track.timescale),
            f"{track.id}/init-{track.version}.mp4",
        )
        for _, track, segment in each(window)
    )
    assert found == expected


@given(any_window())
def test_media_times_lie_in_their_period(window: Window) -> None:
    root = document(window)
    starts = [seconds(period.get("start")) for period in root.iter(f"{DASH}Period")]
    assert starts == sorted(set(starts))
    names = [period.get("id") for period in root.iter(f"{DASH}Period")]
    assert len(names) == len(set(names))
    origin = origin_of(root)
    for period in root.iter(f"{DASH}Period"):
        for template in period.iter(f"{DASH}SegmentTemplate"):
            start = seconds(period.get("start"))
            assert abs(offset_of(template) - origin - start) <= TICK
            assert template.get("media") == "$RepresentationID$/$Number$.m4s"
    for segment in listed(root):
        following = [start for start in starts if start > segment.start]
        # Sound may be half a frame early, or late.
        assert segment.time - origin >= segment.start - Fraction(1, 50)
        if following:
            assert segment.time - origin < following[0]


@given(any_window())
def test_live_or_over(window: Window) -> None:
    root = document(window)
    assert root.get("type") == ("static" if window.ended else "dynamic")
    live = {
        "availabilityStartTime",
        "publishTime",
        "minimumUpdatePeriod",
        "timeShiftBufferDepth",
        "suggestedPresentationDelay",
    }
    assert (live <= set(root.attrib)) == (not window.ended)
    assert ("mediaPresentationDuration" in root.attrib) == window.ended
    assert (root.find(f"{DASH}UTCTiming") is not None) == (not window.ended)
    if window.ended:
        first, *_ = root.iter(f"{DASH}Period")
        assert first.get("start") == "PT0S"
        length = seconds(root.get("mediaPresentationDuration"))
        ends = [s.time + s.duration for s in listed(root)]
        origin = origin_of(root)
        assert abs(max(ends) - origin - length) <= TICK
    else:
        assert root.get("availabilityStartTime") == "1970-01-01T00:00:00Z"
        depth = seconds(root.get("timeShiftBufferDepth"))
        assert abs(depth - window.depth * window.grid.duration) <= Fraction(1, MICROS)


@given(any_window())
def test_no_segment_is_longer_than_the_longest(window: Window) -> None:
    root = document(window)
    longest = seconds(root.get("maxSegmentDuration"))
    assert all(s.duration <= longest + Fraction(1, MICROS) for s in listed(root))


@given(rolled_calmly)
def test_a_period_stays_as_the_window_rolls(case: tuple[list[Record], int]) -> None:
    live = [window for window in windows(*case) if not window.ended]
    for before, after in pairwise(live):
        old = {(s.track, s.number): s for s in listed(document(before))}
        for segment in listed(document(after)):
            was = old.get((segment.track, segment.number))
            assert was is None or was == segment
    for window in live:
        for segment in listed(document(window)):
            (period,) = [
                period
                for period in window.periods.values()
                if f"{segment.period}-".startswith(f"p{period.index}-")
            ]
            holes = {f"p{period.index}-{s.number}": s.begin for s in period.continuations}
            begin = holes.get(segment.period, period.number * window.grid.duration)
            assert abs(segment.start - begin) <= Fraction(1, MICROS)


def encoded(feed: EncodedFeed) -> Played:
    played = begin(feed.grid)
    play(played, feed.tracks, in_media_order(feed.tracks), on_grid=True)
    return played


@given(encoded_feeds())
def test_a_regular_feed_is_one_line_a_track(feed: EncodedFeed) -> None:
    """But for a shorter last segment, and for sound at a frame rate that it does not meet."""
    window = rolling(encoded(feed).timeline, 100)
    if window is None:
        return
    for template in document(window).iter(f"{DASH}SegmentTemplate"):
        entries = list(template.iter(f"{DASH}S"))
        assert all("t" not in entry.attrib for entry in entries[1:])
        if (feed.grid.duration * 48_000 / 1024).denominator == 1:
            assert len(entries) <= 2 + (template.getparent().get("id", "")[0] == "a")


@given(any_window(calm=True))
def test_lines_are_as_few_as_can_be(window: Window) -> None:
    for template in document(window).iter(f"{DASH}SegmentTemplate"):
        lines = [(entry.get("t"), entry.get("d")) for entry in template.iter(f"{DASH}S")]
        assert lines[0][0] is not None
        for before, after in pairwise(lines):
            assert after[0] is None
            assert after[1] != before[1]


@given(any_window())
def test_adaptation_sets(window: Window) -> None:
    for period in document(window).iter(f"{DASH}Period"):
        kinds = [item.get("contentType") for item in period.iter(f"{DASH}AdaptationSet")]
        assert kinds == sorted(set(kinds), key=["video", "audio"].index)
        for item in period.iter(f"{DASH}AdaptationSet"):
            assert item.get("mimeType") == f"{item.get('contentType')}/mp4"
            assert item.get("lang") == ("en" if item.get("contentType") == "audio" else None)
            for representation in item.iter(f"{DASH}Representation"):
                assert int(representation.get("bandwidth", "0")) > 0


def test_each_audio_track_is_a_set_of_its_own() -> None:
    (period,) = document(several_sounds()).iter(f"{DASH}Period")
    found = [
        (
            item.get("id"),
            item.get("contentType"),
            item.get("lang"),
            item.find(f"{DASH}Role").get("value"),
            [r.get("id") for r in item.iter(f"{DASH}Representation")],
        )
        for item in period.iter(f"{DASH}AdaptationSet")
    ]
    assert found == [
        ("1", "video", None, "main", ["v0"]),
        ("2", "audio", "en", "main", ["a0"]),
        ("3", "audio", "de", "alternate", ["a1"]),
        ("4", "audio", "en", "alternate", ["a2"]),
        ("5", "audio", None, "alternate", ["a3"]),
        ("6", "audio", None, "alternate", ["a10"]),
    ]


def test_a_view_can_be_seen_from_where_it_begins() -> None:
    """In a period that began before; also once that has left the retention."""
    script = Script(GRID)
    records = [*script.period(0, FIRST), *script.whole(*range(FIRST, FIRST + 6))]
    timeline = fold(records, Timeline(grid=GRID))
    since = FIRST + 2
    for first in (since, since + 1):
        view = stretch(timeline, first, FIRST + 5, ended=False, stays=first == since, since=since)
        assert view is not None
        root = document(view)
        (period,) = root.iter(f"{DASH}Period")
        assert seconds(period.get("start")) == since * GRID.duration
        assert [segment.number for segment in listed(root) if segment.track == "v0"] == list(
            range(first, FIRST + 6)
        )
