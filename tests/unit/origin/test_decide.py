import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar
from urllib.parse import urljoin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from origin.decide import decide, settled_until
from origin.known import ChannelView
from origin.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeFragment,
    ServeHealth,
    ServeInit,
    ServeManifest,
    ServeMedia,
    ServeTime,
    Wait,
)
from origin.render import render
from origin.request import Fragment, Manifest, ManifestKind, Media, TimeOfDay, parse
from origin.view import canonical, path_of
from packager.device import Device
from packager.fold import apply, fold
from packager.journal import VERSION
from packager.layout import InitName, SegmentName
from packager.manifest.text import Tapes
from packager.records import (
    ChunkAdded,
    Ended,
    EventRemoved,
    EventSet,
    Header,
    Record,
    SegmentEnded,
    Trimmed,
)
from packager.retention import SPARE
from packager.rewrite import records_of
from packager.smooth_clock import TOLERANCE, smooth_time, span
from packager.staleness import STALE_SEGMENTS, is_stale
from packager.ticks import MICROS, Ticks, UtcMicros
from packager.timeline import Timeline
from packager.track import TrackKind
from packager.window import Window
from tests.feeds import START
from tests.strategies import described, instants, journals
from tests.support.channel import FIRST, GRID, MANIFESTS, Script
from tests.windows import timelines

T = TypeVar("T")

HALF = Fraction(24, 25)
N = FIRST
"""The first segment of the made-up channels."""
CHANNEL = "/live/tv"

LATER = Refuse(404, "not there yet", Freshness.SOON)
SMOOTH_LATER = Refuse(412, "not there yet", Freshness.SOON)
NOTHING_NEW = Refuse(404, "nothing is new", Freshness.SOON)
KEPT = Fraction(3600)


# Channels made by hand: v0 and a0, a chunk a segment unless said otherwise.


SCRIPT = Script(GRID)
period, chunks, whole, fragment = SCRIPT.period, SCRIPT.chunks, SCRIPT.whole, SCRIPT.fragment


def started() -> Timeline:
    return fold([Header(VERSION, "tv", GRID.duration), *period(0, N)])


def live(*numbers: int) -> Timeline:
    return fold(whole(*numbers), started())


def asked(file: str, timeline: Timeline | None, now: int | None = None) -> Plan:
    """The plan for a file of the channel, at a moment when its edge is fresh unless said."""
    if now is None:
        now = timeline.grid.micros(timeline.edge + 2) if timeline else START
    view = ChannelView(timeline, Fraction(20), KEPT) if timeline else None
    return decide(parse(f"{CHANNEL}/{file}"), view, UtcMicros(now))


def media(plan: Plan) -> ServeMedia:
    assert isinstance(plan, ServeMedia), plan
    return plan


def stored(plan: Plan) -> ServeInit | ServeMedia:
    assert isinstance(plan, ServeInit | ServeMedia), plan
    return plan


def refused(plan: Plan) -> Refuse:
    assert isinstance(plan, Refuse), plan
    return plan


def fragment_of(plan: Plan) -> ServeFragment:
    assert isinstance(plan, ServeFragment), plan
    return plan


# Outside of any channel.


def test_the_origin_is_well() -> None:
    assert decide(parse("/healthz"), None, START) == ServeHealth()


def test_the_time_is_now_to_the_millisecond() -> None:
    now = UtcMicros(START + 1999)
    assert decide(TimeOfDay(), None, now) == ServeTime(UtcMicros(START + 1000))
    assert settled_until(TimeOfDay(), None, now) == START + 2000


@pytest.mark.parametrize("path", ["/live/TV/index.m3u8", "/live/tv/v0/x.m4s", "/" + "x" * 600])
def test_what_no_path_can_mean_is_400(path: str) -> None:
    plan = refused(decide(parse(path), None, START))
    assert (plan.status, plan.freshness) == (400, Freshness.BAD)
    assert plan.reason.isprintable()


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/live/tv/x", "/live"])
def test_what_is_outside_the_contract_is_404(path: str) -> None:
    plan = refused(decide(parse(path), None, START))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)


@pytest.mark.parametrize(
    "file", [*MANIFESTS, f"v0/{N}.m4s", "v0/init-0faa60ec.mp4", f"v0/{N}.0.m4s", fragment(N)]
)
def test_a_channel_that_is_not_there(file: str) -> None:
    assert asked(file, None) == Refuse(404, "no such channel", Freshness.UNKNOWN)


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
    timeline = fold([Ended(START)], live(N, N + 1))
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
    timeline = fold([Ended(START)], live(N))
    assert isinstance(asked("index.ism/Manifest", timeline), ServeManifest)


def test_an_edge_whose_segment_is_long_is_not_stale_while_the_next_may_still_come() -> None:
    # Of a feed with a keyframe every ten segments.
    track = described("v0")
    length = 10 * GRID.boundary(1, track.timescale)
    long = [
        ChunkAdded("v0", N, GRID.boundary(N, track.timescale), Ticks(length), 1000),
        SegmentEnded("v0", N, GRID.micros(N + 10)),
    ]
    records = [Header(VERSION, "tv", GRID.duration), *period(0, N, track), *long]
    timeline = fold(records)
    assert not is_stale(timeline, GRID.micros(N + 20))
    assert not is_stale(timeline, UtcMicros(GRID.micros(N + 27) - 1))
    assert is_stale(timeline, GRID.micros(N + 27))


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
            Header(VERSION, "tv", GRID.duration),
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
def test_what_follows_the_end_is_not_waited_for(file: str) -> None:
    timeline = fold([Ended(START)], live(N, N + 1))
    assert refused(asked(file, timeline)).status == 404


# Chunks.


def in_chunks(count: int) -> Timeline:
    """Segment N is whole, of four chunks; the first `count` of N + 1 are there."""
    timeline = fold(whole(N, of=4), started())
    return fold(chunks(N + 1, described("v0"), count, 4), timeline)


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
            Header(VERSION, "tv", GRID.duration),
            *past,
            *period(1, N),
            *chunks(N, described("v0"), 1, 4),
        ]
    )
    assert asked(f"v0/{N}.1.m4s", timeline) == Wait(HALF, LATER)


def test_a_whole_segment_gets_no_more_chunks() -> None:
    plan = refused(asked(f"v0/{N}.4.m4s", in_chunks(2)))
    assert plan.status == 404


def test_what_follows_the_last_chunk_of_an_open_segment_is_waited_for() -> None:
    assert asked(f"v0/{N + 2}.0.m4s", in_chunks(2)) == Wait(HALF, LATER)


@pytest.mark.parametrize(
    ("number", "chunk", "there"), [(N + 2, 1, 2), (N + 3, 0, 2), (N + 2, 0, 0), (N + 99, 0, 2)]
)
def test_a_chunk_further_in_the_future_is_404_at_once(number: int, chunk: int, there: int) -> None:
    assert asked(f"v0/{number}.{chunk}.m4s", in_chunks(there)) == LATER


def test_a_chunk_that_left_the_retention_is_410() -> None:
    timeline = fold([*whole(N + 1), Trimmed(N + 1)], live(N))
    assert refused(asked(f"v0/{N}.0.m4s", timeline)).status == 410


def test_a_chunk_of_what_a_crash_left_open() -> None:
    timeline = fold([*in_two_chunks(), *period(1, N + 5)], live(N))
    media(asked(f"v0/{N + 1}.1.m4s", timeline))


def in_two_chunks() -> Iterator[Record]:
    yield from chunks(N + 1, described("v0"), 2, 4)


# Smooth fragments.


def test_a_fragment() -> None:
    timeline = live(N, N + 1, N + 2)
    plan = fragment_of(asked(fragment(N), timeline))
    assert (plan.channel, plan.track) == ("tv", described("v0"))
    segments = timeline.tracks["v0"].segments
    assert plan.segment == segments[0]
    assert list(plan.following) == [span(segments[1], described("v0").timescale)]


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
    assert list(plan.following) == [span(after, described("v0").timescale)]


def test_the_last_fragment_of_all_has_no_successor() -> None:
    timeline = fold([Ended(START)], live(N, N + 1))
    plan = fragment_of(asked(fragment(N + 1), timeline))
    assert list(plan.following) == []


def test_no_fragment_follows_the_end() -> None:
    timeline = fold([Ended(START)], live(N, N + 1))
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
            Header(VERSION, "tv", GRID.duration),
            *period(0, N, before),
            *whole(N, N + 1, tracks=(before,)),
            *period(1, N + 2, *swapped),
            *whole(N + 2, N + 3, tracks=tuple(swapped)),
        ]
    )
    for number, track in ((N, "v0"), (N + 2, "v1")):
        plan = fragment_of(asked(fragment(number), timeline))
        assert (plan.track.id, plan.segment.number) == (track, number)


# 404 is for what was there: that answer is kept for a minute.
def test_the_first_fragment_of_all_is_not_said_to_be_gone() -> None:
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


# An encoder that comes back may come back with other parameters.
def test_fragments_of_a_period_with_another_timescale() -> None:
    slow = msgspec.structs.replace(described("v0"), timescale=24_000)
    timeline = fold(
        [*period(1, N + 5, slow, described("a0", 1)), *whole(N + 5, N + 6, tracks=(slow,))],
        live(N, N + 1),
    )
    before = fragment_of(asked(fragment(N), timeline))
    assert before.segment.number == N
    assert span(before.segment, before.track.timescale) == span(
        timeline.tracks["v0"].segments[0], described("v0").timescale
    )
    last = fragment_of(asked(fragment(N + 1), timeline))
    after = fragment_of(asked(fragment(N + 5, slow), timeline))
    assert (after.segment.number, after.track.timescale) == (N + 5, 24_000)
    assert list(last.following) == [span(after.segment, 24_000)]


# Everything that a manifest names is there.


def names_of_playlist(path: str, text: str) -> Iterator[str]:
    gap = False
    for line in text.splitlines():
        if line == "#EXT-X-GAP":
            gap = True
        elif line.startswith("#EXT-X-MAP:URI="):
            yield urljoin(path, line.split('"')[1])
        elif line.startswith("#EXT-X-MEDIA:"):
            yield urljoin(path, line.rpartition('URI="')[2].rstrip('"'))
        elif line and not line.startswith("#"):
            if not gap:
                yield urljoin(path, line)
            gap = False


def names_of_mpd(path: str, root: etree._Element) -> Iterator[str]:
    for representation in root.iter("{*}Representation"):
        track = representation.get("id", "")
        for template in representation.iter("{*}SegmentTemplate"):
            init, form = template.get("initialization", ""), template.get("media", "")
            yield urljoin(path, init.replace("$RepresentationID$", track))
            first = int(template.get("startNumber", "-1"))
            count = sum(1 + int(entry.get("r", "0")) for entry in template.iter("{*}S"))
            for number in range(first, first + count):
                name = form.replace("$RepresentationID$", track)
                yield urljoin(path, name.replace("$Number$", str(number)))
    for timing in root.iter("{*}UTCTiming"):
        yield urljoin(path, timing.get("value", ""))


def names_of_smooth(path: str, root: etree._Element) -> Iterator[str]:
    """Each fragment of each quality level."""
    for stream in root.iter("StreamIndex"):
        starts: list[int] = []
        time = -1
        for entry in stream.iter("c"):
            time = int(entry.get("t", time))
            for _ in range(int(entry.get("r", "1"))):
                starts.append(time)
                time += int(entry.get("d", ""))
        for level in stream.iter("QualityLevel"):
            form = stream.get("Url", "").replace("{bitrate}", level.get("Bitrate", ""))
            for start in starts:
                yield urljoin(path, form.replace("{start time}", str(start)))


def served(path: str, timeline: Timeline, depth: int) -> Plan:
    view = ChannelView(timeline, depth * timeline.grid.duration, KEPT)
    return decide(parse(path), view, timeline.grid.micros(timeline.edge + 1))


def manifest(kind: ManifestKind, timeline: Timeline, depth: int, track: str = "") -> bytes | None:
    request = Manifest("tv", kind, track)
    view = ChannelView(timeline, depth * timeline.grid.duration, KEPT)
    plan = decide(request, view, timeline.grid.micros(timeline.edge + 1))
    return render(plan, Tapes()).plain() if isinstance(plan, ServeManifest) else None


def files_named(timeline: Timeline, depth: int) -> Iterator[str]:
    """The media that the HLS and DASH manifests of a timeline name."""
    path = f"{CHANNEL}/index.m3u8"
    main = manifest(ManifestKind.HLS_MULTIVARIANT, timeline, depth)
    if main is None:
        return
    for playlist in names_of_playlist(path, main.decode()):
        plan = served(playlist, timeline, depth)
        assert isinstance(plan, ServeManifest), playlist
        yield from names_of_playlist(playlist, render(plan, Tapes()).plain().decode())
    mpd = manifest(ManifestKind.DASH, timeline, depth)
    assert mpd is not None
    named = names_of_mpd(f"{CHANNEL}/index.mpd", etree.fromstring(mpd))
    yield from (name for name in named if not name.endswith("/time"))


def fragments_named(timeline: Timeline, depth: int) -> Iterator[str]:
    path = f"{CHANNEL}/index.ism/Manifest"
    found = manifest(ManifestKind.SMOOTH, timeline, depth)
    if found is not None:
        yield from names_of_smooth(path, etree.fromstring(found))


cases = st.tuples(journals(), st.integers(1, 8))


@given(cases)
def test_what_hls_and_dash_name_is_there(case: tuple[list[Record], int]) -> None:
    records, depth = case
    for timeline in timelines(records):
        for name in files_named(timeline, depth):
            plan = stored(served(name, timeline, depth))
            if isinstance(plan, ServeMedia):
                found = timeline.tracks[plan.track].segments.numbered(plan.file.number)
                assert found is not None
                assert (plan.offset, plan.size) == (0, found.size)


@given(cases)
def test_what_smooth_names_is_there(case: tuple[list[Record], int]) -> None:
    records, depth = case
    for timeline in timelines(records):
        for name in fragments_named(timeline, depth):
            plan = served(name, timeline, depth)
            request = parse(name)
            assert isinstance(request, Fragment)
            there = fragment_of(plan)
            start, _ = span(there.segment, there.track.timescale)
            assert abs(start - request.time) <= 1
            assert there.following or timeline.ended


@given(cases)
def test_the_mpd_names_the_clock(case: tuple[list[Record], int]) -> None:
    records, depth = case
    for timeline in timelines(records):
        if not timeline.ended and (mpd := manifest(ManifestKind.DASH, timeline, depth)):
            *_, last = names_of_mpd(f"{CHANNEL}/index.mpd", etree.fromstring(mpd))
            assert isinstance(served(last, timeline, depth), ServeTime)


@given(cases)
def test_what_was_named_stays_there_until_it_is_trimmed(case: tuple[list[Record], int]) -> None:
    records, depth = case
    known: dict[str, ServeInit | ServeMedia] = {}
    for timeline in timelines(records):
        for name, before in list(known.items()):
            after = served(name, timeline, depth)
            if isinstance(before, ServeMedia) and before.file.number < timeline.trimmed:
                assert refused(after).status == 410
                del known[name]
            elif isinstance(before, ServeMedia):
                assert after == before
            elif isinstance(after, Refuse):
                track = timeline.tracks[before.track.id]
                versions = {timeline.track(track.id, s.period).version for s in track.segments}
                assert str(before.file) not in {f"init-{version}.mp4" for version in versions}
                del known[name]
        known |= {
            name: stored(served(name, timeline, depth)) for name in files_named(timeline, depth)
        }


def levels(timeline: Timeline) -> set[tuple[TrackKind, int]]:
    """The quality levels of all periods: an encoder that comes back may come back with others."""
    return {
        (track.kind, track.bitrate)
        for period in timeline.periods
        for track in period.tracks.values()
    }


@given(cases)
def test_a_fragment_never_changes(case: tuple[list[Record], int]) -> None:
    records, depth = case
    known: dict[str, ServeFragment] = {}
    for timeline in timelines(records):
        for name, before in list(known.items()):
            request = parse(name)
            assert isinstance(request, Fragment)
            after = served(name, timeline, depth)
            if before.segment.number < timeline.trimmed:
                assert refused(after).status == 404
                del known[name]
            elif (request.kind, request.bitrate) in levels(timeline):
                now = fragment_of(after)
                assert now.segment == before.segment
                assert list(now.following) == list(before.following)
        for name in fragments_named(timeline, depth):
            if isinstance(plan := served(name, timeline, depth), ServeFragment):
                known[name] = plan


@given(cases)
def test_a_rewritten_journal_gives_the_same_answers(case: tuple[list[Record], int]) -> None:
    records, depth = case
    one = fold(records)
    two = fold(records_of(one, VERSION))
    for kind in set(ManifestKind) - {ManifestKind.DASH_PATCH}:
        assert manifest(kind, one, depth, "v0") == manifest(kind, two, depth, "v0")
    for name in files_named(one, depth):
        assert served(name, one, depth) == served(name, two, depth)
    for name in fragments_named(one, depth):
        before, after = served(name, one, depth), served(name, two, depth)
        if isinstance(before, ServeFragment):
            assert isinstance(after, ServeFragment)
            assert list(after.following) == list(before.following)
            assert (after.track, after.segment) == (before.track, before.segment)
        else:
            assert before == after


# What was open when a period began is ended after it: the edge is the same either way.
def test_a_rewritten_journal_has_the_same_edge() -> None:
    sound = described("a0")
    ends_late = [
        *chunks(N + 1, sound),
        *period(1, N + 3),
        SegmentEnded("a0", N + 1, GRID.micros(N + 2)),
    ]
    one = fold(ends_late, live(N))
    two = fold(records_of(one, VERSION))
    assert two.edge == one.edge
    for kind in set(ManifestKind) - {ManifestKind.DASH_PATCH}:
        assert manifest(kind, one, 1, "a0") == manifest(kind, two, 1, "a0")


# Every number of every track, over any journal.


def every(timeline: Timeline, records: list[Record]) -> Iterator[tuple[str, int]]:
    used = [record.number for record in records if isinstance(record, ChunkAdded)] or [N]
    for number in range(min(used) - 2, max(used) + 4):
        for track in timeline.tracks:
            yield track, number


def story(records: list[Record]) -> Iterator[tuple[Timeline, list[Record]]]:
    """Every prefix of a journal, and its timeline."""
    timeline = Timeline()
    for count, record in enumerate(records, 1):
        timeline = apply(timeline, record)
        yield timeline, records[:count]


@given(journals())
def test_every_segment_has_its_answer(records: list[Record]) -> None:
    for timeline, past in list(story(records))[::3]:
        ended = {(r.track, r.number) for r in past if isinstance(r, SegmentEnded)}
        trimmed = max((r.number for r in past if isinstance(r, Trimmed)), default=0)
        for track, number in every(timeline, records):
            plan = served(f"{CHANNEL}/{track}/{number}.m4s", timeline, 5)
            newest = max([n for t, n in ended if t == track], default=-1)
            opened = timeline.tracks[track].open_number
            if number < trimmed:
                assert refused(plan).status == 410
            elif (track, number) in ended:
                size = sum(
                    r.size
                    for r in past
                    if isinstance(r, ChunkAdded) and (r.track, r.number) == (track, number)
                )
                assert (media(plan).offset, media(plan).size) == (0, size)
            elif number > max(newest, timeline.edge):
                wait = Wait(timeline.grid.duration / 2, LATER)
                upcoming = [max(newest, timeline.edge) + 1, opened, timeline.periods[-1].number]
                if timeline.ended or number > max(upcoming):
                    assert plan == LATER
                elif number == (opened if opened > upcoming[0] else max(upcoming)):
                    assert plan == wait
                else:
                    assert plan in (wait, LATER)
            elif number != opened:
                assert (refused(plan).status, refused(plan).freshness) == (404, Freshness.HOLE)


@given(journals())
def test_chunks_are_the_segment_in_pieces(records: list[Record]) -> None:
    tags: dict[tuple[str, int, int], ServeMedia] = {}
    timeline = Timeline()
    for record in records:
        timeline = apply(timeline, record)
        if isinstance(record, ChunkAdded):
            index = len(timeline.tracks[record.track].open) - 1
            name = f"{CHANNEL}/{record.track}/{record.number}.{index}.m4s"
            tags[record.track, record.number, index] = media(served(name, timeline, 5))
    for (track, number, index), before in tags.items():
        if number >= timeline.trimmed:
            assert served(f"{CHANNEL}/{track}/{number}.{index}.m4s", timeline, 5) == before
    for (track, number, index), after in tags.items():
        if index:
            before = tags[track, number, index - 1]
            assert before.size is not None
            assert (after.file, after.offset) == (before.file, before.offset + before.size)
        else:
            assert after.offset == 0


@given(journals())
def test_parts_of_a_segment_have_tags_of_their_own(records: list[Record]) -> None:
    timeline = fold(records)
    for track in timeline.tracks.values():
        for segment, chunks in track.segments.rows():
            base = f"{CHANNEL}/{track.id}/{segment.number}"
            names = [f"{base}.{index}.m4s" for index in range(len(chunks))]
            tags = [media(served(name, timeline, 5)).etag for name in names]
            assert len(set(tags)) == len(tags)
            assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


@given(journals())
def test_every_fragment_has_its_answer(records: list[Record]) -> None:
    for timeline in list(timelines(records))[::2]:
        half = timeline.grid.duration / 2
        for track in timeline.tracks.values():
            description = timeline.latest(track.id)
            if description is None:
                continue
            base = f"{CHANNEL}/index.ism/QualityLevels({description.bitrate})"
            kept = list(track.segments.between(0, timeline.edge))
            for segment, after in pairwise([*kept, None]):
                if segment is None:
                    continue
                start, duration = span(segment, description.timescale)
                name = f"{base}/Fragments({description.kind}={{}})"
                plan = served(name.format(start), timeline, 5)
                if after is not None or timeline.ended:
                    there = fragment_of(plan)
                    assert there.segment == segment
                    spans = [span(after, description.timescale)] if after is not None else []
                    assert list(there.following) == spans
                else:
                    assert plan == Wait(half, SMOOTH_LATER)
                inside = refused(served(name.format(start + duration // 2), timeline, 5))
                assert inside.status == 412


@given(journals(), instants())
def test_no_manifest_is_handed_out_as_live_when_it_is_not(
    records: list[Record], now: UtcMicros
) -> None:
    for timeline in timelines(records):
        view = ChannelView(timeline, 5 * timeline.grid.duration, KEPT)
        stale = timeline.grid.number_at_micros(now) - timeline.edge > STALE_SEGMENTS
        for kind in set(ManifestKind) - {ManifestKind.DASH_PATCH}:
            plan = decide(Manifest("tv", kind, "v0"), view, now)
            if stale and not timeline.ended:
                assert refused(plan).status == 503
            if isinstance(plan, Refuse):
                assert plan.status != 503 or plan.retry_after >= 1
                assert plan.freshness in (Freshness.UNAVAILABLE, Freshness.UNKNOWN)


numbers = st.one_of(st.integers(0, 10**15 - 1), st.integers(-9, 9).map(lambda off: max(0, N + off)))
any_file = st.one_of(
    st.sampled_from(MANIFESTS),
    st.builds("{}/{}.m4s".format, st.sampled_from(["v0", "a0", "v9"]), numbers),
    st.builds(
        "{}/{}.{}.m4s".format, st.sampled_from(["v0", "a0"]), numbers, st.integers(0, 999_999)
    ),
    st.builds(
        "index.ism/QualityLevels({})/Fragments({}={})".format,
        st.one_of(st.integers(0, 10**12 - 1), st.sampled_from([1_000_000, 999_000, 128_000])),
        st.sampled_from(TrackKind),
        st.one_of(st.integers(0, 10**18 - 1), st.integers(1_893_456_000, 1_893_456_040)),
    ),
)


@given(journals(), any_file, instants())
def test_any_request_gets_a_plan(records: list[Record], file: str, now: UtcMicros) -> None:
    for timeline, _ in story(records):
        plan = asked(file, timeline, now)
        if isinstance(plan, Wait):
            assert 0 < plan.at_most <= timeline.grid.duration / 2
            assert not timeline.ended
            plan = plan.otherwise
        if isinstance(plan, Refuse):
            smooth = "Fragments" in file
            assert plan.status in ((404, 412) if smooth else (404, 410, 503))
            assert plan.reason.isprintable()


def parse_media(name: str) -> object:
    request = parse(f"{CHANNEL}/v0/{name}")
    assert isinstance(request, Media)
    return request.name


# Views.


def path_from(first: int, last: int | None = None) -> str:
    end = None if last is None else GRID.micros(last + 1)
    return path_of(canonical(GRID.micros(first), end, GRID))


def window_of(plan: Plan) -> Window:
    assert isinstance(plan, ServeManifest), plan
    return plan.window


def held(plan: Plan) -> list[int]:
    """The segments of v0 that a manifest has."""
    (track,) = (t for t in window_of(plan).tracks if t.latest.id == "v0")
    return [segment.number for segment in track.segments]


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_view_from_an_instant_grows(file: str) -> None:
    numbers = range(N, N + 20)
    for count in (5, 20):
        plan = asked(f"{path_from(N + 3)}{file}", live(*numbers[:count]))
        window = window_of(plan)
        assert held(plan) == list(numbers[3:count])
        assert (window.depth, window.stays, window.ended) == (None, True, False)


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_stretch_is_complete_once_its_end_has_passed(file: str) -> None:
    path = f"{path_from(N + 3, N + 6)}{file}"
    for count, ended in ((6, False), (7, True), (20, True)):
        plan = asked(path, live(*range(N, N + count)))
        assert held(plan) == list(range(N + 3, min(N + 7, N + count)))
        assert window_of(plan).ended == ended


def test_a_complete_stretch_never_goes_stale() -> None:
    timeline = live(*range(N, N + 9))
    late = GRID.micros(N + 1000)
    assert window_of(asked(f"{path_from(N, N + 3)}index.mpd", timeline, late)).ended
    assert refused(asked(f"{path_from(N)}index.mpd", timeline, late)).status == 503


def test_a_stretch_whose_end_nobody_recorded_is_complete_all_the_same() -> None:
    timeline = live(*range(N, N + 9))
    path = f"{path_from(N, N + 11)}index.mpd"
    assert not window_of(asked(path, timeline, GRID.micros(N + 12))).ended
    window = window_of(asked(path, timeline, GRID.micros(N + 1000)))
    assert (window.last, window.ended) == (N + 8, True)


def test_a_source_that_is_over_completes_every_view() -> None:
    timeline = fold([Ended(START)], live(*range(N, N + 9)))
    for path in (path_from(N + 2), path_from(N + 2, N + 99)):
        window = window_of(asked(f"{path}index.mpd", timeline, GRID.micros(N + 1000)))
        assert (window.first, window.last, window.ended) == (N + 2, N + 8, True)


def test_what_has_not_begun_is_404_for_a_moment() -> None:
    plan = refused(asked(f"{path_from(N + 9)}index.mpd", live(N, N + 1)))
    assert (plan.status, plan.freshness) == (404, Freshness.SOON)


def test_what_left_the_retention_is_404() -> None:
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
        view = ChannelView(timeline, Fraction(10), KEPT)
        plan = decide(parse(path, f"start={start:.3f}"), view, GRID.micros(N + 3))
        assert isinstance(plan, Redirect)
        plans.add(plan.location)
    (location,) = plans
    assert location == f"{CHANNEL}/{path_from(N)}{file}"
    assert held(decide(parse(location), view, GRID.micros(N + 3))) == [N, N + 1, N + 2]


# Patches.


def patch_of(view: str, timeline: Timeline, had: Timeline) -> Plan:
    """What whoever has the MPD of one timeline is told by the other."""
    plan = asked(f"{view}index.mpd", had)
    assert isinstance(plan, ServeManifest)
    text = render(plan, Tapes()).plain().decode()
    found = re.search("<PatchLocation>(.*)</PatchLocation>", text)
    name = found[1] if found else f"patch-{N}-0123456789abcdef.mpp"
    return asked(f"{view}{name}", timeline)


def changes_of(plan: Plan) -> etree._Element:
    assert isinstance(plan, ServeManifest), plan
    return etree.fromstring(render(plan, Tapes()).plain())


def test_a_patch_tells_of_new_segments() -> None:
    had, timeline = live(*range(N, N + 5)), live(*range(N, N + 9))
    changes = changes_of(patch_of(path_from(N), timeline, had))
    assert len(changes) == 2 + len(timeline.tracks)
    assert changes.get("originalPublishTime") != changes.get("publishTime")


def test_the_patch_to_what_is_next_is_awaited() -> None:
    timeline = live(*range(N, N + 5))
    assert patch_of(path_from(N), timeline, timeline) == Wait(GRID.duration / 2, NOTHING_NEW)


@pytest.mark.parametrize("view", ["", path_from(N), path_from(N, N + 6)])
def test_where_a_patch_would_not_do_there_is_one_for_nobody(view: str) -> None:
    had, timeline = live(*range(N, N + 5)), live(*range(N, N + 9))
    another = fold([*period(1, N + 12), *whole(N + 12)], timeline)
    ended = [fold([Ended(START)], either) for either in (had, timeline)]
    for after in (*ended, fold([Trimmed(N + 1)], timeline), another):
        changes = changes_of(patch_of(view, after, had))
        assert len(changes) == 0
        assert changes.get("originalPublishTime") == "1970-01-01T00:00:00.000Z"


# Events.


def event(first: int, last: int | None = None, *, pinned: bool = False) -> EventSet:
    end = None if last is None else GRID.micros(last + 1)
    return EventSet("fight", GRID.micros(first), end, pinned)


@pytest.mark.parametrize("file", MANIFESTS)
def test_an_event_is_the_stretch_between_its_start_and_its_end(file: str) -> None:
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
    # What goes on does not begin with a hole that was cut.
    goes_on = list(range(N + 10 + SPARE, N + 20))
    assert held(asked(f"{path_from(N)}index.mpd", timeline)) == goes_on
    assert held(asked(f"{path_from(N, N + 30)}index.mpd", timeline)) == goes_on
    assert held(asked(f"{path_from(N, N + 12)}index.mpd", timeline)) == list(range(N + 3, N + 7))


def test_an_event_that_is_pinned_when_some_of_it_has_gone_says_where_it_begins() -> None:
    timeline = fold([Trimmed(N + 5), event(N, pinned=True)], live(*range(N, N + 20)))
    plan = asked("event/fight/index.mpd", timeline)
    assert isinstance(plan, ServeManifest)
    assert (plan.window.first, plan.late, plan.window.stays) == (N + 5, True, True)


def test_what_leaves_soon_is_cached_no_longer() -> None:
    numbers = range(N, N + 20)
    path = f"{path_from(N + 8, N + 12)}index.mpd"

    def lasts(timeline: Timeline, retention: int) -> Fraction | None:
        view = ChannelView(timeline, Fraction(10), retention * GRID.duration)
        plan = decide(parse(f"{CHANNEL}/{path}"), view, GRID.micros(N + 20))
        assert isinstance(plan, ServeManifest)
        return plan.lasts

    assert lasts(live(*numbers), 30) == (N + 8 + 30 - SPARE - (N + 19)) * GRID.duration
    assert lasts(fold([Trimmed(N + 3)], live(*numbers)), 30) == (8 - 3 - SPARE) * GRID.duration
    assert lasts(fold([Trimmed(N + 8 - SPARE)], live(*numbers)), 30) == 0
    assert lasts(fold([event(N + 8, N + 12, pinned=True)], live(*numbers)), 30) is None
    assert lasts(fold([Ended(START)], live(*numbers)), 30) is None


def test_what_nothing_follows_any_more_is_complete_in_smooth_too() -> None:
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
def test_what_was_trimmed_out_of_an_event_that_goes_on_after_all_is_a_hole(again: EventSet) -> None:
    """A follower that served it before says the same as one that reads the rewritten journal."""
    tapes = Tapes(4)
    timeline = fold([event(N, pinned=True)], live(*range(N, N + 40)))
    files = ("v0/index.m3u8", "index.mpd", "index.ism/Manifest")
    for file in files:
        served = asked(f"event/fight/{file}", timeline)
        assert isinstance(served, ServeManifest)
        render(served, tapes)
    after = fold([event(N, N + 9, pinned=True), Trimmed(N + 20), again], timeline)
    assert after.retold > timeline.retold
    fresh = fold(records_of(after, VERSION))
    for file in files:
        path = f"event/{again.name}/{file}"
        one, two = asked(path, after), asked(path, fresh)
        assert isinstance(one, ServeManifest)
        assert isinstance(two, ServeManifest)
        # As a follower does where what was told is told anew.
        text = render(one, Tapes(4)).plain()
        assert text == render(two, Tapes(4)).plain()
        if file.endswith("m3u8"):
            assert text.count(b"EXT-X-GAP") == 10
        if file.endswith("mpd"):
            numbers = [
                t.get("startNumber") for t in etree.fromstring(text).iter("{*}SegmentTemplate")
            ]
            assert numbers == [str(N)] * 2 + [str(N + 20)] * 2


def test_media_that_takes_more_room_than_before_shortens_what_is_kept() -> None:
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
    view = ChannelView(timeline, Fraction(10), 100 * GRID.duration)
    plan = decide(
        parse(f"{CHANNEL}/{path_from(N + 10, N + 12)}index.mpd"), view, GRID.micros(N + 30)
    )
    assert isinstance(plan, ServeManifest)
    # Eight segments before it make room for less than one that comes.
    assert plan.lasts is not None
    assert plan.lasts < GRID.duration


def test_the_last_fragment_of_a_stale_channel_may_not_be_the_last() -> None:
    timeline = live(N, N + 1)
    late = fragment_of(asked(SCRIPT.fragment(N + 1), timeline, GRID.micros(N + 99)))
    assert (late.following, late.final) == ((), False)
    ended = fold([Ended(START)], timeline)
    assert fragment_of(asked(SCRIPT.fragment(N + 1), ended)).final


# Of an edge that has gone stale.


@pytest.mark.parametrize("ahead", [1, 2, 100])
@pytest.mark.parametrize("kind", ["segment", "fragment"])
def test_what_will_not_come_here_may_come_elsewhere(ahead: int, kind: str) -> None:
    timeline = live(N, N + 1)
    number = timeline.edge + ahead
    file = f"v0/{number}.m4s" if kind == "segment" else fragment(number)
    plan = refused(asked(file, timeline, timeline.grid.micros(timeline.edge + 100)))
    assert (plan.status, plan.freshness) == (503, Freshness.UNAVAILABLE)
    assert plan.retry_after
    assert asked(file, timeline) != plan


# By device.


@pytest.mark.parametrize("view", ["", "from/1767225600/", "from/1767225600/to/9999999999/"])
def test_a_device_is_shown_what_it_can_play(view: str) -> None:
    tracks = tuple(map(described, ("v0", "v1", "a0")))
    header = Header(VERSION, "tv", GRID.duration)
    records = period(0, N, *tracks, part=640_000)
    timeline = fold([header, *records, *whole(N, N + 1, N + 2, tracks=tracks)])
    devices = {"small": Device(max_height=180), "none": Device()}
    channel = ChannelView(timeline, Fraction(20), KEPT, devices=devices)

    def of(file: str, device: str = "small") -> Plan:
        path = f"{CHANNEL}/as/{device}/{view}{file}"
        return decide(parse(path), channel, timeline.grid.micros(N + 4))

    for file in (*MANIFESTS, "v1/index.m3u8"):
        if file == "v0/index.m3u8":
            plan = refused(of(file))
            assert (plan.status, plan.reason) == (404, "the device is not shown that track")
            continue
        plan = of(file)
        assert isinstance(plan, ServeManifest)
        assert [track.latest.id for track in plan.window.tracks] == ["v1", "a0"]
        assert plan.window.tip is None or [o.track for o in plan.window.tip.others] == (
            ["a0"] if file == "v1/index.m3u8" else ["v1"]
        )
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
    header = Header(VERSION, "tv", GRID.duration)
    records = [*period(0, N, *before), *whole(N, N + 1, tracks=before)]
    records += [*period(1, N + 2, *after), *whole(N + 2, N + 3, tracks=after)]
    timeline = fold([header, *records])
    devices = {"small": Device(max_height=90)}
    channel = ChannelView(timeline, Fraction(20), KEPT, devices=devices)
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
    header = Header(VERSION, "tv", GRID.duration)
    records = period(0, N, *tracks, part=640_000)
    timeline = fold([header, *records, *whole(N, N + 1, tracks=tracks)])
    devices = {"small": Device(max_height=180)}
    channel = ChannelView(timeline, Fraction(20), KEPT, devices=devices)
    for query in (f"_HLS_msn={N + 2}", f"_HLS_msn={N + 2}&_HLS_part=0", "_HLS_msn=99999999999"):
        request = parse(f"{CHANNEL}/as/small/v0/index.m3u8", query)
        plan = refused(decide(request, channel, GRID.micros(N + 2)))
        assert (plan.status, plan.reason) == (404, "the device is not shown that track")
    request = parse(f"{CHANNEL}/as/small/v1/index.m3u8", f"_HLS_msn={N + 2}")
    assert isinstance(decide(request, channel, GRID.micros(N + 2)), Wait)
