"""Viewers rewind to the beginning, and play across a kill, a hole and the end of an event."""

import asyncio
import re
import subprocess
import sys
from fractions import Fraction

import m3u8
import pytest
from playwright.async_api import BrowserContext, Route

from origin.view import canonical, path_of
from packager.ticks import Grid
from tests.browser.test_kill import CHANNEL, TRACK, newest, wait_for_growth, wait_for_mid_segment
from tests.browser.viewer import PLAYERS, Viewer
from tests.paths import ROOT
from tests.support.service import Service, fetch, wait_until

pytestmark = [
    pytest.mark.browser,
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
LADDER_SEGMENT = Fraction(48, 25)
VIDEO = "document.getElementById('video')"


def order(running: Service, *words: str) -> None:
    config = str(running.folder / "ringside.yaml")
    command = [sys.executable, "-m", "packager", "event", words[0], "-c", config, *words[1:]]
    subprocess.run(command, cwd=ROOT, check=True, timeout=30)


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
    viewers = [await Viewer.come(browser, watching, engine) for engine in PLAYERS]

    async def wants(viewer: Viewer, condition: str, seconds: float) -> None:
        came = await viewer.until(condition, seconds)
        seen = (await viewer.report()).seen
        assert came, f"{viewer.engine}: not {condition}\n{seen}\n{viewer.refused[-6:]}"

    for viewer in viewers:
        await viewer.load(running.live(CHANNEL), f"/event/{EVENT}")
    for viewer in viewers:
        await wants(viewer, "watch.played() >= 1", 20)
        await viewer.page.evaluate("watch.rewind()")
    for viewer in viewers:
        await wants(viewer, f"watch.shownAt() < {first + 4000}", 10)
    for viewer in viewers:
        await wants(viewer, f"watch.shownAt() > {restarted + 1000}", 60)
    await asyncio.to_thread(order, running, "end", CHANNEL, EVENT)
    for viewer in viewers:
        # Smooth's fragments lead on: whoever is watching stays with the channel.
        if viewer.engine != "smooth":
            await wants(viewer, "watch.ended()", 60)
        report = await viewer.report()
        stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
        measure.append(f"rewind {viewer.engine:10} stalls [{stalls}] ms, refused {viewer.refused}")
        # A long playlist is not fetched again for a line more.
        if (told := REFRESHED_BY.get(viewer.engine)) is not None:
            assert any(told in url for url in viewer.fetched), viewer.engine
        await viewer.page.close()


def stretch(running: Service) -> tuple[str, float]:
    """A view with a hole in it, and how many seconds after its beginning the hole begins."""
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


def just_over(running: Service) -> tuple[str, int]:
    """A view of the four segments before the newest, and that one's number."""
    grid = Grid(LADDER_SEGMENT)
    last = newest(running)
    return path_of(canonical(grid.micros(last - 4), grid.micros(last), grid)).rstrip("/"), last


async def test_a_stretch_with_a_hole_is_played_to_its_end_by_who_comes_later(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    view, hole = await asyncio.to_thread(stretch, running)
    # dash.js jumps no hole within a period while it seeks: Smooth has nothing else.
    # hls.js closes the hole; its sound still ends a little before it.
    into = {engine: hole for engine in PLAYERS if engine != "smooth"} | {"hls": hole - 0.03}
    for starts in (dict.fromkeys(PLAYERS), into):
        viewers = [await Viewer.come(browser, watching, engine) for engine in starts]
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


async def test_who_comes_where_the_sound_is_missing_goes_on_behind_it(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    view, last = await asyncio.to_thread(just_over, running)
    viewer = await Viewer.come(browser, watching, "hls")

    async def only_the_first_chunk(route: Route) -> None:
        await route.continue_(url=route.request.url.replace(".m4s", ".0.m4s"))

    await viewer.page.route(re.compile(rf"/audio[^/]*/{last - 3}\.m4s"), only_the_first_chunk)
    await viewer.load(running.live(CHANNEL), f"/{view}", 1.5 * float(LADDER_SEGMENT))
    over = await viewer.until("watch.ended()", 30)
    report = await viewer.report()
    assert over, report.seen
    assert any("bufferSeekOverHole" in fault.text for fault in report.errors), report.seen
    await viewer.page.close()


def later(media: bytes, ticks: int) -> bytes:
    """A segment whose chunks all begin later (ISO/IEC 14496-12, 8.8.12: tfdt, version 1)."""
    head, *chunks = media.split(b"tfdt\x01\x00\x00\x00")
    moved = [
        (int.from_bytes(chunk[:8], "big") + ticks).to_bytes(8, "big") + chunk[8:]
        for chunk in chunks
    ]
    return b"tfdt\x01\x00\x00\x00".join([head, *moved])


async def test_a_hole_in_the_sound_too_small_to_be_jumped_keeps_nobody_from_the_end(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    view, last = await asyncio.to_thread(just_over, running)

    async def three_frames_later(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=later(await answer.body(), 3 * 1024))

    for engine in ("hls", "shaka-hls"):
        viewer = await Viewer.come(browser, watching, engine)
        await viewer.page.route(re.compile(rf"/audio[^/]*/{last - 2}\.m4s"), three_frames_later)
        await viewer.load(running.live(CHANNEL), f"/{view}")
        over = await viewer.until("watch.ended()", 30)
        report = await viewer.report()
        assert over, f"{engine}\n{report.seen}"
        await viewer.page.close()


@pytest.mark.parametrize("far", [True, False])
async def test_who_is_refused_goes_on_where_they_were_or_at_live(
    browser: BrowserContext, watching: str, running: Service, *, far: bool
) -> None:
    """A page with steady.js: dash.js by itself asks no more."""
    await asyncio.to_thread(running.wait_for_segments, CHANNEL, 26, 70)
    edge = await asyncio.to_thread(newest, running)
    grid = Grid(LADDER_SEGMENT)
    begin = canonical(grid.micros(edge - 25), None, grid)
    viewer = await Viewer.come(browser, watching, "dash")
    await viewer.load(running.live(CHANNEL), f"/{path_of(begin).rstrip('/')}", low=True)
    assert await viewer.until("watch.played() >= 1", 20), (await viewer.report()).seen
    if far:
        await viewer.page.evaluate("watch.rewind()")
        back = f"watch.shownAt() < Date.now() - 40000 && {VIDEO}.readyState > 2"
        assert await viewer.until(back, 10), (await viewer.report()).seen
    asked = re.compile(r"\.(mpd|mpp|m4s)$")
    await viewer.page.route(asked, lambda route: route.fulfill(status=503))
    refused = "watch.report().errors.some(({ text }) => text.startsWith('25 '))"
    assert await viewer.until(refused, 60), (await viewer.report()).seen
    # What it has is played to its end.
    were = await viewer.page.evaluate("watch.bufferedTo() * 1000")
    assert await viewer.until(f"watch.shownAt() > {were - 1000}", 60), (await viewer.report()).seen
    await viewer.page.unroute(asked)
    # dash.js begins at live before it is sent back.
    goes_on = f"watch.shownAt() > {were + 5000}"
    is_far = "watch.shownAt() < Date.now() - 30000"
    where = f"{goes_on} && ({is_far}) === {str(far).lower()}"
    assert await viewer.until(where, 30), (await viewer.report()).seen
    await viewer.page.close()


REFUSED = {"hls": "fatal", "dash": "text.startsWith('25 ')"}
"""Player -> what tells of an error that it has given up."""


@pytest.mark.parametrize("engine", REFUSED)
async def test_who_is_refused_at_first_plays_once_there_is_something(
    browser: BrowserContext, watching: str, running: Service, engine: str
) -> None:
    viewer = await Viewer.come(browser, watching, engine)
    await viewer.page.route(re.compile(r"/live/"), lambda route: route.fulfill(status=503))
    await viewer.load(running.live(CHANNEL), low=True)
    gives_up = f"watch.report().errors.some(({{ text, fatal }}) => {REFUSED[engine]})"
    assert await viewer.until(gives_up, 30), (await viewer.report()).seen
    await viewer.page.unroute(re.compile(r"/live/"))
    assert await viewer.until("watch.played() >= 1", 30), (await viewer.report()).seen
    await viewer.page.close()


async def test_who_has_pressed_pause_is_left_alone(
    browser: BrowserContext, watching: str, running: Service
) -> None:
    viewer = await Viewer.come(browser, watching, "dash")
    await viewer.load(running.live(CHANNEL), low=True)
    assert await viewer.until("watch.played() >= 1", 20), (await viewer.report()).seen
    await viewer.page.route(re.compile(r"/live/"), lambda route: route.fulfill(status=503))
    assert await viewer.until(f"{VIDEO}.readyState < 3", 40), (await viewer.report()).seen
    await viewer.page.evaluate(f"{VIDEO}.pause()")
    await viewer.page.unroute(re.compile(r"/live/"))
    # Longer than one who stands still is left alone.
    await asyncio.sleep(10)
    assert await viewer.page.evaluate(f"{VIDEO}.paused"), (await viewer.report()).seen
    await viewer.page.close()
