"""Plans outside of any channel, and properties of every plan over any journal."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide, settled_until
from origin.decision.plan import (
    Freshness,
    Refuse,
    ServeHealth,
    ServeMedia,
    ServeTime,
    Wait,
)
from origin.urls.request import (
    Manifest,
    ManifestKind,
    MediaObject,
    TimeOfDay,
    parse,
)
from packager.timeline.apply import apply, fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    ChunkAdded,
    Record,
    SegmentEnded,
    Trimmed,
)
from packager.timeline.staleness import STALE_SEGMENTS
from packager.timing.smooth_time import span
from packager.timing.ticks import UtcMicros
from packager.track import TrackKind
from tests.support.channel import MANIFESTS
from tests.support.decisions import (
    CHANNEL,
    KEPT,
    LATER,
    SMOOTH_LATER,
    N,
    asked,
    fragment,
    fragment_of,
    media,
    refused,
    served,
)
from tests.support.made_feeds import START
from tests.support.strategies import instants, journals
from tests.support.windows import timelines

T = TypeVar("T")


# Outside of any channel.


def test_the_origin_is_well() -> None:
    assert decide(parse("/healthz"), None, START) == ServeHealth()


def test_the_time_is_now_to_the_millisecond() -> None:
    now = UtcMicros(START + 1999)
    assert decide(TimeOfDay(), None, now) == ServeTime(UtcMicros(START + 1000))
    assert settled_until(TimeOfDay(), None, now) == START + 2000


@pytest.mark.parametrize("path", ["/live/TV/index.m3u8", "/live/tv/v0/x.m4s", "/" + "x" * 600])
def test_an_invalid_path_is_400(path: str) -> None:
    plan = refused(decide(parse(path), None, START))
    assert (plan.status, plan.freshness) == (400, Freshness.BAD)
    assert plan.reason.isprintable()


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/live/tv/x", "/live"])
def test_a_path_outside_the_contract_is_404(path: str) -> None:
    plan = refused(decide(parse(path), None, START))
    assert (plan.status, plan.freshness) == (404, Freshness.UNKNOWN)


@pytest.mark.parametrize(
    "file", [*MANIFESTS, f"v0/{N}.m4s", "v0/init-0faa60ec.mp4", f"v0/{N}.0.m4s", fragment(N)]
)
def test_a_channel_that_is_not_there(file: str) -> None:
    assert asked(file, None) == Refuse(404, "no such channel", Freshness.UNKNOWN)


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
                start, duration = span(segment.start, segment.end, description.timescale)
                name = f"{base}/Fragments({description.kind}={{}})"
                plan = served(name.format(start), timeline, 5)
                if after is not None or timeline.ended:
                    there = fragment_of(plan)
                    assert there.segment == segment
                    spans = (
                        [span(after.start, after.end, description.timescale)]
                        if after is not None
                        else []
                    )
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
        view = ChannelSnapshot(timeline, 5 * timeline.grid.duration, KEPT)
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
    assert isinstance(request, MediaObject)
    return request.name
