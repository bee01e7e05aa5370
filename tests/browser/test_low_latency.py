"""Low latency as a viewer has it: by the clock in the picture."""

import time
from collections.abc import Iterator
from statistics import median

import pytest
from playwright.async_api import BrowserContext

from tests.browser.conftest import on_air
from tests.browser.viewer import LOW_LATENCY, Viewer
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

CHANNEL = "pattern"
SECONDS = 15.0
"""Of watching, once it plays."""
NEAR = 4000
"""Milliseconds: half of what a viewer has with standard latency."""


@pytest.fixture(scope="module")
def low(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The test pattern with low latency."""
    folder = tmp_path_factory.mktemp("low") / CHANNEL
    with on_air(folder, CHANNEL, ", latency: low") as running:
        yield running


@pytest.mark.parametrize("engine", LOW_LATENCY)
async def test_the_picture_is_seconds_old(
    browser: BrowserContext, watching: str, low: Service, engine: str, measure: list[str]
) -> None:
    viewer = await Viewer.come(browser, watching, engine)
    await viewer.read_clock()
    await viewer.load(low.live(CHANNEL), low=True)
    assert await viewer.started(), (await viewer.report()).seen
    assert await viewer.played(SECONDS, 2 * SECONDS), (await viewer.report()).seen
    latencies = await viewer.latencies(SECONDS / 2)
    report = await viewer.report()
    stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
    measure.append(
        f"low latency {engine:10} {median(latencies):.0f} ms, stalls [{stalls}] ms, "
        f"refused {len(viewer.refused)}"
    )
    await viewer.page.close()
    assert median(latencies) < NEAR, report.seen
    # By DASH a segment may be asked for before the one before it has begun: Shaka does.
    assert viewer.refused == [] or "dash" in engine, report.seen


async def test_who_does_not_ask_for_it_has_the_same_as_ever(
    browser: BrowserContext, watching: str, low: Service
) -> None:
    """Smooth, a start-over, a device with standard latency: of the same media, without a part."""
    for engine, view in (
        ("smooth", ""),
        ("hls", f"/from/{int(time.time()) - 8}"),
        ("hls", "/as/standard"),
        ("dash", "/as/standard"),
    ):
        viewer = await Viewer.come(browser, watching, engine)
        await viewer.load(low.live(CHANNEL), view)
        assert await viewer.played(3, 20), (await viewer.report()).seen
        assert not [url for url in viewer.fetched if "_HLS_msn" in url]
        await viewer.page.close()
