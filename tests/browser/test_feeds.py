"""Feeds on the status page."""

from fractions import Fraction
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import BrowserContext

from origin.runtime.control.api import ControlHandlers
from origin.runtime.journal.follower import FollowedChannel
from packager.timing.clock import SystemClock
from tests.support.status import ADVICE, FED, PLAYED, write_status

REPORTED = "192.0.2.7:50312|6.12 Mbit/s|25|2.40 s|-35 ms|+12 ppm|7|5|1|40 ms|3"
NONE = "\N{EN DASH}|"
pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]


async def test_feeds_are_shown_where_there_are_any(browser: BrowserContext, tmp_path: Path) -> None:
    channels: dict[str, FollowedChannel] = {}
    for name, status in (("fight", FED), ("harbour", PLAYED)):
        write_status(tmp_path / name, status)
        channels[name] = FollowedChannel(name, tmp_path / name, Fraction(60), Fraction(600))
    handlers = ControlHandlers(channels, tmp_path, 1, SystemClock())
    async with TestServer(handlers.application()) as server:
        page = await browser.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto(str(server.make_url("/#fight")))
        rows = page.locator("#feeds tbody tr")
        await rows.nth(1).wait_for()
        shown = [
            "|".join(await row.locator("th, td").all_inner_texts()) for row in await rows.all()
        ]
        assert shown == [
            f"source 1 (rtmp)|on air|{REPORTED}",
            f"source 2 (srt on port 9000)|away|{6 * NONE}0|0|0|{NONE}0",
        ]
        assert await page.locator("#advice li").all_inner_texts() == [f"source 1 (rtmp): {ADVICE}"]
        await page.get_by_role("link", name="harbour").click()
        await page.get_by_role("heading", name="harbour").wait_for()
        assert await page.locator("#feeds-part").is_hidden()
        await page.close()
        assert not failures
