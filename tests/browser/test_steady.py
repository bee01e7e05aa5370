"""steady.js, where a real player comes only once in many evenings."""

import pytest
from playwright.async_api import BrowserContext

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STAND = """
async ([at, ranges]) => {
  const { steadyDash } = await import("/page/steady.js");
  const told = [];
  const buffered = {
    length: ranges.length,
    start: (i) => ranges[i][0],
    end: (i) => ranges[i][1],
  };
  const video = { currentTime: at, readyState: 2, paused: false, ended: false, buffered };
  const player = {
    isReady: () => true,
    getSource: () => "index.mpd",
    getDvrWindow: () => ({ end: 1000 }),
    on: () => {},
    attachSource: (url) => told.push(["attach", url]),
    seekToPresentationTime: (time) => told.push(["seek", time]),
  };
  const leave = steadyDash(player, video, { MediaPlayer: { errors: {}, events: {} } });
  await new Promise((resolve) => setTimeout(resolve, 5500));
  leave();
  return told;
}
"""
"""What a dash.js that stands still is told within five seconds."""


@pytest.mark.parametrize(
    ("at", "ranges", "told"),
    [
        # As it stood: half a picture before a hole that it had been sent to by a seek.
        (818.66, [[818.56, 818.71], [820.5, 897.3]], [["seek", 820.6]]),
        # In the hole.
        (819.5, [[818.56, 818.71], [820.5, 897.3]], [["seek", 820.6]]),
        # There is enough to play, or nothing to go on with: it is given more time.
        (818.66, [[818.56, 819.71], [820.5, 897.3]], []),
        (818.66, [[818.56, 818.71]], []),
        (818.66, [], []),
    ],
)
async def test_who_stands_before_a_hole_is_sent_behind_it(
    browser: BrowserContext,
    watching: str,
    at: float,
    ranges: list[list[float]],
    told: list[list[str | float]],
) -> None:
    page = await browser.new_page()
    await page.goto(watching)
    said = await page.evaluate(STAND, [at, ranges])
    # The stand-in stays where it is.
    assert said[:1] == told
    await page.close()
