"""A channel with low latency: blocking playlist reloads, segments sent while they are written."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import pytest
from yarl import URL

from packager.timing.ticks import MICROS
from tests.support.caches import Kind, cache
from tests.support.channel import GRID, LONG, QUICK, low, payload
from tests.support.paths_in import Client, State, connect, hot_port
from tests.support.site import SOON, Site, check, request, serving

ENDS = 1_000_000


def playlist(number: int, part: int | None = None, track: str = "v0") -> str:
    asked = f"_HLS_msn={number}" + ("" if part is None else f"&_HLS_part={part}")
    return f"{track}/index.m3u8?{asked}"


async def text_of(site: Site, path: str, status: int) -> str:
    answer = await site.ask(path)
    check(answer)
    assert answer.status == status, answer.body
    return answer.body.decode()


async def until_got(client: Client, data: bytes) -> None:
    """Return once `client` has received `data`, while more may be on its way."""
    while data not in client.got:
        client.drain()
        await asyncio.sleep(0)


async def test_a_playlist_is_held_until_it_has_the_part(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        first = await site.held(playlist(number, 0))
        second = await site.held(playlist(number, 1))
        whole = await site.held(playlist(number))
        made.chunk("v0", number, 0)
        answer = await first
        check(answer)
        assert f'URI="{number}.0.m4s"' in answer.body.decode()
        assert f'HINT:TYPE=PART,URI="{number}.1.m4s"' in answer.body.decode()
        assert answer.one("Cache-Control") == "public, max-age=180"
        assert not second.done()
        made.chunk("v0", number, 1)
        assert f'URI="{number}.1.m4s"' in (await second).body.decode()
        assert not whole.done()
        made.end("v0", number)
        assert f"\n{number}.m4s\n" in (await whole).body.decode()


@pytest.mark.parametrize("kind", ["nginx", "varnish"])
async def test_a_cache_sends_one_request_for_all_viewers(tmp_path: Path, kind: Kind) -> None:
    made = low(tmp_path / "data", LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(2 * SOON), AsyncExitStack() as stack:
        behind = cache(kind, tmp_path / "cache", [site.port], "9s", "503")
        port = await asyncio.to_thread(stack.enter_context, behind)
        base = f"http://127.0.0.1:{port}/live/tv/"

        async def ask(viewer: int, part: int) -> tuple[str, str]:
            url = f"{base}{playlist(number, part)}&CMCD=sid%3D{viewer}"
            async with site.session.get(URL(url, encoded=True)) as answer:
                assert answer.status == 200, await answer.text()
                return answer.headers["X-Cache"], await answer.text()

        viewers = [asyncio.create_task(ask(viewer, 0)) for viewer in range(20)]
        others = [asyncio.create_task(ask(viewer, 1)) for viewer in range(20)]
        for _ in range(20):
            await site.ask("/healthz")
        made.chunk("v0", number, 0)
        first = await asyncio.gather(*viewers)
        assert not any(task.done() for task in others)
        made.chunk("v0", number, 1)
        second = await asyncio.gather(*others)
        for found, part in ((first, 0), (second, 1)):
            assert [word for word, _ in found].count("MISS") == 1
            assert len({text for _, text in found}) == 1
            assert f'URI="{number}.{part}.m4s"' in found[0][1]


async def test_a_playlist_that_has_the_part_is_sent_at_once(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    newest = made.first + 2
    made.chunk("v0", newest + 1, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        plain = await text_of(site, "v0/index.m3u8", 200)
        for path in (
            playlist(5),
            playlist(newest),
            playlist(newest, 1),
            playlist(newest, 0),
            playlist(newest + 1, 0),
            # One more than there are is the first of the next.
            playlist(newest, 2),
            playlist(newest, 77),
            playlist(newest + 1, 0) + "&utm=1",
        ):
            assert await text_of(site, path, 200) == plain
        held = await site.held(playlist(newest + 1, 1))
        made.chunk("v0", newest + 1, 1)
        assert (await held).status == 200


async def test_invalid_reloads_are_refused_at_once(tmp_path: Path) -> None:
    made = low(tmp_path)
    newest = made.first + 2
    async with serving(made) as site, asyncio.timeout(SOON):
        for path, reason in (
            ("v0/index.m3u8?_HLS_part=1", "_HLS_part without _HLS_msn"),
            ("v0/index.m3u8?_HLS_msn=x", "_HLS_msn and _HLS_part are whole numbers"),
            ("v0/index.m3u8?_HLS_msn=-1", "_HLS_msn and _HLS_part are whole numbers"),
            (playlist(newest + 3), "the requested part is too far in the future"),
            (playlist(newest + 1, 9), "the requested part is too far in the future"),
            (playlist(newest + 10**9, 0), "the requested part is too far in the future"),
        ):
            assert (await text_of(site, path, 400)).strip() == reason
        answer = await site.ask(playlist(newest + 3))
        # Soon it is not too far any more.
        assert answer.one("Cache-Control") == "public, max-age=1"


async def test_a_stalled_encoder_holds_no_request_for_long(tmp_path: Path) -> None:
    made = low(tmp_path, QUICK)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        held = [await site.held(playlist(number, part)) for part in (0, 1, 0)]
        for asking in held:
            answer = await asking
            check(answer)
            assert answer.status == 503
            assert answer.one("Retry-After") == "1"
        made.chunk("v0", number, 0)
        assert (await site.until(playlist(number, 0))).status == 200


async def test_views_without_parts_ignore_reload_parameters(tmp_path: Path) -> None:
    made = low(tmp_path)
    at = GRID.micros(made.first) // MICROS + 1
    async with serving(made) as site, asyncio.timeout(SOON):
        for view in (f"from/{at}/", ""):
            file = "index.m3u8" if not view else "v0/index.m3u8"
            plain = await text_of(site, f"{view}{file}", 200)
            assert await text_of(site, f"{view}{file}?_HLS_msn=1&_HLS_part=77", 200) == plain
            assert "#EXT-X-PART" not in plain


async def test_a_hinted_part_is_sent_as_it_is_made(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        held = await site.held(f"v0/{number}.0.m4s")
        data = made.chunk("v0", number, 0)
        assert (await held).body == data


async def test_a_segment_is_sent_while_it_is_written(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    number = made.first + 3
    first = made.chunk("v0", number, 0)
    async with (
        hot_port(tmp_path, made.grid.micros(number + 1)) as way,
        asyncio.timeout(SOON),
    ):
        early, late = await connect(way), await connect(way)
        early.send(request(f"GET /live/tv/v0/{number}.m4s"))
        await until_got(early, first)
        assert b"Transfer-Encoding: chunked" in early.got
        assert b"Content-Length" not in early.got.replace(b"Headers: Content-Length", b"")
        made.chunk("v0", number, 1)
        late.send(request(f"GET /live/tv/v0/{number}.m4s"))
        await until_got(late, first)
        assert len(way.core.held) == 2
        made.end("v0", number)
        way.core.catch_up()
        for client in (early, late):
            await client.settle()
            assert client.got.endswith(b"\r\n0\r\n\r\n")
        # The connection is good for another request, and the segment is whole.
        early.got.clear()
        early.send(request(f"GET /live/tv/v0/{number}.m4s"))
        await early.settle()
        assert early.got.endswith(payload("v0", number, 0) + payload("v0", number, 1))
        assert len(way.core.held) == 0
        counted = way.core.responder.counters.of("tv", "segment", 200)
        assert (counted.requests, counted.body_bytes) == (
            3,
            3 * made.path("v0", number).stat().st_size,
        )
        early.close()
        late.close()


async def test_the_segment_after_the_one_that_is_being_written_is_held(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    number = made.first + 3
    made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        held = await site.held(f"v0/{number + 1}.m4s")
        assert (await site.ask(f"v0/{number + 2}.m4s")).status == 404
        made.chunk("v0", number, 1)
        made.end("v0", number)
        data = made.chunk("v0", number + 1, 0) + made.chunk("v0", number + 1, 1)
        made.end("v0", number + 1)
        assert (await held).body == data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_growing_segment_whatever_asks(tmp_path: Path, method: str) -> None:
    made = low(tmp_path, LONG)
    number = made.first + 3
    data = made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = asyncio.create_task(
            site.ask(f"v0/{number}.m4s", method, {"Range": "bytes=0-3", "If-None-Match": "*"})
        )
        if method == "GET":
            await site.until(f"v0/{number}.0.m4s")
            data += made.chunk("v0", number, 1)
            made.end("v0", number)
        answer = await asking
    assert answer.status == 200
    assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"
    assert answer.body == (data if method == "GET" else b"")


async def test_a_client_without_chunked_bodies_gets_the_whole_segment(tmp_path: Path) -> None:
    made = low(tmp_path, QUICK * 4)
    number = made.first + 3
    data = made.chunk("v0", number, 0)
    async with (
        hot_port(tmp_path, made.grid.micros(number + 1)) as way,
        asyncio.timeout(SOON),
    ):
        old = await connect(way)
        old.send(f"GET /live/tv/v0/{number}.m4s HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        while not len(way.core.held):
            await asyncio.sleep(0)
        # A request that waits makes no work: it causes no refusal.
        assert way.core.responder.load.making == 0
        data += made.chunk("v0", number, 1)
        made.end("v0", number)
        way.core.catch_up()
        assert await old.until_closed()
        head, _, body = bytes(old.got).partition(b"\r\n\r\n")
        assert body == data
        assert b"Content-Length: %d" % len(data) in head
        old.close()


async def test_a_client_without_chunked_bodies_waits_for_a_segment_that_begins_later(
    tmp_path: Path,
) -> None:
    made = low(tmp_path, QUICK * 4)
    number = made.first + 3
    async with (
        hot_port(tmp_path, made.grid.micros(number)) as way,
        asyncio.timeout(SOON),
    ):
        old = await connect(way)
        old.send(f"GET /live/tv/v0/{number}.m4s HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        while not len(way.core.held):
            await asyncio.sleep(0)
        data = made.chunk("v0", number, 0)
        way.core.catch_up()
        # Longer than the next segment is waited for where it does not begin.
        await asyncio.sleep(float(made.grid.duration))
        data += made.chunk("v0", number, 1)
        made.end("v0", number)
        way.core.catch_up()
        assert await old.until_closed()
        assert bytes(old.got).partition(b"\r\n\r\n")[2] == data
        old.close()


async def test_bytes_for_a_client_that_left_are_not_counted(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    number = made.first + 3
    first = made.chunk("v0", number, 0)
    async with (
        hot_port(tmp_path, made.grid.micros(number + 1)) as way,
        asyncio.timeout(SOON),
    ):
        stays, goes = await connect(way), await connect(way)
        for client in (stays, goes):
            client.send(request(f"GET /live/tv/v0/{number}.m4s"))
            await until_got(client, first)
        goes.close()
        while way.state(goes.peer) is not State.GONE:
            await asyncio.sleep(0)
        second = made.chunk("v0", number, 1)
        way.core.catch_up()
        while len(way.core.held) > 1:
            await asyncio.sleep(0)
        counted = way.core.responder.counters.of("tv", "segment", 200)
        assert counted.body_bytes == 2 * len(first) + len(second)
        stays.close()


async def test_a_slow_client_delays_no_other_and_a_segment_that_stops_growing_is_cut(
    tmp_path: Path,
) -> None:
    made = low(tmp_path, QUICK)
    number = made.first + 3
    made.chunk("v0", number, 0, size=3 * ENDS)
    async with (
        hot_port(tmp_path, made.grid.micros(number + 1)) as way,
        asyncio.timeout(SOON),
    ):
        slow, quick = await connect(way, receives=1 << 12), await connect(way)
        for client in (slow, quick):
            client.send(request(f"GET /live/tv/v0/{number}.m4s"))
        async with asyncio.timeout(SOON):
            while len(quick.got) < 3 * ENDS:
                quick.drain()
                await asyncio.sleep(0)
        # The segment stops growing: neither client gets all of it, nor the last chunk.
        assert await quick.until_closed()
        assert await slow.until_closed()
        assert not quick.got.endswith(b"\r\n0\r\n\r\n")
        assert len(slow.got) < len(quick.got)
        slow.close()
        quick.close()


async def test_a_channel_whose_edge_is_stale_is_another_origins(tmp_path: Path) -> None:
    made = low(tmp_path)
    number = made.first + 3
    made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        site.clock.advance_to(made.grid.micros(number + 30))
        for path in (playlist(number, 1), f"v0/{number}.m4s", f"v0/{number}.1.m4s"):
            assert (await site.ask(path)).status == 503


async def test_the_clock_is_a_date_and_nothing_else(tmp_path: Path) -> None:
    """A browser's Date.parse() takes no end of line: players would go by their own clock."""
    async with serving(low(tmp_path)) as site:
        time = await text_of(site, "time", 200)
    assert time.endswith("Z")
    assert datetime.fromisoformat(time).tzinfo is not None


# By device.


async def test_a_device_may_have_standard_latency(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    newest = made.first + 2
    made.chunk("v0", newest + 1, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        for _ in range(2):
            for device, parts in (("", True), ("as/720p/", True), ("as/standard/", False)):
                listed = await text_of(site, f"{device}v0/index.m3u8", 200)
                assert ("#EXT-X-PART:" in listed) == parts
                assert ("CAN-BLOCK-RELOAD" in listed) == parts
                mpd = await text_of(site, f"{device}index.mpd", 200)
                assert ("availabilityTimeOffset" in mpd) == parts
                assert ("SegmentTimeline" in mpd) != parts
        whole = await site.ask(f"v0/{newest}.m4s")
        assert f"\n../../../v0/{newest}.m4s\n" in listed
        assert "<Location>live.mpd</Location>" in mpd
        assert 'media="../../$RepresentationID$/$Number$.m4s"' in mpd
        assert whole.status == 200
        # What it does not list is not waited for.
        await text_of(site, f"as/standard/v0/index.m3u8?_HLS_msn={newest + 1}&_HLS_part=1", 200)


async def test_a_device_is_one_that_is_known(tmp_path: Path) -> None:
    made = low(tmp_path, LONG)
    async with serving(made) as site, asyncio.timeout(SOON):
        assert (await text_of(site, "as/nobodys/index.mpd", 404)).strip() == "no such device"
        await text_of(site, "as/nobodys/index.mpd?start=5", 404)
        await text_of(site, "as/No/index.mpd", 400)
        await text_of(site, f"as/standard/v0/{made.first}.m4s", 404)
        moved = await site.session.get(
            f"http://127.0.0.1:{site.port}/live/tv/as/standard/index.mpd?start=5",
            allow_redirects=False,
        )
        assert moved.status == 302
        assert moved.headers["Location"].startswith("/live/tv/as/standard/from/")
