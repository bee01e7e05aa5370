"""After any process is killed, players resume without a reload of the page."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.browser.conftest import SHORT, on_air
from tests.browser.viewer import PLAYERS, Viewer
from tests.support.pattern_channel import (
    CHANNEL,
    WITHIN,
    wait_for_growth,
    wait_for_mid_segment,
)
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.extended,
    pytest.mark.fault,
    pytest.mark.asyncio(loop_scope="session"),
]

OLD_ENOUGH = 24
"""Segments in the list before a player loads it.

In Smooth, dash.js keeps the DVR window that it has at load. A gap can leave the playhead before a
smaller window, and dash.js then moves it into the gap (docs/players.md).
"""
ON = 3.0
"""Seconds that a player has to play after the kill."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The test pattern in short segments."""
    with on_air(tmp_path_factory.mktemp("kill") / CHANNEL, CHANNEL, ladder=SHORT) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewers(
    browser: BrowserContext, watching: str, running: Service
) -> AsyncIterator[list[Viewer]]:
    """Every player; none is loaded again after a kill."""
    await asyncio.to_thread(running.wait_for_segments, CHANNEL, OLD_ENOUGH)
    opened = [await Viewer.open(browser, watching, engine) for engine in PLAYERS]
    for viewer in opened:
        await viewer.load(running.live(CHANNEL), recovers=True)
    for viewer in opened:
        assert await viewer.played(1, 15), (await viewer.report()).seen
    yield opened
    for viewer in opened:
        await viewer.page.close()


@pytest.mark.parametrize(
    "victims",
    [("ffmpeg",), ("packager",), ("origin",), ("ffmpeg", "packager", "origin")],
    ids="+".join,
)
async def test_viewers_go_on_by_themselves(
    victims: tuple[str, ...], viewers: list[Viewer], running: Service, measure: list[str]
) -> None:
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
            f"stalls so far [{stalls}] ms, errors {len(report.errors)}, "
            f"refused {len(viewer.refused)}, latency {report.latency or 0:.1f} s"
        )
        assert past, f"{viewer.engine} stayed behind\n{report.seen}"
        assert on, f"{viewer.engine} stopped again\n{report.seen}"
