"""The shipped configurations of nginx and Varnish, as edge and shield in front of real origins."""

import asyncio
import gzip
import signal
import subprocess
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from fractions import Fraction
from functools import partial

import m3u8
import pytest

from packager.layout import init_version
from packager.timing.clock import SystemClock
from tests.support.caches import DEPLOY, Chain, Feed, Kind, Viewers, chain, viewers, was_hit, word
from tests.support.channel import GRID, MANIFESTS, go_on, packager, payload, publish
from tests.support.made_feeds import begin
from tests.support.service import wait_until
from tests.support.site import Answer
from tests.support.strategies import init_data

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

CROWD = 200
"""Viewers at once."""
PLAYLIST = "v0/index.m3u8"
HELD = Fraction(4)
"""Seconds of a segment whose successor is held for long enough to be asked for by a crowd."""
LASTING = Fraction(12)
"""Seconds of a segment whose manifests are fresh for longer than a crowd takes."""
CHANNELS = [
    *("crowd", "held", "cold", "growing", "same", "zipped", "queries", "strangers", "ranges"),
    *("early", "future", "gone", "equal", "stale", "smooth", "silent", "bystander"),
    *("killed", "frozen", "dark", "ages"),
]
KINDS: list[tuple[Kind, Kind]] = [("nginx", "nginx"), ("varnish", "varnish")]
MIXED: list[tuple[Kind, Kind]] = [("nginx", "varnish"), ("varnish", "nginx")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "caches" in metafunc.fixturenames:
        pairs = KINDS + MIXED * metafunc.config.getoption("--exhaustive")
        metafunc.parametrize("caches", pairs, ids="-".join, indirect=True, scope="module")


@pytest.fixture(scope="module")
def caches(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chain]:
    edge, shield = request.param
    with chain(tmp_path_factory.mktemp("caches"), edge, shield, CHANNELS) as started:
        yield started


def media(number: int, size: int = 1000) -> bytes:
    return b"".join(payload("v0", number, index, size) for index in (0, 1))


def plain(answer: Answer) -> bytes:
    zipped = answer.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(answer.body) if zipped else answer.body


def newest(answer: Answer) -> int:
    """The last segment that a media playlist names."""
    segments = m3u8.loads(plain(answer).decode()).segments
    return int(str(segments[-1].uri).removesuffix(".m4s"))


def date(answer: Answer) -> float:
    return parsedate_to_datetime(answer.one("Date")).timestamp()


def ok(answer: Answer) -> bool:
    return answer.status == 200


# What reaches the origin.


async def test_a_crowd_at_a_new_segment_is_one_request(caches: Chain) -> None:
    feed = caches.feed("crowd")
    feed.publish(feed.edge + 1)
    served = partial(caches.count, feed.name, "segment", status=200)
    before = served()
    async with viewers(caches.edge) as edge:
        # The origin has it.
        await edge.until(feed.path(f"a0/{feed.edge}.m4s"), ok)
        wait_until(lambda: served() == before + 1, "the count of this one")
        path = feed.segment(feed.edge)
        answers = await edge.crowd([path] * CROWD)
        again = await edge.crowd([path] * CROWD)
    assert {(a.status, a.body) for a in answers + again} == {(200, media(feed.edge))}
    wait_until(lambda: served() > before + 1, "the segment's request")
    assert served() == before + 2
    assert sum(map(was_hit, answers)) == CROWD - 1
    assert all(map(was_hit, again))


async def test_a_crowd_at_the_next_segment_is_one_held_request(caches: Chain) -> None:
    feed = caches.feed("held", HELD)
    before, number = caches.count(feed.name), feed.edge + 1
    async with viewers(caches.edge) as edge:
        asking = [asyncio.create_task(edge.ask(feed.segment(number))) for _ in range(CROWD)]
        await edge.ask("/healthz")
        feed.publish(number)
        answers = await asyncio.gather(*asking)
    assert {(a.status, a.body) for a in answers} == {(200, media(number))}
    wait_until(lambda: caches.count(feed.name) > before, "the segment's request")
    assert caches.count(feed.name) == before + 1


async def test_a_crowd_at_cold_manifests_is_one_request_each(caches: Chain) -> None:
    feed = caches.feed("cold", LASTING)
    before, paths = caches.count(feed.name), list(map(feed.path, MANIFESTS))
    async with viewers(caches.edge) as edge:
        answers = await edge.crowd(paths * (CROWD // len(paths)))
    assert {a.status for a in answers} == {200}
    for place in range(len(paths)):
        assert len({a.body for a in answers[place :: len(paths)]}) == 1
    assert sum(map(was_hit, answers)) == CROWD - len(paths)
    wait_until(lambda: caches.count(feed.name) >= before + len(paths), "their requests")
    assert caches.count(feed.name) == before + len(paths)


async def test_a_growing_playlist_is_asked_for_about_once_a_second(caches: Chain) -> None:
    feed = caches.feed("growing")
    answers: list[Answer] = []
    last = 0
    began = time.monotonic()
    async with viewers(caches.edge) as edge:
        for _ in range(3):
            feed.publish(feed.edge + 1)
            while last < feed.edge:
                shown = await edge.crowd([feed.path(PLAYLIST)] * 100)
                numbers = [newest(answer) for answer in shown]
                # A later request never gets an older playlist.
                assert min(numbers) >= last
                last, answers = max(numbers), answers + shown
    # The first, one as each second ends, and one that may have been made while a second ended.
    most = time.monotonic() - began + 3
    assert caches.count(feed.name, "hls-media") <= most
    kept = sum(word(answer) in ("HIT", "UPDATING") for answer in answers)
    assert len(answers) - kept <= most


async def test_an_expired_response_is_revalidated_with_its_etag(caches: Chain) -> None:
    feed = caches.feed("same")
    path = feed.path(PLAYLIST)
    async with viewers(caches.edge) as edge:
        first = await edge.ask(path)
        answers = [first]
        while not caches.count(feed.name, "hls-media", status=304):
            answers.append(await edge.ask(path))
        known = await edge.ask(path, headers={"If-None-Match": first.tag})
    assert {(a.status, a.body, a.tag) for a in answers} == {(200, first.body, first.tag)}
    assert caches.count(feed.name, "hls-media", status=200) == 1
    assert (known.status, known.body) == (304, b"")


# The key.


async def test_gzip_and_identity_are_cached_apart(caches: Chain) -> None:
    feed = caches.feed("zipped", LASTING)
    before = caches.count(feed.name)
    zipped = ["gzip", "gzip, deflate, br, zstd", "br;q=1.0, gzip;q=0.8, *;q=0.1", "GZIP"]
    bare = ["identity", "br", "gzip;q=0", ""]
    async with viewers(caches.edge) as edge:
        for _ in range(2):
            for given, wanted in [(z, "gzip") for z in zipped] + [(b, None) for b in bare]:
                answer = await edge.ask(feed.path(PLAYLIST), headers={"Accept-Encoding": given})
                assert answer.headers.get("Content-Encoding") == wanted, given
                assert newest(answer) == feed.edge
                assert "Accept-Encoding" in answer.one("Vary")
        assert (await edge.ask(feed.path(PLAYLIST))).body.startswith(b"#EXTM3U")
    wait_until(lambda: caches.count(feed.name) > before, "a request")
    # Varnish asks for the zipped one only.
    assert caches.count(feed.name) <= before + 2


async def test_only_queries_that_change_an_answer_are_in_the_key(caches: Chain) -> None:
    feed = caches.feed("queries", LASTING, segments=40)
    before = caches.count(feed.name)
    junk = [
        f"CMCD=br%3D{n}%2Csid%3D%22{n}%22&utm={n}&restart={n}&_HLS_report={n}" for n in range(20)
    ]

    async def same(edge: Viewers, requests: int, path: str, *queries: str) -> Answer:
        """The one answer to all these queries, which is so many requests at the origins."""
        answers = await edge.crowd([f"{path}?{query}" for query in queries])
        assert len({(a.status, a.body, a.headers.get("Location")) for a in answers}) == 1
        assert sum(map(was_hit, answers)) == len(answers) - 1
        wait_until(lambda: caches.count(feed.name) >= before + requests, "its request")
        assert caches.count(feed.name) == before + requests
        return answers[0]

    start = feed.made[0].grid.micros(feed.edge - 2) // 10**6
    async with viewers(caches.edge) as edge:
        await same(edge, 1, feed.segment(feed.edge), "", "start=5", "_HLS_skip=YES", *junk)
        whole = await same(edge, 2, feed.path(PLAYLIST), "", "end=", "_HLS_skip=no", *junk)
        skips = ["_HLS_skip=YES", *(f"{query}&_HLS_skip=YES&x=1" for query in junk)]
        delta = await same(edge, 3, feed.path(PLAYLIST), *skips)
        said = [
            f"start={start}&end={start + 24}",
            *(f"end={start + 24}&{q}&start={start}" for q in junk),
        ]
        view = await same(edge, 4, feed.path(PLAYLIST), *said)
        other = await same(edge, 5, feed.path(PLAYLIST), f"start={start}", f"x=&start={start}")
        parts = ("_HLS_msn=5&_HLS_part=1", "_HLS_part=1&x=2&_HLS_msn=5&utm=1")
        await same(edge, 6, feed.path(PLAYLIST), *parts)
        await same(edge, 7, feed.path(PLAYLIST), "_HLS_msn=5", "x=1&_HLS_msn=5")
        found = await edge.ask(view.one("Location"))
        bad = await edge.ask(feed.path(f"{PLAYLIST}?end=5"))
    assert (whole.status, delta.status, view.status, bad.status) == (200, 200, 302, 400)
    assert b"#EXT-X-SKIP" in delta.body
    assert b"#EXT-X-SKIP" not in whole.body
    assert "/to/" in view.one("Location")
    assert "/to/" not in other.one("Location")
    assert found.status == 200


async def test_headers_of_the_client_do_not_split_the_cache(caches: Chain) -> None:
    feed = caches.feed("strangers", LASTING)
    before = caches.count(feed.name)
    async with viewers(caches.edge) as edge:
        for number in range(5):
            names = {
                "Cookie": f"session={number}", "Authorization": f"Bearer {number}",
                "User-Agent": f"player/{number}", "Origin": f"https://{number}.example",
                "Host": f"{number}.example", "Cache-Control": "no-cache", "Pragma": "no-cache",
            }  # fmt: skip
            for path in (feed.segment(feed.edge), feed.path("index.mpd")):
                answer = await edge.ask(path, headers=names)
                assert ok(answer)
                assert was_hit(answer) == (number > 0)
        wait_until(lambda: caches.count(feed.name) >= before + 2, "two requests")
        assert caches.count(feed.name) == before + 2
        allowed = await edge.ask(feed.path("index.mpd"), "OPTIONS")
        refused = await edge.ask(feed.path("index.mpd"), "POST")
    assert (allowed.status, refused.status) == (204, 405)
    assert "Range" in allowed.one("Access-Control-Allow-Headers")


async def test_ranges_are_served_from_the_cached_body(caches: Chain) -> None:
    size = 100_000
    feed = caches.feed("ranges")
    served = partial(caches.count, feed.name, "segment", status=200)
    before = served()
    number = feed.edge + 1
    feed.publish(number, size=size)
    path, whole = feed.segment(number), media(number, size)
    async with viewers(caches.edge) as edge:
        await edge.until(feed.path(f"a0/{number}.m4s"), ok)
        wait_until(lambda: served() == before + 1, "the count of this one")
        for said, begin, end in [
            ("bytes=1000-1999", 1000, 2000), ("bytes=150000-", 150_000, 200_000),
            ("bytes=-10", 199_990, 200_000), ("bytes=199999-999999", 199_999, 200_000),
        ]:  # fmt: skip
            part = await edge.ask(path, headers={"Range": said})
            assert (part.status, part.body) == (206, whole[begin:end])
            assert part.one("Content-Range") == f"bytes {begin}-{end - 1}/200000"
        full = await edge.ask(path)
        outside = await edge.ask(path, headers={"Range": "bytes=200000-"})
        same = {"Range": "bytes=0-9", "If-Range": full.tag}
        changed = {"Range": "bytes=0-9", "If-Range": '"another"'}
        parts = [await edge.ask(path, headers=said) for said in (same, changed)]
    assert (full.status, full.body) == (200, whole)
    assert outside.status == 416
    assert [(p.status, p.body) for p in parts] == [(206, whole[:10]), (200, whole)]
    wait_until(lambda: served() > before + 1, "the request")
    assert served() == before + 2


# Media that does not exist.


async def test_a_segment_that_was_asked_for_early_is_there_once_it_is_there(caches: Chain) -> None:
    feed = caches.feed("early")
    number = feed.edge + 1
    async with viewers(caches.edge) as edge:
        early = await edge.ask(feed.segment(number))
        assert early.status == 404
        assert early.one("Cache-Control") == "public, max-age=1"
        feed.publish(number)
        asked = time.time()
        while not ok(answer := await edge.ask(feed.segment(number))):
            # At most a second old, by a clock of whole seconds; one more second for the network.
            assert asked - date(answer) < 3
            asked = time.time()
    assert answer.body == media(number)


async def test_a_crowd_at_the_future_does_not_reach_the_origin(caches: Chain) -> None:
    feed = caches.feed("future")
    reached = list[int]()
    async with viewers(caches.edge) as edge:
        for later in range(50, 54):
            before = caches.count(feed.name)
            answers = await edge.crowd([feed.segment(feed.edge + later)] * CROWD)
            assert {a.status for a in answers} == {404}
            reached.append(caches.count(feed.name) - before)
    # Both origins, and once more where the second ends meanwhile. A crowd that a busy machine
    # answers over several seconds asks again: an answer is kept for one.
    assert min(reached) <= 4


async def test_a_trimmed_segment_is_gone_for_a_minute(caches: Chain) -> None:
    feed = caches.feed("gone")
    old, missing = feed.edge - 5, feed.segment(feed.edge + 50)
    feed.trim(old + 1)
    async with viewers(caches.edge) as edge:
        gone = (await edge.until(feed.segment(old), lambda a: a.status == 410))[-1]
        assert gone.one("Cache-Control") == "public, max-age=60"
        before = caches.count(feed.name, "segment", status=410)
        # Until the edge has renewed a one-second response twice.
        for _ in range(2):
            first = caches.count(feed.name, "segment", status=404)
            while caches.count(feed.name, "segment", status=404) < first + 2:
                await edge.ask(missing)
        again = await edge.crowd([feed.segment(old)] * CROWD)
    assert {a.status for a in again} == {410}
    assert all(map(was_hit, again))
    assert caches.count(feed.name, "segment", status=410) == before


# Two origins.


async def test_two_origins_give_the_same(caches: Chain) -> None:
    feed = caches.feed("equal", LASTING)
    files = [
        *MANIFESTS,
        f"v0/{feed.edge}.m4s",
        f"v0/{feed.edge}.1.m4s",
        init(),
    ]
    one, other = (origin.port for origin in caches.origins)
    async with viewers(one) as a, viewers(other) as b:
        for file in files:
            for coding in ("gzip", "identity"):
                said = {"Accept-Encoding": coding}
                here = await a.ask(feed.path(file), headers=said)
                there = await b.ask(feed.path(file), headers=said)
                assert (here.status, here.body, here.lasting) == (200, there.body, there.lasting)


def init() -> str:
    return f"v0/init-{init_version(init_data(0))}.mp4"


async def test_where_one_journal_has_stopped_viewers_get_the_other(caches: Chain) -> None:
    stopped, going = caches.origins
    caches.feed("stale", ago=60, origins=[stopped])
    feed = caches.feed("stale", origins=[going])
    async with viewers(stopped.port) as first, viewers(going.port) as second:
        refused = await first.ask(feed.path(PLAYLIST))
        wanted = [await second.ask(feed.path(file)) for file in MANIFESTS]
    assert (refused.status, "Retry-After" in refused.headers) == (503, True)
    async with viewers(caches.edge) as edge:
        answers = await edge.crowd([feed.path(file) for file in MANIFESTS * 20])
        assert [(a.status, a.body) for a in answers] == [(200, a.body) for a in wanted] * 20
        for number in range(feed.edge - 5, feed.edge + 1):
            answer = await edge.ask(feed.segment(number))
            assert (answer.status, answer.body) == (200, media(number))
        assert ok(await edge.ask(feed.path(init())))


async def test_a_smooth_fragment_is_had_from_the_origin_that_has_it(caches: Chain) -> None:
    stopped, going = caches.origins
    caches.feed("smooth", ago=60, origins=[stopped])
    one = packager(going.data, name="smooth")
    played = begin(GRID)
    go_on(played, SystemClock().now())
    publish(one, played)
    feed = Feed("smooth", (one,))
    paths = [feed.path(one.fragment(index)) for index in range(2)]
    async with viewers(caches.edge) as edge:
        await edge.until(feed.path("index.ism/Manifest"), ok)
        before = going.count(feed.name, "fragment")
        for path in paths:
            answers = await edge.crowd([path, path.replace("(", "%28").replace(")", "%29")] * 20)
            assert {a.status for a in answers} == {200}
            assert len({a.body for a in answers}) == 1
            assert b"moof" in answers[0].body[:8]
        # Another spelling is another object.
        wait_until(lambda: going.count(feed.name, "fragment") > before, "a request")
        assert going.count(feed.name, "fragment") <= before + 4
        later = await edge.ask(feed.path(one.script.fragment(feed.edge + 50)))
        assert (later.status, later.one("Cache-Control")) == (412, "public, max-age=1")


async def test_a_channel_that_no_origin_has_takes_no_other_with_it(caches: Chain) -> None:
    silent, other = caches.feed("silent", ago=60), caches.feed("bystander", LASTING, segments=30)
    async with viewers(caches.edge) as edge:
        for number in range(other.edge - 29, other.edge + 1):
            refused, answer = await edge.crowd(
                [silent.path(f"from/{number}/{PLAYLIST}"), other.segment(number)]
            )
            assert (refused.status, answer.status) == (503, 200)
            assert refused.one("Cache-Control") == "public, max-age=1"
            assert int(refused.one("Retry-After")) > 0
        assert (await edge.ask(silent.path(PLAYLIST))).status == 503
        silent.resume()
        await edge.until(silent.path(PLAYLIST), ok)


@pytest.mark.parametrize(("name", "how"), [("killed", signal.SIGKILL), ("frozen", signal.SIGSTOP)])
async def test_no_viewer_sees_that_an_origin_dies(
    caches: Chain, name: str, how: signal.Signals
) -> None:
    feed, victim = caches.feed(name), caches.origins[0]
    first, seen, answers = feed.edge, feed.edge, list[Answer]()
    try:
        async with viewers(caches.edge) as edge:
            for number in range(first + 1, first + 4):
                feed.publish(number)
                while seen < number:
                    shown = await edge.crowd([feed.path(PLAYLIST)] * 10)
                    answers += shown
                    assert {a.status for a in shown} == {200}
                    seen = max(map(newest, shown))
                got = await edge.crowd([feed.segment(number)] * 10)
                assert {(a.status, a.body) for a in got} == {(200, media(number))}
                if number == first + 1:
                    victim.signal(how)
    finally:
        if how is signal.SIGKILL:
            victim.start()
        else:
            victim.signal(signal.SIGCONT)
    assert caches.origins[1].count(name, "segment") > 0


async def test_without_any_origin_the_live_edge_is_an_error_soon(caches: Chain) -> None:
    feed = caches.feed("dark")
    kept, cold = feed.segment(feed.edge), feed.segment(feed.edge - 1)
    async with viewers(caches.edge) as edge:
        for path in (kept, feed.path(PLAYLIST)):
            assert ok(await edge.ask(path))
        try:
            for origin in caches.origins:
                origin.signal(signal.SIGKILL)
            answers = await edge.until(feed.path(PLAYLIST), lambda a: not ok(a))
            assert answers[-1].status == 503
            for answer in (answers[-1], await edge.ask(cold)):
                assert answer.status == 503
                assert answer.one("Cache-Control") == "public, max-age=1"
                assert answer.one("Retry-After") == "1"
            assert was_hit(await edge.ask(kept))
        finally:
            for origin in caches.origins:
                origin.start()
        feed.catch_up()
        await edge.until(feed.path(PLAYLIST), ok)
        await edge.until(cold, ok)


# What a viewer's player reads.


async def test_date_and_age_tell_when_an_answer_was_made(caches: Chain) -> None:
    feed = caches.feed("ages")
    path = feed.segment(feed.edge)
    async with viewers(caches.edge) as edge:
        first, live = await edge.crowd([path, feed.path(PLAYLIST)])
        assert newest(live) == feed.edge
        feed.publish(feed.edge + 1)
        while time.time() < date(first) + 3:
            again = await edge.ask(path)
        assert date(again) == date(first)
        if caches.kinds[0] == "varnish":
            assert 1 <= int(again.one("Age")) <= time.time() - date(first) + 1
        else:
            assert "Age" not in again.headers
        # No viewer requested it in between, yet the edge does not serve its old copy.
        late = await edge.ask(feed.path(PLAYLIST))
    assert newest(late) == feed.edge
    assert int(late.headers.get("Age", 0)) <= 1


@pytest.mark.parametrize("values", ["edge.env", "shield.env"])
@pytest.mark.parametrize(
    "template", ["nginx/ringside.conf.template", "varnish/ringside.vcl.template"]
)
def test_the_shipped_values_fill_in_every_word(values: str, template: str) -> None:
    command = [str(DEPLOY / "fill-in"), str(DEPLOY / values), str(DEPLOY / template)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "${" not in text
    assert ".example:80" in text
