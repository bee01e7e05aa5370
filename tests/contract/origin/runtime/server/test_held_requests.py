import asyncio
from pathlib import Path

import pytest

from packager.timeline.records import SourceEnded
from packager.timing.clock import monotonic
from tests.support.channel import FIRST, LONG, QUICK, channel, packager, payload
from tests.support.made_feeds import START
from tests.support.site import SOON, check, serving


async def test_the_next_segment_is_held_until_it_is_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.m4s")
        made.whole(number, "v0")
        answer = await asking
    check(answer)
    assert answer.status == 200
    assert answer.body == payload("v0", number, 0) + payload("v0", number, 1)
    assert answer.one("Cache-Control") == "public, max-age=31536000, immutable"


async def test_a_held_request_is_answered_as_soon_as_the_journal_has_the_media(
    tmp_path: Path,
) -> None:
    made = channel(tmp_path, LONG)
    waited = 0.0
    async with serving(made) as site, asyncio.timeout(2 * SOON):
        for number in range(made.first + 3, made.first + 8):
            asking = await site.held(f"v0/{number}.m4s")
            made.whole(number, "v0")
            since = monotonic()
            assert (await asking).status == 200
            waited += monotonic() - since
    # A look once a second, for want of word from the kernel, would take five.
    assert waited < 2.5


async def test_the_next_chunk_is_held_until_it_is_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.1.m4s")
        data = made.chunk("v0", number, 1)
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_the_first_chunk_of_a_segment_is_held_until_it_is_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    made.chunk("v0", number, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number + 1}.0.m4s")
        made.chunk("v0", number, 1)
        made.end("v0", number)
        data = made.chunk("v0", number + 1, 0)
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_the_next_chunk_of_a_channel_s_first_segment_is_held(tmp_path: Path) -> None:
    made = packager(tmp_path, LONG)
    made.begin(0, made.first)
    made.chunk("v0", made.first, 0)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{made.first}.1.m4s")
        data = made.chunk("v0", made.first, 1)
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_bytes_without_a_record_are_not_there(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    data = payload("v0", number, 0)
    made.store.append("v0", number, [data])
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.0.m4s")
        made.note(made.record("v0", number, 0))
        answer = await asking
    assert (answer.status, answer.body) == (200, data)


async def test_another_track_s_segment_releases_nothing(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{number}.m4s")
        made.whole(number, "a0")
        await site.until(f"a0/{number}.m4s")
        assert not asking.done()
        made.whole(number, "v0")
        assert (await asking).status == 200


async def test_many_are_held_and_released_together(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(2 * SOON):
        asking = await asyncio.gather(*(site.held(f"v0/{number}.m4s") for _ in range(80)))
        assert (await site.ask(f"v0/{made.first}.m4s")).status == 200
        made.whole(number, "v0")
        answers = await asyncio.gather(*asking)
    assert {answer.status for answer in answers} == {200}
    assert len({(answer.body, answer.tag) for answer in answers}) == 1


async def test_a_client_that_leaves_while_held_affects_no_other(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        leaving, staying = await site.held(f"v0/{number}.m4s"), await site.held(f"v0/{number}.m4s")
        leaving.cancel()
        assert (await site.ask("/healthz")).status == 200
        made.whole(number, "v0")
        assert (await staying).status == 200


@pytest.mark.parametrize(
    ("cdn", "kept"), [("generic", "public, max-age=1"), ("cloudfront", "no-store")]
)
async def test_a_segment_that_is_not_written_is_404_after_half_a_segment(
    tmp_path: Path, cdn: str, kept: str
) -> None:
    made = channel(tmp_path, QUICK)
    made.chunk("v0", made.first + 3, 0)
    async with serving(made, cdn) as site:
        for file in (f"v0/{made.first + 3}.m4s", f"v0/{made.first + 3}.1.m4s"):
            since = monotonic()
            answer = await site.ask(file)
            assert answer.status == 404
            assert QUICK / 2 * 9 / 10 <= monotonic() - since < SOON
            assert answer.one("Cache-Control") == kept


async def test_half_a_segment_is_counted_from_the_request(tmp_path: Path) -> None:
    made = channel(tmp_path, 5 * QUICK)
    number = made.first + 3
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = asyncio.create_task(site.ask(f"v0/{number}.m4s"))
        while not asking.done():
            made.chunk("a0", number, 0, 10)
            await asyncio.sleep(0.01)
        assert asking.result().status == 404


@pytest.mark.parametrize("file", ["v0/{}.m4s", "v0/{}.1.m4s"])
async def test_segments_further_in_the_future_are_404_at_once(tmp_path: Path, file: str) -> None:
    made = channel(tmp_path, LONG)
    async with serving(made) as site, asyncio.timeout(SOON):
        answer = await site.ask(file.format(made.first + 4))
    assert (answer.status, answer.one("Cache-Control")) == (404, "public, max-age=1")


async def test_nothing_follows_the_end(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    made.note(SourceEnded(START))
    async with serving(made) as site, asyncio.timeout(SOON):
        assert (await site.ask(f"v0/{made.first + 3}.m4s")).status == 404


async def test_the_end_of_a_channel_releases_held_requests(tmp_path: Path) -> None:
    made = channel(tmp_path, LONG)
    async with serving(made) as site, asyncio.timeout(SOON):
        asking = await site.held(f"v0/{made.first + 3}.m4s")
        made.note(SourceEnded(START))
        assert (await asking).status == 404


async def test_segments_that_left_the_retention_are_gone(tmp_path: Path) -> None:
    made = channel(tmp_path)
    async with serving(made) as site:
        assert (await site.ask(f"v0/{FIRST}.m4s")).status == 200
        made.trim(FIRST + 1)
        gone = await site.until(f"v0/{FIRST}.m4s", 410)
        assert gone.one("Cache-Control") == "public, max-age=60"
        assert (await site.ask(f"v0/{FIRST}.0.m4s")).status == 410
        assert (await site.ask(f"v0/{FIRST + 1}.m4s")).status == 200


@pytest.mark.parametrize(
    ("cdn", "kept"), [("generic", "public, max-age=2"), ("cloudfront", "no-store")]
)
async def test_a_hole_is_404(tmp_path: Path, cdn: str, kept: str) -> None:
    made = channel(tmp_path)
    made.begin(1, FIRST + 6)
    made.whole(FIRST + 6)
    async with serving(made, cdn) as site:
        answer = await site.ask(f"v0/{FIRST + 4}.m4s")
    assert (answer.status, answer.one("Cache-Control")) == (404, kept)
