"""Players play a harvested event to its end from a plain file server."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from packager.timing.grid import Grid
from packager.timing.ticks import iso8601
from tests.browser.viewer import PLAYERS, Viewer
from tests.paths import ROOT
from tests.support.event_orders import LADDER_SEGMENT, order
from tests.support.file_server import file_server
from tests.support.pattern_channel import CHANNEL, newest, wait_for_growth, wait_for_mid_segment
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

EVENT = "reaped"


def harvest(running: Service, out: Path) -> None:
    """Harvest an event that spans a kill of ffmpeg."""
    edge = wait_for_mid_segment(running)
    running.kill("ffmpeg")
    wait_for_growth(running, edge)
    grid = Grid(LADDER_SEGMENT)
    times = "--at", iso8601(grid.micros(edge - 1)), "--end", iso8601(grid.micros(newest(running)))
    order(running, "start", CHANNEL, EVENT, *times)
    config = str(running.folder / "ringside.yaml")
    command = [sys.executable, "-m", "packager", "harvest", EVENT, "-c", config, "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=30)


async def test_a_harvest_is_played_to_its_end(
    browser: BrowserContext, watching: str, running: Service, tmp_path: Path, measure: list[str]
) -> None:
    await asyncio.to_thread(harvest, running, tmp_path / "reaped")
    running.stop()
    with file_server(tmp_path / "reaped") as base:
        # There is no Smooth without an origin.
        engines = [engine for engine in PLAYERS if engine != "smooth"]
        viewers = [await Viewer.open(browser, watching, engine, closely=True) for engine in engines]
        for viewer in viewers:
            await viewer.load(base)
        for viewer in viewers:
            over = await viewer.until("watch.ended()", 60)
            report = await viewer.report()
            assert over, f"{viewer.engine} did not end\n{report.seen}\n{viewer.refused}"
            assert report.moved > 0, viewer.engine
            assert report.loudest > 0, viewer.engine
            # hls.js names the hole, and goes on behind it.
            assert not report.errors or viewer.engine == "hls", report.seen
            assert viewer.refused == [], viewer.engine
            stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
            measure.append(f"harvest {viewer.engine:10} stalls [{stalls}] ms")
            await viewer.page.close()
