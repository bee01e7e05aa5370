"""Viewers play a view with a gap; a player that is refused at its start plays later."""

import asyncio
import re

import m3u8
import pytest
from playwright.async_api import BrowserContext, Route

from origin.urls.view import canonical, path_of
from packager.timing.grid import Grid
from tests.browser.viewer import PLAYERS, Viewer
from tests.support.event_orders import LADDER_SEGMENT
from tests.support.pattern_channel import (
    CHANNEL,
    TRACK,
    newest,
    wait_for_growth,
    wait_for_mid_segment,
)
from tests.support.service import Service, fetch

CHUNK = 0.48
"""Seconds."""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.extended,
    pytest.mark.fault,
    pytest.mark.asyncio(loop_scope="session"),
]


def stretch(running: Service) -> tuple[str, float]:
    """A view with a gap, and the seconds from its beginning to the gap."""
    edge = wait_for_mid_segment(running)
    running.kill("ffmpeg")
    wait_for_growth(running, edge)
    grid = Grid(LADDER_SEGMENT)
    view = path_of(canonical(grid.micros(edge - 1), grid.micros(edge + 4), grid)).rstrip("/")
    answer = fetch(f"{running.live(CHANNEL)}/{view}/{TRACK}/index.m3u8")
    assert answer.text.count("#EXT-X-DISCONTINUITY\n") == 1
    before, _, after = answer.text.partition("#EXT-X-DISCONTINUITY\n")
    first = m3u8.loads(before).segments
    assert first[0].program_date_time is not None
    begin = first[0].program_date_time.timestamp()
    hole = begin + sum(segment.duration for segment in first)
    beyond = m3u8.loads("#EXTM3U\n" + after).segments[0].program_date_time
    assert beyond is not None
    assert hole < beyond.timestamp()
    return view, hole - begin


def just_over(running: Service, count: int = 4) -> tuple[str, int]:
    """A view of `count` segments before the newest, and that one's number."""
    running.wait_for_segments(CHANNEL, count + 1)
    grid = Grid(LADDER_SEGMENT)
    last = newest(running)
    return path_of(canonical(grid.micros(last - count), grid.micros(last), grid)).rstrip("/"), last


async def test_a_later_viewer_plays_a_view_with_a_gap_to_its_end(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    view, hole = await asyncio.to_thread(stretch, running)
    # dash.js does not jump a gap within a period during a seek, and Smooth has only one period.
    # hls.js closes the gap; its audio still ends a little before it.
    into = {engine: hole for engine in PLAYERS if engine != "smooth"} | {"hls": hole - 0.03}
    for starts in (dict.fromkeys(PLAYERS), into):
        viewers = [await Viewer.open(browser, watching, engine) for engine in starts]
        for viewer in viewers:
            await viewer.load(running.live(CHANNEL), f"/{view}", starts[viewer.engine])
        for viewer in viewers:
            over = await viewer.until("watch.ended()", 60)
            report = await viewer.report()
            start = starts[viewer.engine]
            assert over, f"{viewer.engine} did not end, started at {start}\n{report.seen}"
            assert not report.errors or viewer.engine == "hls", report.seen
            assert viewer.refused == []
            await viewer.page.close()


async def test_a_start_in_an_audio_gap_goes_on_behind_it(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    view, last = await asyncio.to_thread(just_over, running)
    viewer = await Viewer.open(browser, watching, "hls")
    await viewer.page.route(re.compile(rf"/audio[^/]*/{last - 3}\.m4s"), only_the_first_chunk)
    await viewer.load(running.live(CHANNEL), f"/{view}", 1.5 * float(LADDER_SEGMENT))
    over = await viewer.until("watch.ended()", 30)
    report = await viewer.report()
    assert over, report.seen
    assert any("bufferSeekOverHole" in fault.text for fault in report.errors), report.seen
    await viewer.page.close()


async def only_the_first_chunk(route: Route) -> None:
    await route.continue_(url=route.request.url.replace(".m4s", ".0.m4s"))


async def test_hls_js_leaves_a_gap_after_a_segment_that_ends_early(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    """By itself hls.js loads the gap again and again: the playhead is in no segment."""
    view, last = await asyncio.to_thread(just_over, running, 8)
    viewer = await Viewer.open(browser, watching, "hls")

    async def two_are_gaps(route: Route) -> None:
        answer = await route.fetch()
        head, *entries = (await answer.text()).split("#EXTINF")
        entries[3] = f":{CHUNK}," + entries[3].partition(",")[2]
        for index in (3, 4):
            entries[index] += "#EXT-X-GAP\n"
        await route.fulfill(response=answer, body="#EXTINF".join([head, *entries]))

    await viewer.page.route(re.compile(rf"/{last - 5}\.m4s"), only_the_first_chunk)
    await viewer.page.route(re.compile(r"/(audio|\d+p)/index\.m3u8"), two_are_gaps)
    await viewer.load(running.live(CHANNEL), f"/{view}", recovers=True)
    into_the_gap = 3 * float(LADDER_SEGMENT) + 2 * CHUNK
    assert await viewer.until(f"watch.started() && watch.bufferedTo() > {into_the_gap + 4}", 30)
    await viewer.page.evaluate("at => watch.seek(at)", into_the_gap)
    over = await viewer.until("watch.ended()", 30)
    report = await viewer.report()
    assert over, report.seen
    assert any("fragGap" in fault.text for fault in report.errors), report.seen
    assert not any(event.name == "emptied" for event in report.events), report.seen
    await viewer.page.close()


def later(media: bytes, ticks: int) -> bytes:
    """A segment whose chunks all begin later (ISO/IEC 14496-12, 8.8.12: tfdt, version 1)."""
    head, *chunks = media.split(b"tfdt\x01\x00\x00\x00")
    moved = [
        (int.from_bytes(chunk[:8], "big") + ticks).to_bytes(8, "big") + chunk[8:]
        for chunk in chunks
    ]
    return b"tfdt\x01\x00\x00\x00".join([head, *moved])


async def test_an_audio_gap_too_small_to_jump_does_not_stop_playback(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    view, last = await asyncio.to_thread(just_over, running)

    async def three_frames_later(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=later(await answer.body(), 3 * 1024))

    for engine in ("hls", "shaka-hls"):
        viewer = await Viewer.open(browser, watching, engine)
        await viewer.page.route(re.compile(rf"/audio[^/]*/{last - 2}\.m4s"), three_frames_later)
        await viewer.load(running.live(CHANNEL), f"/{view}")
        over = await viewer.until("watch.ended()", 30)
        report = await viewer.report()
        assert over, f"{engine}\n{report.seen}"
        await viewer.page.close()


REFUSED = {"hls": "fatal", "dash": "text.startsWith('25 ')"}
"""Player -> JavaScript condition that recognises the error with which it gives up."""


@pytest.mark.parametrize("engine", REFUSED)
async def test_a_player_refused_at_its_start_plays_once_it_is_served(
    browser: BrowserContext, watching: str, running: Service, engine: str
) -> None:
    viewer = await Viewer.open(browser, watching, engine)
    await viewer.page.route(re.compile(r"/live/"), lambda route: route.fulfill(status=503))
    await viewer.load(running.live(CHANNEL), low=True, recovers=True)
    gives_up = f"watch.report().errors.some(({{ text, fatal }}) => {REFUSED[engine]})"
    assert await viewer.until(gives_up, 30), (await viewer.report()).seen
    await viewer.page.unroute(re.compile(r"/live/"))
    assert await viewer.until("watch.played() >= 1", 30), (await viewer.report()).seen
    await viewer.page.close()
