"""Plans for live manifests and for device profiles."""

from fractions import Fraction
from typing import TypeVar

import pytest

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide
from origin.decision.plan import (
    Freshness,
    Plan,
    ServeManifest,
    Wait,
)
from origin.urls.request import (
    parse,
)
from packager.config.devices import Device
from packager.journal.format import VERSION
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    ChunkAdded,
    JournalHeader,
    SegmentEnded,
    SourceEnded,
)
from packager.timeline.staleness import STALE_SEGMENTS, is_stale
from packager.timing.ticks import MICROS, Ticks, UtcMicros
from tests.support.channel import GRID, MANIFESTS
from tests.support.decisions import (
    CHANNEL,
    KEPT,
    N,
    asked,
    fragment,
    fragment_of,
    live,
    media,
    period,
    refused,
    started,
    whole,
)
from tests.support.made_feeds import START
from tests.support.strategies import described

T = TypeVar("T")


# Manifests.


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_manifest_of_a_live_channel(file: str) -> None:
    timeline = live(N, N + 1, N + 2)
    plan = asked(file, timeline)
    assert isinstance(plan, ServeManifest)
    assert (plan.window.first, plan.window.last, plan.window.ended) == (N, N + 2, False)


def test_a_window_is_as_deep_as_configured() -> None:
    plan = asked("index.mpd", live(*range(N, N + 30)))
    assert isinstance(plan, ServeManifest)
    assert plan.window.last - plan.window.first + 1 == 10


@pytest.mark.parametrize("file", MANIFESTS)
@pytest.mark.parametrize("timeline", [Timeline(), started()], ids=["no journal", "no segment"])
def test_no_data_yet_is_503(file: str, timeline: Timeline) -> None:
    plan = refused(asked(file, timeline, START))
    assert (plan.status, plan.freshness) == (503, Freshness.UNAVAILABLE)
    assert plan.retry_after >= 1


@pytest.mark.parametrize("file", MANIFESTS)
@pytest.mark.parametrize("behind", [0, 1, STALE_SEGMENTS, STALE_SEGMENTS + 1, 1000])
def test_an_edge_that_is_stale_is_503(file: str, behind: int) -> None:
    timeline = live(N, N + 1)
    plan = asked(file, timeline, GRID.micros(N + 1 + behind))
    if behind <= STALE_SEGMENTS:
        assert isinstance(plan, ServeManifest)
    else:
        assert refused(plan).status == 503
        assert refused(plan).retry_after == 2


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_channel_that_is_over_is_never_stale(file: str) -> None:
    timeline = fold([SourceEnded(START)], live(N, N + 1))
    plan = asked(file, timeline, GRID.micros(N + 10**6))
    assert isinstance(plan, ServeManifest)
    assert plan.window.ended


@pytest.mark.parametrize("behind", [0, 1000])
def test_media_of_a_stale_channel_is_there(behind: int) -> None:
    timeline = live(N, N + 1)
    media(asked(f"v0/{N}.m4s", timeline, GRID.micros(N + 1 + behind)))
    fragment_of(asked(fragment(N), timeline, GRID.micros(N + 1 + behind)))


def test_a_playlist_of_no_track_is_404() -> None:
    plan = refused(asked("v9/index.m3u8", live(N)))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)


def test_a_playlist_of_a_track_without_segments_is_503() -> None:
    timeline = fold(whole(*range(N, N + 3), tracks=(described("v0"),)), started())
    plan = refused(asked("a0/index.m3u8", timeline))
    assert plan.status == 503
    assert plan.retry_after >= 1


def test_a_smooth_manifest_without_a_fragment_is_503() -> None:
    plan = refused(asked("index.ism/Manifest", live(N)))
    assert plan.status == 503
    assert plan.retry_after >= 1


def test_a_smooth_manifest_of_one_segment_that_is_all() -> None:
    timeline = fold([SourceEnded(START)], live(N))
    assert isinstance(asked("index.ism/Manifest", timeline), ServeManifest)


def test_an_edge_whose_segment_is_long_is_not_stale_while_the_next_may_still_arrive() -> None:
    # Of a feed with a keyframe every ten segments.
    track = described("v0")
    length = 10 * GRID.boundary(1, track.timescale)
    long = [
        ChunkAdded("v0", N, GRID.boundary(N, track.timescale), Ticks(length), 1000),
        SegmentEnded("v0", N, GRID.micros(N + 10)),
    ]
    records = [JournalHeader(VERSION, "tv", GRID.duration), *period(0, N, track), *long]
    timeline = fold(records)
    assert not is_stale(timeline, GRID.micros(N + 20))
    assert not is_stale(timeline, UtcMicros(GRID.micros(N + 27) - 1))
    assert is_stale(timeline, GRID.micros(N + 27))


# By device.


@pytest.mark.parametrize("view", ["", "from/1767225600/", "from/1767225600/to/9999999999/"])
def test_a_device_gets_the_renditions_that_it_can_play(view: str) -> None:
    tracks = tuple(map(described, ("v0", "v1", "a0")))
    header = JournalHeader(VERSION, "tv", GRID.duration)
    records = period(0, N, *tracks, part=640_000)
    timeline = fold([header, *records, *whole(N, N + 1, N + 2, tracks=tracks)])
    devices = {"small": Device(max_height=180), "none": Device()}
    channel = ChannelSnapshot(timeline, Fraction(20), KEPT, devices=devices)

    def of(file: str, device: str = "small") -> Plan:
        path = f"{CHANNEL}/as/{device}/{view}{file}"
        return decide(parse(path), channel, timeline.grid.micros(N + 4))

    for file in (*MANIFESTS, "v1/index.m3u8"):
        if file == "v0/index.m3u8":
            plan = refused(of(file))
            assert (plan.status, plan.reason) == (404, "the device profile excludes that track")
            continue
        plan = of(file)
        assert isinstance(plan, ServeManifest)
        assert [track.latest.id for track in plan.window.tracks] == ["v1", "a0"]
        newest = plan.window.open_segment
        others = ["a0"] if file == "v1/index.m3u8" else ["v1"]
        assert newest is None or [other.track for other in newest.others] == others
        every = of(file, "none")
        assert isinstance(every, ServeManifest)
        assert [track.latest.id for track in every.window.tracks] == ["v0", "v1", "a0"]


def test_a_device_is_shown_a_picture_of_every_ladder() -> None:
    """The first had a rendition that it can play; the second has none."""
    before, after = (
        tuple(map(described, ("v0", "v2", "a0"))),
        (
            described("v0", 1),
            described("v1", 1),
            described("a0", 1),
        ),
    )
    header = JournalHeader(VERSION, "tv", GRID.duration)
    records = [*period(0, N, *before), *whole(N, N + 1, tracks=before)]
    records += [*period(1, N + 2, *after), *whole(N + 2, N + 3, tracks=after)]
    timeline = fold([header, *records])
    devices = {"small": Device(max_height=90)}
    channel = ChannelSnapshot(timeline, Fraction(20), KEPT, devices=devices)
    for view in ("", f"from/{int(GRID.micros(N) / MICROS)}/"):
        for file in MANIFESTS:
            path = f"{CHANNEL}/as/small/{view}{file}"
            plan = decide(parse(path), channel, GRID.micros(N + 4))
            if file == "v0/index.m3u8":
                assert refused(plan).status == 404
                continue
            assert isinstance(plan, ServeManifest)
            shown = [[t.latest.id for t in plan.window.of_period(index)] for index in (0, 1)]
            assert shown == [["v2", "a0"], ["v1", "a0"]]


def test_a_playlist_that_a_device_is_not_shown_is_not_waited_for() -> None:
    tracks = tuple(map(described, ("v0", "v1", "a0")))
    header = JournalHeader(VERSION, "tv", GRID.duration)
    records = period(0, N, *tracks, part=640_000)
    timeline = fold([header, *records, *whole(N, N + 1, tracks=tracks)])
    devices = {"small": Device(max_height=180)}
    channel = ChannelSnapshot(timeline, Fraction(20), KEPT, devices=devices)
    for query in (f"_HLS_msn={N + 2}", f"_HLS_msn={N + 2}&_HLS_part=0", "_HLS_msn=99999999999"):
        request = parse(f"{CHANNEL}/as/small/v0/index.m3u8", query)
        plan = refused(decide(request, channel, GRID.micros(N + 2)))
        assert (plan.status, plan.reason) == (404, "the device profile excludes that track")
    request = parse(f"{CHANNEL}/as/small/v1/index.m3u8", f"_HLS_msn={N + 2}")
    assert isinstance(decide(request, channel, GRID.micros(N + 2)), Wait)
