"""All media that a manifest lists is there, and stays until it is trimmed."""

from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import urljoin

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide
from origin.decision.plan import (
    Refuse,
    ServeFragment,
    ServeInit,
    ServeManifest,
    ServeMedia,
    ServeTime,
)
from origin.http.render import render
from origin.urls.request import (
    Manifest,
    ManifestKind,
    SmoothFragment,
    parse,
)
from packager.journal.compaction import records_of
from packager.journal.format import VERSION
from packager.manifest.incremental import ListCaches
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Record,
    SegmentEnded,
)
from packager.timing.smooth_time import span
from packager.track import TrackKind
from tests.support.channel import GRID
from tests.support.decisions import (
    CHANNEL,
    KEPT,
    N,
    chunks,
    fragment_of,
    live,
    period,
    refused,
    served,
    stored,
)
from tests.support.strategies import described, journals
from tests.support.windows import timelines

T = TypeVar("T")


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


def manifest(kind: ManifestKind, timeline: Timeline, depth: int, track: str = "") -> bytes | None:
    request = Manifest("tv", kind, track)
    view = ChannelSnapshot(timeline, depth * timeline.grid.duration, KEPT)
    plan = decide(request, view, timeline.grid.micros(timeline.edge + 1))
    return render(plan, ListCaches()).plain() if isinstance(plan, ServeManifest) else None


def files_named(timeline: Timeline, depth: int) -> Iterator[str]:
    """The media that the HLS and DASH manifests of a timeline name."""
    path = f"{CHANNEL}/index.m3u8"
    main = manifest(ManifestKind.HLS_MULTIVARIANT, timeline, depth)
    if main is None:
        return
    for playlist in names_of_playlist(path, main.decode()):
        plan = served(playlist, timeline, depth)
        assert isinstance(plan, ServeManifest), playlist
        yield from names_of_playlist(playlist, render(plan, ListCaches()).plain().decode())
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
def test_media_listed_by_hls_and_dash_is_served(case: tuple[list[Record], int]) -> None:
    records, depth = case
    for timeline in timelines(records):
        for name in files_named(timeline, depth):
            plan = stored(served(name, timeline, depth))
            if isinstance(plan, ServeMedia):
                found = timeline.tracks[plan.track].segments.numbered(plan.file.number)
                assert found is not None
                assert (plan.offset, plan.size) == (0, found.size)


@given(cases)
def test_fragments_listed_by_smooth_are_served(case: tuple[list[Record], int]) -> None:
    records, depth = case
    for timeline in timelines(records):
        for name in fragments_named(timeline, depth):
            plan = served(name, timeline, depth)
            request = parse(name)
            assert isinstance(request, SmoothFragment)
            there = fragment_of(plan)
            start, _ = span(there.segment.start, there.segment.end, there.track.timescale)
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
def test_listed_media_is_served_until_it_is_trimmed(case: tuple[list[Record], int]) -> None:
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
    """The quality levels of all periods: a returning encoder may have others."""
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
            assert isinstance(request, SmoothFragment)
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


# A segment that is open when a period begins ends after it. The edge is the same either way.
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
