from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.urls.request import (
    BadTarget,
    Manifest,
    ManifestKind,
    StretchRedirect,
    UnknownTarget,
    parse,
)
from origin.urls.view import (
    CatchUpView,
    EventView,
    RollingView,
    StartOverView,
    View,
    canonical,
    parse_view,
    path_of,
)
from packager.timing.grid import Grid
from packager.timing.ticks import MICROS, UtcMicros
from tests.support.strategies import GRIDS

instants = st.integers(0, 4_000_000_000_000).map(lambda milli: UtcMicros(milli * 1000))
names = st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,31}\Z")
views: st.SearchStrategy[View] = st.one_of(
    st.just(RollingView()),
    st.builds(StartOverView, instants),
    st.tuples(instants, instants)
    .filter(lambda pair: pair[0] != pair[1])
    .map(lambda pair: CatchUpView(min(pair), max(pair))),
    st.builds(EventView, names),
)


@given(views)
def test_a_view_has_one_path(view: View) -> None:
    path = path_of(view)
    assert parse_view([*path.split("/")[:-1], "index.mpd"]) == (view, ["index.mpd"])
    request = parse(f"/live/tv/{path}index.mpd")
    assert request == Manifest("tv", ManifestKind.DASH, view=view)


@given(
    st.sampled_from(sorted(GRIDS.values())),
    st.integers(1, 4 * 10**15),
    st.integers(1, 10**11) | st.none(),
)
def test_requests_for_the_same_segments_share_a_view(
    duration: Fraction, start: int, length: int | None
) -> None:
    grid = Grid(duration)
    end = None if length is None else UtcMicros(start + length)
    view = canonical(UtcMicros(start), end, grid)
    assert isinstance(view, StartOverView | CatchUpView)
    first = grid.number_at_micros(start)
    assert grid.number_at_micros(view.start) == first
    # At most a millisecond from the boundary.
    assert 0 <= view.start - grid.micros(first) <= 1000
    again = canonical(view.start, getattr(view, "end", None), grid)
    assert again == view
    if isinstance(view, CatchUpView):
        assert end is not None
        last = grid.ending_before(view.end)
        assert last >= first
        assert grid.number_at_micros(end - 1) - 1 <= last <= grid.number_at_micros(end - 1)
        assert 0 <= view.end - grid.micros(last + 1) <= 1000


@pytest.mark.parametrize(
    "view",
    [
        "from/05",
        "from/5.0",
        "from/5.1230",
        "from/5.1234",
        "from/-5",
        "from/+5",
        "from/",
        "from/now",
        "from/12345678901",
        "from/5/to/5",
        "from/6/to/5",
        "from/5/to/",
        "event/A",
        "event/",
    ],
)
def test_an_invalid_view_is_a_bad_target(view: str) -> None:
    assert isinstance(parse(f"/live/tv/{view}/index.mpd"), BadTarget)


@pytest.mark.parametrize(
    "path",
    [
        "from/5",
        "from/5/to/6",
        "event/x",
        "from/5/v0/1.m4s",
        "from/5/v0/init-00000000.mp4",
        "event/x/v0/1.0.m4s",
        "event/x/index.ism/QualityLevels(1)/Fragments(video=1)",
        "event/x/time",
        "event/x/from/5/index.mpd",
        "from",
    ],
)
def test_media_is_there_once(path: str) -> None:
    assert isinstance(parse(f"/live/tv/{path}"), UnknownTarget)


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("start=5", 5, None),
        ("start=5.25&end=7", 5.25, 7),
        ("end=7&start=05", 5, 7),
        ("start=1970-01-01T00:00:05Z", 5, None),
        ("start=1970-01-01T01:00:05%2B01:00&end=9", 5, 9),
        ("start=1970-01-01T01:00:05+01:00&end=9", 5, 9),
        ("a=b&start=5&c", 5, None),
    ],
)
def test_a_query_with_times_redirects_to_a_view(
    query: str, start: float, end: float | None
) -> None:
    for base in ("", "from/9/", "event/x/"):
        for file in ("index.m3u8", "v0/index.m3u8", "index.mpd", "index.ism/Manifest"):
            asked = parse(f"/live/tv/{base}{file}", query)
            assert isinstance(asked, StretchRedirect)
            assert asked.manifest.file == file
            assert asked.start == start * MICROS
            assert asked.end == (None if end is None else end * MICROS)


@pytest.mark.parametrize(
    "query",
    [
        "end=7",
        "start=7&end=7",
        "start=7&end=6",
        "start=yesterday",
        "start=2026-01-01T00:00:00",
        "start=-1",
        "start=12345678901",
        "start=9999-01-01T00:00:00Z",
        "start=1969-12-31T00:00:00Z",
        "start=5&end=x",
        "start=%00",
        "start=٣",
    ],
)
def test_a_query_with_invalid_times_is_a_bad_target(query: str) -> None:
    assert isinstance(parse("/live/tv/index.mpd", query), BadTarget)


@given(st.text(max_size=40))
def test_any_query_is_answered(query: str) -> None:
    asked = parse("/live/tv/index.mpd", query)
    if "start" not in query and "end" not in query:
        assert asked == Manifest("tv", ManifestKind.DASH)
    assert parse("/live/tv/v0/1.m4s", query) == parse("/live/tv/v0/1.m4s")


@pytest.mark.parametrize("query", ["", "utm=1", "Start=5", "starts=5", "start=", "&&&=;"])
def test_a_query_without_arguments_changes_nothing(query: str) -> None:
    assert parse("/live/tv/index.mpd", query) == Manifest("tv", ManifestKind.DASH)
