"""The MPD of a channel with low latency."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from msgspec import structs

from packager.manifest.dash import mpd
from packager.manifest.dash.latency_target import latency_offset
from packager.manifest.window import Window, stretch
from packager.timeline.records import Record
from packager.timing.ticks import MICROS
from tests.support.dash_reader import DASH, TICK, Listed, document, listed, offset_of, seconds
from tests.support.dash_schema import DASH_CHECKS
from tests.support.strategies import journals
from tests.support.windows import each, low_latency, low_window, timelines, windows

MICRO = Fraction(1, MICROS)
OFFSET = "availabilityTimeOffset"


def templates(root: etree._Element) -> Iterator[etree._Element]:
    return root.iter(f"{DASH}SegmentTemplate")


def is_open(template: etree._Element) -> bool:
    return template.get("availabilityTimeComplete") == "false"


def counted(root: etree._Element, window: Window) -> Iterator[Listed]:
    """The segments of a window by its number templates, in media time."""
    for period in root.iter(f"{DASH}Period"):
        for representation in period.iter(f"{DASH}Representation"):
            (template,) = representation.iter(f"{DASH}SegmentTemplate")
            if (duration := template.get("duration")) is None:
                continue
            scale, begin = int(template.get("timescale", "")), int(template.get("startNumber", ""))
            name = representation.get("id", "")
            length = Fraction(int(duration), scale)
            last = int(template.get("endNumber", window.last))
            for number in range(max(begin, window.first), last + 1):
                yield Listed(
                    name,
                    number,
                    offset_of(template) + (number - begin) * length,
                    length,
                    template.get("initialization", "").replace("$RepresentationID$", name),
                    period.get("id", ""),
                    seconds(period.get("start")),
                )


def test_golden(golden: Callable[[str, bytes], None]) -> None:
    root = document(low_latency())
    etree.indent(root)
    golden("dash/low.mpd", etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n")


@pytest.mark.parametrize("check", DASH_CHECKS)
def test_the_schema_and_the_rules(check: Callable[[etree._Element], None]) -> None:
    @given(low_window())
    def check_any(window: Window) -> None:
        check(document(window))

    check_any()


@given(low_window())
def test_every_segment_is_named_once_with_its_number_and_near_its_time(window: Window) -> None:
    root = document(window)
    named = {(s.track, s.number): s for s in listed(root)}
    by_number = {(s.track, s.number): s for s in counted(root, window)}
    assert not named.keys() & by_number.keys()
    named |= by_number
    known = {(track.id, segment.number): (track, segment) for _, track, segment in each(window)}
    assert named.keys() == known.keys()
    for key, (track, segment) in known.items():
        assert named[key].init == f"{track.id}/init-{track.version}.mp4"
        off = named[key].time - Fraction(segment.start, track.timescale)
        assert abs(off) <= Fraction(1, 40)


@given(low_window())
def test_time_is_the_wall_clocks(window: Window) -> None:
    """A period's media begins at the arrival of its first picture."""
    root = document(window)
    for period in root.iter(f"{DASH}Period"):
        index = int((period.get("id") or "").split("-")[0][1:])
        trail = latency_offset(window.periods[index], window.grid)
        assert 0 <= trail < window.grid.duration
        for template in templates(period):
            start = seconds(period.get("start"))
            assert window.ended or abs(offset_of(template) + trail - start) <= TICK


@given(low_window())
def test_periods_do_not_overlap(window: Window) -> None:
    periods = list(document(window).iter(f"{DASH}Period"))
    for before, after in pairwise(periods):
        start, length = seconds(before.get("start")), seconds(before.get("duration"))
        assert length > 0
        assert start + length <= seconds(after.get("start")) + 2 * MICRO


@given(low_window())
def test_only_the_period_that_goes_on_may_be_asked_ahead(window: Window) -> None:
    root = document(window)
    found = [is_open(template) for template in templates(root)]
    low = root.find(f"{DASH}ServiceDescription") is not None
    assert any(found) == low
    assert {template.get(OFFSET) is not None for template in templates(root)} == {low}
    assert not (low and window.ended)
    *others, last = root.iter(f"{DASH}Period")
    assert not any(is_open(t) for period in others for t in templates(period))
    assert {is_open(template) for template in templates(last)} == {low}
    assert root.find(f"{DASH}PatchLocation") is None


@given(low_window(calm=True))
def test_a_regular_channel_is_always_low(window: Window) -> None:
    goes_on = not window.ended and window.newest == window.current
    low = document(window).find(f"{DASH}ServiceDescription") is not None
    assert low == goes_on


@given(st.tuples(journals(calm=True, low=True), st.integers(1, 8)))
def test_a_period_stays_as_the_window_rolls(case: tuple[list[Record], int]) -> None:
    live = [window for window in windows(*case) if not window.ended]
    for before, after in pairwise(live):
        old = {(s.track, s.number): s for s in counted(document(before), before)}
        for segment in counted(document(after), after):
            was = old.get((segment.track, segment.number))
            assert was is None or was == segment


@given(journals(calm=True, low=True))
def test_a_window_from_a_fixed_start_has_no_latency_target(records: list[Record]) -> None:
    for timeline in timelines(records):
        window = stretch(timeline, 0, timeline.edge, ended=False, stays=True)
        if window is None:
            continue
        plain = {n: structs.replace(period, part=0) for n, period in window.periods.items()}
        assert etree.tostring(document(window)) == etree.tostring(
            document(replace(window, periods=plain))
        )


def test_a_segment_may_be_asked_for_once_its_first_chunk_is_there() -> None:
    window = low_latency()
    root = document(window)
    *_, period = root.iter(f"{DASH}Period")
    start, begin = seconds(period.get("start")), 15 * window.grid.duration
    assert start - begin == Fraction(5, 4)
    for template in templates(period):
        length = Fraction(int(template.get("duration", "")), int(template.get("timescale", "")))
        number = int(template.get("startNumber", ""))
        offset = Fraction(template.get(OFFSET))
        for later in range(5):
            there = start + (later + 1) * length - offset
            arrived_at = (number + later) * window.grid.duration + Fraction(5, 4) + Fraction(8, 25)
            assert there == arrived_at


def test_a_newest_period_without_segments_has_no_open_segment() -> None:
    window = replace(low_latency(), current=2)
    root = document(window)
    assert root.find(f"{DASH}ServiceDescription") is None
    assert not any(is_open(template) for template in templates(root))


def test_a_reader_that_began_live_stays_on_the_clock() -> None:
    over = replace(low_latency(), ended=True)
    going_on = etree.fromstring(mpd.render(over, mpd.UrlTemplates("time"), began_live=True).plain())
    first, *others = going_on.iter(f"{DASH}Period")
    starts = [seconds(first.get("start"))]
    for before, period in pairwise((first, *others)):
        assert period.get("start") is None
        starts.append(starts[-1] + seconds(before.get("duration")))
    live = [seconds(p.get("start")) for p in document(low_latency()).iter(f"{DASH}Period")]
    assert starts == live
    assert len(live) > 1
    end = 18 * over.grid.duration + Fraction(5, 4)
    assert seconds(going_on.get("mediaPresentationDuration")) == end
    first, *_ = document(over).iter(f"{DASH}Period")
    assert first.get("start") == "PT0S"
