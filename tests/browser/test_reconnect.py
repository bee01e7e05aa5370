"""An encoder that drops and comes back, as it was or as another: viewers go on by themselves."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.async_api import BrowserContext

from tests.browser.conftest import LADDER
from tests.browser.viewer import Viewer
from tests.support.encoder import Look, encoder
from tests.support.service import Service, fetch, free_port, service, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ENGINES = ("hls", "dash", "smooth")
KEY = "a-long-key-of-the-arena"
WITHIN = 30.0
"""Seconds from the encoder's return to a picture made after it."""
ON = 3.0
"""Seconds that have to be played after that."""
BEFORE = Look(pattern=True, size="640x360", gop=48)


@dataclass(frozen=True)
class Return:
    """How an encoder comes back."""

    look: Look
    away: float = 1.0
    """Seconds, about."""
    channel: str = "encoded"


RETURNS = {
    "timestamps restart": Return(BEFORE),
    "absurd timestamps, other size and frame rate": Return(
        Look(pattern=True, size="480x270", frame_rate="30", gop=60, offset=95_000)
    ),
    "no sound": Return(Look(pattern=True, size="640x360", gop=48, audio=False)),
    "other rate of sound, after a filler": Return(
        Look(pattern=True, size="640x360", gop=48, audio_rate=44_100), away=12.0, channel="filled"
    ),
    "passed through, other size and frame rate": Return(
        Look(pattern=True, size="480x270", frame_rate="30", gop=60), channel="passed"
    ),
}


_KEYS = {"encoded": 1, "passed": 2, "filled": 3}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Service]:
    channels = f"""
  encoded: {{source: {{type: rtmp, key: {KEY}-1}}, ladder: {LADDER}}}
  filled: {{source: {{type: rtmp, key: {KEY}-3}}, ladder: {LADDER}, loss: {{filler: slate}}}}
  passed: {{source: {{type: rtmp, key: {KEY}-2}}, ladder: passthrough}}
ingest: {{host: 127.0.0.1, rtmp_port: {port}}}
"""
    with service(tmp_path_factory.mktemp("arena"), channels) as started:
        wait_until(lambda: len(started.events("channel.state")) >= 3, "the channels wait")
        yield started


@pytest.mark.parametrize("name", RETURNS)
async def test_viewers_go_on_by_themselves(
    name: str,
    browser: BrowserContext,
    watching: str,
    arena: Service,
    port: int,
    measure: list[str],
) -> None:
    case = RETURNS[name]
    key = f"{KEY}-{_KEYS[case.channel]}"
    live = arena.live(case.channel)
    url = f"rtmp://127.0.0.1:{port}/live/{key}"
    viewers = [await Viewer.come(browser, watching, engine) for engine in ENGINES]
    with encoder(url, BEFORE):
        await asyncio.to_thread(_until_segments, live, 6)
        for viewer in viewers:
            await viewer.load(live)
        for viewer in viewers:
            assert await viewer.played(1, 20), (await viewer.report()).seen
    await asyncio.to_thread(_until_away, case.away)
    returned = time.time() * 1000
    with encoder(url, case.look):

        async def goes_on(viewer: Viewer) -> tuple[bool, bool]:
            past = await viewer.until(f"watch.shownAt() > {returned}", WITHIN)
            goal = returned + ON * 1000
            return past, past and await viewer.until(f"watch.shownAt() > {goal}", 3 * ON)

        went_on = await asyncio.gather(*map(goes_on, viewers))
        for viewer, (past, on) in zip(viewers, went_on, strict=True):
            report = await viewer.report()
            stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
            measure.append(f"back: {name:44} {viewer.engine:7} stalls [{stalls}] ms")
            assert past, f"{viewer.engine} stayed behind\n{report.seen}"
            assert on, f"{viewer.engine} stopped again\n{report.seen}"
            await viewer.page.close()


def _until_segments(live: str, count: int) -> None:
    """Until players have something to begin with, in each of the formats."""

    def there() -> bool:
        answers = [fetch(f"{live}/{file}") for file in ("index.m3u8", "index.ism/Manifest")]
        text = fetch(f"{live}/{_lead(live)}/index.m3u8").text
        return all(answer.status == 200 for answer in answers) and text.count(".m4s") >= count

    wait_until(there, "segments")


def _lead(live: str) -> str:
    return "v0" if live.endswith("/passed") else "360p"


def _until_away(seconds: float) -> None:
    """Until the encoder is away for so long."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "the encoder's return")
