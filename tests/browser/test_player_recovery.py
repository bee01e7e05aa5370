"""player-recovery.js in states that a real player reaches only once in many hours."""

from collections.abc import Sequence

import msgspec
import pytest
from playwright.async_api import BrowserContext

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

Ranges = list[list[float]]
Calls = list[list[str | float]]
Gaps = Sequence[dict[str, float]]
"""Start and end of segments that a playlist calls gaps."""

VIDEO = """
  const checks = [];
  globalThis.setInterval = (check, _, ...args) => checks.push(() => check(...args));
  const calls = [];
  const video = {
    readyState: 2,
    paused: false,
    ended: false,
    buffered: {
      length: ranges.length,
      start: (i) => ranges[i][0],
      end: (i) => ranges[i][1],
    },
    get currentTime() { return at; },
    set currentTime(time) { calls.push(["seek", time]); },
  };
"""
STANDS = {
    "dash": """
  const player = {
    isReady: () => true,
    getSource: () => "index.mpd",
    getDvrWindow: () => ({ end: 1000 }),
    on: () => {},
    attachSource: (url) => calls.push(["attach", url]),
    seekToPresentationTime: (time) => calls.push(["seek", time]),
  };
  recovery.recoverDash(player, video, { MediaPlayer: { errors: {}, events: {} } });
""",
    "hls": """
  class Hls {
    static Events = { ERROR: "error" };
    static ErrorTypes = {};
    static ErrorDetails = { FRAG_GAP: "fragGap" };
    media = video;
    levels = [{}];
    on(event, handle) {
      if (event !== "error") return;
      for (const { start, end } of gaps) {
        handle(event, { details: "fragGap", frag: { start, end, duration: end - start } });
      }
    }
    recoverMediaError() { calls.push(["attach"]); }
  }
  recovery.recoverHls(new Hls());
""",
}
"""Engine -> script: a player that is stalled, under recovery."""
SCRIPT = """
async ([at, ranges, gaps, seconds]) => {
  const recovery = await import("/page/player-recovery.js");
%s
  for (let second = 0; second < seconds; second += 1) checks.forEach((check) => check());
  return calls;
}
"""
"""Script: the calls that a stalled player gets, one check a second."""
SECONDS = 5


async def calls_of(
    engine: str,
    at: float,
    ranges: Ranges,
    browser: BrowserContext,
    watching: str,
    seconds: int = SECONDS,
    gaps: Gaps = (),
) -> Calls:
    """The calls that a player gets in so many seconds at `at` with these buffered ranges.

    hls.js has reported these `gaps`.
    """
    page = await browser.new_page()
    await page.goto(watching)
    script = SCRIPT % (VIDEO + STANDS[engine])
    found = await page.evaluate(script, [at, ranges, gaps, seconds])
    await page.close()
    return msgspec.convert(found, Calls)


@pytest.mark.parametrize("engine", STANDS)
@pytest.mark.parametrize(
    ("at", "ranges", "calls"),
    [
        # A seen case: half a frame before a gap, after a seek to the gap.
        (818.66, [[818.56, 818.71], [820.5, 897.3]], [["seek", 820.6]]),
        # There is enough media to play, or no media behind the gap: the script waits.
        (818.66, [[818.56, 819.71], [820.5, 897.3]], []),
        (818.66, [[818.56, 818.71]], []),
        (818.66, [], []),
    ],
)
async def test_a_player_stalled_before_a_gap_seeks_behind_it(
    browser: BrowserContext, watching: str, engine: str, at: float, ranges: Ranges, calls: Calls
) -> None:
    found = await calls_of(engine, at, ranges, browser, watching)
    # The stand-in stays where it is.
    assert found[:1] == calls


@pytest.mark.parametrize(("engine", "calls"), [("dash", [["seek", 820.6]]), ("hls", [])])
async def test_in_a_gap_dash_js_alone_needs_a_seek(
    browser: BrowserContext, watching: str, engine: str, calls: Calls
) -> None:
    """hls.js loads media there: a viewer may have sought to it."""
    ranges = [[818.56, 818.71], [820.5, 897.3]]
    found = await calls_of(engine, 819.5, ranges, browser, watching)
    assert found[:1] == calls


@pytest.mark.parametrize(
    ("gap", "calls"),
    [
        # A seen case: hls.js steps 0.1 s forward at the end of its buffer, and is in the gap.
        ({"start": 48.32, "end": 49.28}, [["seek", 50.58]]),
        # The segment before ended early.
        ({"start": 49.2, "end": 50.16}, [["seek", 50.58]]),
        # The gap is elsewhere: a viewer has sought to media that has to be loaded.
        ({"start": 49.44, "end": 50.4}, []),
        ({"start": 47.36, "end": 48.32}, []),
    ],
)
async def test_hls_js_leaves_a_gap_of_the_playlist(
    browser: BrowserContext, watching: str, gap: dict[str, float], calls: Calls
) -> None:
    ranges = [[48.28, 48.322666], [50.48, 80.24]]
    found = await calls_of("hls", 48.352307, ranges, browser, watching, gaps=[gap])
    assert found[:1] == calls


async def test_hls_js_is_attached_again_ever_less_often_while_it_stands(
    browser: BrowserContext, watching: str
) -> None:
    """Seen: after a seek back hls.js holds its audio for video of the live edge."""
    once: Calls = [["attach"]]
    ranges = [[15.84, 23.52]]
    for seconds, calls in ((8, []), (9, once), (24, once), (25, 2 * once), (57, 3 * once)):
        assert await calls_of("hls", 0.1, ranges, browser, watching, seconds) == calls
