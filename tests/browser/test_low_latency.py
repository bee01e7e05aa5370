"""Latency from glass to glass, measured by the clock in the picture."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.browser.conftest import on_air
from tests.browser.viewer import LOW_LATENCY, Viewer
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.extended,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

CHANNEL = "pattern"
SECONDS = 15.0
"""Seconds of playback to measure."""
NEAR = 4000
"""Milliseconds: half of what a viewer has with standard latency."""


@pytest.fixture(scope="module")
def low(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The test pattern with low latency."""
    folder = tmp_path_factory.mktemp("low") / CHANNEL
    with on_air(folder, CHANNEL, ", latency: low") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def viewers(
    browser: BrowserContext, watching: str, low: Service
) -> AsyncIterator[dict[str, Viewer]]:
    """Every player of low latency, all at the same time."""
    opened = {engine: await Viewer.open(browser, watching, engine) for engine in LOW_LATENCY}
    for viewer in opened.values():
        await viewer.read_clock()
        await viewer.load(low.live(CHANNEL), low=True)
    yield opened
    for viewer in opened.values():
        await viewer.page.close()


@pytest.mark.parametrize("engine", LOW_LATENCY)
async def test_the_picture_is_seconds_old(
    viewers: dict[str, Viewer], engine: str, measure: list[str]
) -> None:
    viewer = viewers[engine]
    assert await viewer.started(), (await viewer.report()).seen
    assert await viewer.played(SECONDS, 2 * SECONDS), (await viewer.report()).seen
    latencies = await viewer.latencies(SECONDS / 2)
    report = await viewer.report()
    stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
    measure.append(
        f"low latency {engine:10} {median(latencies):.0f} ms, stalls [{stalls}] ms, "
        f"refused {len(viewer.refused)}"
    )
    assert 0 < median(latencies) < NEAR, report.seen
    # By DASH a segment may be asked for before the one before it has begun: Shaka does.
    assert viewer.refused == [] or "dash" in engine, report.seen


STANDARD = {
    "Smooth": ("smooth", ""),
    "start-over": ("hls", "/from/{eight_seconds_ago}"),
    "HLS, a device of standard latency": ("hls", "/as/standard"),
    "DASH, a device of standard latency": ("dash", "/as/standard"),
}
"""View without low latency -> player, path."""


async def test_views_without_low_latency_get_whole_segments(
    browser: BrowserContext, watching: str, low: Service
) -> None:
    async def watch(engine: str, view: str) -> None:
        viewer = await Viewer.open(browser, watching, engine)
        await viewer.load(low.live(CHANNEL), view.format(eight_seconds_ago=int(time.time()) - 8))
        assert await viewer.played(3, 20), (await viewer.report()).seen
        assert not [url for url in viewer.fetched if "_HLS_msn" in url]
        await viewer.page.close()

    await asyncio.gather(*(watch(engine, view) for engine, view in STANDARD.values()))
