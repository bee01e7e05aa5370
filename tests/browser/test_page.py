"""The status page, with its three players playing."""

import re

import pytest
from playwright.async_api import BrowserContext

from tests.paths import ROOT
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCREENSHOT = ROOT / "tests" / "out" / "status.png"
FORMATS = ("hls", "dash", "smooth")
LATENCY = re.compile(r"^[0-9]{1,2}\.[0-9] s$")


async def test_status_page_plays_all_formats(browser: BrowserContext, running: Service) -> None:
    page = await browser.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    page.on(
        "response",
        lambda answer: complaints.append(answer.url) if answer.status >= 400 else None,
    )
    await page.set_viewport_size({"width": 1400, "height": 1000})
    await page.goto(running.control)
    await page.get_by_role("button", name="Play all").click()
    for name in FORMATS:
        # The page's own policy forbids what wait_for_function does.
        card = page.locator(f"[data-player={name}][data-state=playing]")
        await card.wait_for(timeout=20_000)
        await card.locator("[data-stat=latency]", has_text=LATENCY).wait_for(timeout=20_000)
    await page.get_by_label("View").select_option("all that is kept")
    assert "/from/" in await page.get_by_role("textbox", name="HLS").input_value()
    await page.get_by_role("button", name="Play all").click()
    for name in FORMATS:
        await page.locator(f"[data-player={name}][data-state=playing]").wait_for(timeout=20_000)
    SCREENSHOT.parent.mkdir(exist_ok=True)
    await page.screenshot(path=SCREENSHOT, full_page=True)
    await page.close()
    assert not complaints
