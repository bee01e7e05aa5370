from hypothesis import given
from hypothesis import strategies as st

from origin.admission import Load, Urgency, admits, put_off, urgency
from origin.plan import Freshness
from origin.request import Bad, Fragment, Health, Manifest, ManifestKind, Media, Request, TimeOfDay
from origin.view import Between, From, OfEvent
from packager.layout import SegmentName
from packager.ticks import UtcMicros
from packager.track import TrackKind

BY_URGENCY: dict[Urgency, list[Request]] = {
    Urgency.MEDIA: [
        Media("tv", "v0", SegmentName(1)),
        Fragment("tv", 1, TrackKind.VIDEO, 1),
    ],
    Urgency.LIVE: [
        *(Manifest("tv", kind) for kind in ManifestKind),
        *(Health(), TimeOfDay(), Bad("x")),
    ],
    Urgency.STRETCH: [
        Manifest("tv", ManifestKind.DASH, view=From(UtcMicros(1))),
        Manifest("tv", ManifestKind.HLS_MEDIA, "v0", Between(UtcMicros(1), UtcMicros(2))),
        Manifest("tv", ManifestKind.SMOOTH, view=OfEvent("fight")),
    ],
}
_loads = st.builds(Load, st.integers(0, 6000), st.floats(0, 10))


def test_every_request_has_its_place() -> None:
    for place, asked in BY_URGENCY.items():
        assert {urgency(request) for request in asked} == {place}


@given(_loads)
def test_segments_come_before_playlists_and_those_before_rewinding(load: Load) -> None:
    admitted = [admits(load, BY_URGENCY[place][0]) for place in sorted(Urgency)]
    assert admitted == sorted(admitted, reverse=True)


@given(_loads, _loads)
def test_more_load_admits_no_more(one: Load, other: Load) -> None:
    both = Load(max(one.making, other.making), max(one.lag, other.lag))
    for request, *_ in BY_URGENCY.values():
        assert admits(one, request) or not admits(both, request)


def test_nobody_is_put_off_without_load_and_all_are_with_too_much() -> None:
    for request, *_ in BY_URGENCY.values():
        assert admits(Load(), request)
        assert not admits(Load(making=1 << 20), request)
        assert not admits(Load(lag=60.0), request)


def test_who_is_put_off_comes_again_at_different_times() -> None:
    refusals = [put_off(chance) for chance in range(8)]
    assert {refusal.status for refusal in refusals} == {503}
    assert {refusal.freshness for refusal in refusals} == {Freshness.UNAVAILABLE}
    assert {refusal.retry_after for refusal in refusals} == {1, 2, 3, 4}
