"""The decision stays the same until `settled_until`."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide, settled_until
from origin.urls.request import (
    HealthCheck,
    Manifest,
    ManifestKind,
    MediaObject,
    Request,
    SmoothFragment,
    TimeOfDay,
    parse,
)
from origin.urls.view import CatchUpView, EventView, RollingView, StartOverView, View
from packager.errors import JournalError
from packager.layout import ChunkName, InitName, SegmentName
from packager.timeline.apply import apply
from packager.timeline.model import Timeline
from packager.timeline.records import EventSet
from packager.timeline.staleness import stale_at
from packager.timing.grid import Grid
from packager.timing.smooth_time import smooth_time
from packager.timing.ticks import UtcMicros
from packager.track import TrackKind
from tests.support.strategies import described, journals

_NEVER = 1 << 61
_SECOND = 1_000_000


@st.composite
def _timelines(draw: st.DrawFn) -> Timeline:
    """A prefix of a journal, with an event in it."""
    records = draw(journals())
    timeline = Timeline()
    for record in records[: draw(st.integers(0, len(records)))]:
        timeline = apply(timeline, record)
    try:
        return apply(timeline, EventSet("fight", *draw(_stretches(timeline))))
    except JournalError:
        return timeline  # there is no header yet


def _marks(timeline: Timeline) -> list[UtcMicros]:
    """Instants at which something of a timeline may change."""
    edge = max(timeline.edge, 0)
    marks = [timeline.grid.micros(edge + number) for number in range(-6, 12)]
    if (at := stale_at(timeline)) is not None:
        step = timeline.grid.micros(1)
        marks += [UtcMicros(at + number * step) for number in range(4)]
    return marks


def _near(timeline: Timeline) -> st.SearchStrategy[UtcMicros]:
    """Instants around those."""
    return st.builds(
        lambda mark, off: UtcMicros(max(0, mark + off)),
        st.sampled_from(_marks(timeline)),
        st.sampled_from([-_SECOND, -1, 0, 1, _SECOND]),
    )


def _ends(timeline: Timeline, request: Request) -> list[UtcMicros]:
    """The ends that a request's view has."""
    match request:
        case Manifest(view=CatchUpView(end=end)):
            return [end]
        case Manifest(view=EventView("fight")) if "fight" in timeline.events:
            end = timeline.events["fight"].end
            return [] if end is None else [end]
        case _:
            return []


@st.composite
def _stretches(draw: st.DrawFn, timeline: Timeline) -> tuple[UtcMicros, UtcMicros | None]:
    start, end = sorted((draw(_near(timeline)), draw(_near(timeline))))
    return start, draw(st.sampled_from([None, UtcMicros(max(end, start + 1))]))


@st.composite
def _requests(draw: st.DrawFn, timeline: Timeline) -> Request:
    start, end = draw(_stretches(timeline))
    views: list[View] = [
        RollingView(),
        StartOverView(start),
        *[EventView("fight")] * 3,
        EventView("none"),
    ]
    if end is not None:
        views += [CatchUpView(start, end)] * 3
    number = max(0, timeline.edge + draw(st.integers(-6, 4)))
    video = described("v0")
    time = smooth_time(timeline.grid.boundary(number, video.timescale), video.timescale)
    kinds = [kind for kind in ManifestKind if kind is not ManifestKind.DASH_PATCH]
    kind = draw(st.sampled_from(kinds))
    track = draw(st.sampled_from(["v0", "a0", "v9"])) if kind is ManifestKind.HLS_MEDIA else ""
    return draw(
        st.sampled_from(
            [
                *[Manifest("tv", kind, track, draw(st.sampled_from(views)))] * 6,
                MediaObject("tv", "v0", SegmentName(number)),
                MediaObject("tv", "v0", ChunkName(number, draw(st.integers(0, 3)))),
                MediaObject("tv", "v0", InitName(video.version)),
                SmoothFragment("tv", video.bitrate, TrackKind.VIDEO, time),
                parse("/live/tv/index.mpd", f"start={start // _SECOND}"),
                HealthCheck(),
                TimeOfDay(),
                parse("/live/TV/x"),
            ]
        )
    )


@settings(max_examples=200)
@given(data=st.data())
def test_until_then_the_decision_is_the_same(data: st.DataObject) -> None:
    timeline = data.draw(_timelines())
    channel = ChannelSnapshot(timeline, Fraction(8), Fraction(60))
    request = data.draw(_requests(timeline))
    now = data.draw(_near(timeline))
    until = settled_until(request, channel, now)
    if until == now:
        assert isinstance(request, TimeOfDay)
        return
    assert until > now
    plan = decide(request, channel, now)
    marks = _marks(timeline) + _ends(timeline, request)
    for at in (now + 1, *marks, until - 1, _NEVER):
        if now < at < until:
            assert decide(request, channel, UtcMicros(at)) == plan


@given(data=st.data())
def test_a_decision_is_settled_until_the_live_edge_goes_stale(data: st.DataObject) -> None:
    timeline = data.draw(_timelines())
    channel = ChannelSnapshot(timeline, Fraction(8), Fraction(60))
    at = stale_at(timeline)
    if at is None or at < 1:
        return
    request = Manifest("tv", ManifestKind.DASH)
    assert settled_until(request, channel, UtcMicros(at - 1)) == at
    assert settled_until(request, channel, at) > at
    assert settled_until(request, None, UtcMicros(at - 1)) > at


@given(data=st.data())
def test_a_view_ends_even_if_its_edge_went_stale_before(data: st.DataObject) -> None:
    timeline = data.draw(_timelines())
    stale = stale_at(timeline)
    if stale is None or timeline.edge < 0:
        return
    start, end = timeline.grid.micros(timeline.edge), UtcMicros(stale + 60 * _SECOND)
    timeline = apply(timeline, EventSet("fight", start, end))
    channel = ChannelSnapshot(timeline, Fraction(8), Fraction(60))
    for view in (CatchUpView(start, end), EventView("fight")):
        request = Manifest("tv", ManifestKind.DASH, view=view)
        assert settled_until(request, channel, stale) == end
        before = decide(request, channel, UtcMicros(end - 1))
        assert before == decide(request, channel, stale) != decide(request, channel, end)


def test_the_time_is_settled_for_a_millisecond() -> None:
    channel = ChannelSnapshot(Timeline(grid=Grid(Fraction(2))), Fraction(8), Fraction(60))
    assert settled_until(TimeOfDay(), channel, UtcMicros(7)) == 1000
    assert settled_until(TimeOfDay(), None, UtcMicros(1000)) == 2000
