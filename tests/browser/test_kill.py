"""Whatever dies, viewers go on by themselves: nobody reloads a page."""

import asyncio
import re
import time
from datetime import datetime

import pytest
from playwright.async_api import BrowserContext

from tests.browser.viewer import PLAYERS, Viewer
from tests.support.service import Service, fetch, wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.fault,
    pytest.mark.asyncio(loop_scope="session"),
]

CHANNEL = "pattern"
TRACK = "360p"
OLD_ENOUGH = 12
"""Segments in the list: what it has when it is loaded stays dash.js's DVR window in Smooth, and
who is left before a smaller one by a hole is moved into the hole (docs/players.md)."""
WITHIN = 30.0
"""Seconds from the kill to a picture made after it."""
ON = 3.0
"""Seconds that have to be played after that."""

_DATE = "#EXT-X-PROGRAM-DATE-TIME:"


def playlist(service: Service) -> str:
    """The media playlist, or nothing while there is none to be had."""
    try:
        answer = fetch(f"{service.live(CHANNEL)}/{TRACK}/index.m3u8")
    except OSError:
        return ""
    return answer.text if answer.status == 200 else ""


def newest(service: Service) -> int:
    """The number of the newest segment; 0 while there is no playlist."""
    numbers = re.findall(r"^(\d+)\.m4s$", playlist(service), re.MULTILINE)
    return int(numbers[-1]) if numbers else 0


def wait_for_mid_segment(service: Service) -> int:
    """Until a segment has just begun: the kill leaves it short. Gives the newest whole one."""
    before = newest(service)
    edge = wait_until(lambda: max(newest(service) - before, 0) and newest(service), "a segment")
    begun = f"{service.live(CHANNEL)}/{TRACK}/{edge + 1}.0.m4s"
    wait_until(lambda: fetch(begun).status == 200, "the first chunk of the next", 5)
    return edge


def wait_for_growth(service: Service, edge: int) -> float:
    """Until two segments more are listed; gives the time (ms) that the last period starts at."""
    wait_until(lambda: newest(service) >= edge + 3, "segments after the kill", WITHIN)
    text = playlist(service)
    after = text.rpartition("#EXT-X-DISCONTINUITY\n")[2]
    date = next(line for line in after.splitlines() if line.startswith(_DATE))
    return datetime.fromisoformat(date.removeprefix(_DATE)).timestamp() * 1000


@pytest.mark.parametrize(
    "victims",
    [("ffmpeg",), ("packager",), ("origin",), ("ffmpeg", "packager", "origin")],
    ids="+".join,
)
async def test_viewers_go_on_by_themselves(
    victims: tuple[str, ...],
    browser: BrowserContext,
    watching: str,
    running: Service,
    measure: list[str],
) -> None:
    await asyncio.to_thread(running.wait_for_segments, CHANNEL, OLD_ENOUGH)
    viewers = [await Viewer.come(browser, watching, engine) for engine in PLAYERS]
    for viewer in viewers:
        await viewer.load(running.live(CHANNEL))
    for viewer in viewers:
        assert await viewer.played(1, 15), (await viewer.report()).seen

    edge = await asyncio.to_thread(wait_for_mid_segment, running)
    killed = time.time() * 1000
    running.kill(*victims)
    restarted = await asyncio.to_thread(wait_for_growth, running, edge)
    goal = max(killed, restarted)

    async def goes_on(viewer: Viewer) -> tuple[bool, bool]:
        past = await viewer.until(f"watch.shownAt() > {goal}", WITHIN)
        return past, past and await viewer.until(f"watch.shownAt() > {goal + ON * 1000}", 2 * ON)

    went_on = await asyncio.gather(*map(goes_on, viewers))
    for viewer, (past, on) in zip(viewers, went_on, strict=True):
        report = await viewer.report()
        stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
        measure.append(
            f"kill {'+'.join(victims):22} {viewer.engine:10} hole {(restarted - killed):+.0f} ms, "
            f"stalls [{stalls}] ms, errors {[fault.text[:60] for fault in report.errors]}, "
            f"refused {len(viewer.refused)}, latency {report.latency or 0:.1f} s"
        )
        assert past, f"{viewer.engine} stayed behind\n{report.seen}"
        assert on, f"{viewer.engine} stopped again\n{report.seen}"
        await viewer.page.close()
