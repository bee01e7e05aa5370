"""The status page where the control port wants a token."""

from fractions import Fraction
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import BrowserContext

from origin.access.control_port import ControlGuard
from origin.runtime.control.api import ControlAccess, ControlHandlers
from origin.runtime.journal.follower import FollowedChannel
from packager.config.secret import Secret
from packager.timing.clock import SystemClock

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

TOKEN = "correct-horse-battery"


async def test_the_page_asks_for_the_token_once(browser: BrowserContext, tmp_path: Path) -> None:
    channel = FollowedChannel("tv", tmp_path / "tv", Fraction(60), Fraction(600))
    guard = ControlGuard("0.0.0.0", Secret(TOKEN.encode()))
    handlers = ControlHandlers({"tv": channel}, tmp_path, 1, SystemClock(), ControlAccess(guard))
    async with TestServer(handlers.application()) as server:
        page = await browser.new_page()
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        await page.goto(str(server.make_url("/")))
        field, known = (
            page.get_by_label("Control token"),
            page.locator("#channels a", has_text="tv"),
        )
        for wrong in ("short", "wrong-horse-battery"):
            await field.fill(wrong)
            await field.press("Enter")
        await page.get_by_text("That is not the control token.").wait_for()
        assert not await known.count()
        await field.fill(f" {TOKEN} ")
        await field.press("Enter")
        await known.wait_for()
        await page.reload()
        await known.wait_for()
        assert not await field.is_visible()
        await page.close()
        assert not failures
