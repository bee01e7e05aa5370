from hypothesis import given
from hypothesis import strategies as st

from origin.decision.admission import Load, Priority, admits, put_off, urgency
from origin.decision.plan import Freshness
from origin.urls.request import (
    BadTarget,
    HealthCheck,
    Manifest,
    ManifestKind,
    MediaObject,
    Request,
    SmoothFragment,
    TimeOfDay,
)
from origin.urls.view import CatchUpView, EventView, StartOverView
from packager.layout import SegmentName
from packager.timing.ticks import UtcMicros
from packager.track import TrackKind

BY_URGENCY: dict[Priority, list[Request]] = {
    Priority.MEDIA: [
        MediaObject("tv", "v0", SegmentName(1)),
        SmoothFragment("tv", 1, TrackKind.VIDEO, 1),
    ],
    Priority.LIVE: [
        *(Manifest("tv", kind) for kind in ManifestKind),
        *(HealthCheck(), TimeOfDay(), BadTarget("x")),
    ],
    Priority.STRETCH: [
        Manifest("tv", ManifestKind.DASH, view=StartOverView(UtcMicros(1))),
        Manifest("tv", ManifestKind.HLS_MEDIA, "v0", CatchUpView(UtcMicros(1), UtcMicros(2))),
        Manifest("tv", ManifestKind.SMOOTH, view=EventView("fight")),
    ],
}
_loads = st.builds(Load, st.integers(0, 6000), st.floats(0, 10))


def test_every_request_has_its_place() -> None:
    for place, asked in BY_URGENCY.items():
        assert {urgency(request) for request in asked} == {place}


@given(_loads)
def test_segments_have_priority_over_playlists_and_those_over_rewinding(load: Load) -> None:
    admitted = [admits(load, BY_URGENCY[place][0]) for place in sorted(Priority)]
    assert admitted == sorted(admitted, reverse=True)


@given(_loads, _loads)
def test_more_load_admits_no_more(one: Load, other: Load) -> None:
    both = Load(max(one.making, other.making), max(one.lag, other.lag))
    for request, *_ in BY_URGENCY.values():
        assert admits(one, request) or not admits(both, request)


def test_requests_pass_without_load_and_are_refused_under_too_much() -> None:
    for request, *_ in BY_URGENCY.values():
        assert admits(Load(), request)
        assert not admits(Load(making=1 << 20), request)
        assert not admits(Load(lag=60.0), request)


def test_refused_clients_retry_at_different_times() -> None:
    refusals = [put_off(chance) for chance in range(8)]
    assert {refusal.status for refusal in refusals} == {503}
    assert {refusal.freshness for refusal in refusals} == {Freshness.UNAVAILABLE}
    assert {refusal.retry_after for refusal in refusals} == {1, 2, 3, 4}
