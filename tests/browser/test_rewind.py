"""Viewers rewind to the beginning, and play across a kill, refusals and the end of an event."""

import asyncio
import re

import m3u8
import pytest
from playwright.async_api import BrowserContext

from origin.urls.view import canonical, path_of
from packager.timing.grid import Grid
from tests.browser.viewer import PLAYERS, Viewer
from tests.support.event_orders import LADDER_SEGMENT, order
from tests.support.pattern_channel import (
    CHANNEL,
    TRACK,
    newest,
    wait_for_growth,
    wait_for_mid_segment,
)
from tests.support.service import Service, fetch, wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.extended,
    pytest.mark.fault,
    pytest.mark.asyncio(loop_scope="session"),
]

EVENT = "night"
REFRESHED_BY = {
    "hls": "_HLS_skip=",
    "shaka-hls": "_HLS_skip=",
    "dash": ".mpp",
    "shaka-dash": ".mpp",
}
VIDEO = "document.getElementById('video')"


def first_instant(running: Service) -> float:
    """When the event's first picture was made, in milliseconds since the epoch."""
    url = f"{running.live(CHANNEL)}/event/{EVENT}/{TRACK}/index.m3u8"
    answer = wait_until(lambda: (found := fetch(url)).status == 200 and found, "the event")
    date = m3u8.loads(answer.text).segments[0].program_date_time
    return date.timestamp() * 1000


async def test_an_event_is_played_from_its_beginning_to_its_end(
    browser: BrowserContext, watching: str, running: Service, measure: list[str]
) -> None:
    await asyncio.to_thread(order, running, "start", CHANNEL, EVENT, "--at", "2001-01-01T00:00:00Z")
    first = await asyncio.to_thread(first_instant, running)
    edge = await asyncio.to_thread(wait_for_mid_segment, running)
    running.kill("ffmpeg")
    restarted = await asyncio.to_thread(wait_for_growth, running, edge)
    viewers = [await Viewer.open(browser, watching, engine) for engine in PLAYERS]

    async def wants(viewer: Viewer, condition: str, seconds: float) -> None:
        came = await viewer.until(condition, seconds)
        seen = (await viewer.report()).seen
        assert came, f"{viewer.engine}: not {condition}\n{seen}\n{viewer.refused[-6:]}"

    for viewer in viewers:
        await viewer.load(running.live(CHANNEL), f"/event/{EVENT}", recovers=True)
    for viewer in viewers:
        await wants(viewer, "watch.played() >= 1", 20)
        await viewer.page.evaluate("watch.rewind()")
        await wants(viewer, f"watch.shownAt() < {first + 4000}", 30)
    for viewer in viewers:
        await wants(viewer, f"watch.shownAt() > {restarted + 1000}", 60)
    await asyncio.to_thread(order, running, "end", CHANNEL, EVENT)
    for viewer in viewers:
        # Smooth's fragments name the next ones, so that a player stays with the channel.
        if viewer.engine != "smooth":
            await wants(viewer, "watch.ended()", 60)
        report = await viewer.report()
        stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
        measure.append(f"rewind {viewer.engine:10} stalls [{stalls}] ms, refused {viewer.refused}")
        # A long playlist is not fetched again for a line more.
        if (told := REFRESHED_BY.get(viewer.engine)) is not None:
            assert any(told in url for url in viewer.fetched), viewer.engine
        await viewer.page.close()


@pytest.mark.parametrize("far", [True, False])
async def test_after_refusals_a_player_resumes_where_it_was_or_at_live(
    browser: BrowserContext, watching: str, running: Service, *, far: bool
) -> None:
    """The page has player-recovery.js: without it dash.js sends no more requests."""
    await asyncio.to_thread(running.wait_for_segments, CHANNEL, 26, 70)
    edge = await asyncio.to_thread(newest, running)
    grid = Grid(LADDER_SEGMENT)
    begin = canonical(grid.micros(edge - 25), None, grid)
    viewer = await Viewer.open(browser, watching, "dash")
    await viewer.load(
        running.live(CHANNEL), f"/{path_of(begin).rstrip('/')}", low=True, recovers=True
    )
    assert await viewer.until("watch.played() >= 1", 20), (await viewer.report()).seen
    if far:
        await viewer.page.evaluate("watch.rewind()")
        back = f"watch.shownAt() < Date.now() - 40000 && {VIDEO}.readyState > 2"
        assert await viewer.until(back, 30), (await viewer.report()).seen
    asked = re.compile(r"\.(mpd|mpp|m4s)$")
    await viewer.page.route(asked, lambda route: route.fulfill(status=503))
    refused = "watch.report().errors.some(({ text }) => text.startsWith('25 '))"
    assert await viewer.until(refused, 60), (await viewer.report()).seen
    # The buffered media is played to its end.
    were = await viewer.page.evaluate("watch.bufferedTo() * 1000")
    assert await viewer.until(f"watch.shownAt() > {were - 1000}", 60), (await viewer.report()).seen
    await viewer.page.unroute(asked)
    # dash.js begins at live before it is sent back.
    goes_on = f"watch.shownAt() > {were + 5000}"
    is_far = "watch.shownAt() < Date.now() - 30000"
    where = f"{goes_on} && ({is_far}) === {str(far).lower()}"
    assert await viewer.until(where, 30), (await viewer.report()).seen
    await viewer.page.close()


async def test_a_paused_player_stays_paused(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    viewer = await Viewer.open(browser, watching, "dash")
    await viewer.load(running.live(CHANNEL), low=True, recovers=True)
    assert await viewer.until("watch.played() >= 1", 20), (await viewer.report()).seen
    await viewer.page.route(re.compile(r"/live/"), lambda route: route.fulfill(status=503))
    assert await viewer.until(f"{VIDEO}.readyState < 3", 40), (await viewer.report()).seen
    await viewer.page.evaluate(f"{VIDEO}.pause()")
    await viewer.page.unroute(re.compile(r"/live/"))
    # Longer than the recovery waits before it moves a stalled player.
    await asyncio.sleep(10)
    assert await viewer.page.evaluate(f"{VIDEO}.paused"), (await viewer.report()).seen
    await viewer.page.close()
