"""Players resume by themselves after an encoder reconnects, with the same or other settings."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import m3u8
import pytest
from playwright.async_api import BrowserContext

from tests.browser.conftest import SHORT
from tests.browser.viewer import Viewer
from tests.support.encoder import Encoder, Look, encoder
from tests.support.service import Service, fetch, free_port, service, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

ENGINES = ("hls", "dash", "smooth")
KEY = "a-long-key-of-the-arena"
OLD_ENOUGH = 23.0
"""Seconds of media in the list before a player loads it: see test_kill.py."""
WITHIN = 30.0
"""Seconds from the encoder's return to a picture made after it."""
ON = 3.0
"""Seconds that a player has to play after that."""
BEFORE = Look(pattern=True, size="640x360", gop=48)


@dataclass(frozen=True)
class Return:
    """How an encoder reconnects."""

    name: str
    look: Look
    away: float = 1.0
    """Seconds, about."""


RETURNS = {
    "encoded": [
        Return("timestamps restart", BEFORE),
        Return(
            "absurd timestamps, other size and frame rate",
            Look(pattern=True, size="480x270", frame_rate="30", gop=60, offset=95_000),
        ),
        Return("no sound", Look(pattern=True, size="640x360", gop=48, audio=False)),
    ],
    "filled": [
        Return(
            "other rate of sound, after a filler",
            Look(pattern=True, size="640x360", gop=48, audio_rate=44_100),
            away=12.0,
        )
    ],
    "passed": [
        Return(
            "other size and frame rate", Look(pattern=True, size="480x270", frame_rate="30", gop=60)
        )
    ],
}
"""Channel -> how its encoder reconnects, in this order. No player is loaded again."""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Service]:
    channels = f"""
  encoded: {{source: {{type: rtmp, key: {KEY}-encoded}}, ladder: {SHORT}}}
  filled: {{source: {{type: rtmp, key: {KEY}-filled}}, ladder: {SHORT}, loss: {{filler: slate}}}}
  passed: {{source: {{type: rtmp, key: {KEY}-passed}}, ladder: passthrough}}
ingest: {{host: 127.0.0.1, rtmp_port: {port}}}
"""
    with service(tmp_path_factory.mktemp("arena"), channels) as started:
        wait_until(lambda: len(started.events("channel.state_changed")) >= 3, "the channels wait")
        yield started


@pytest.fixture(scope="module")
def encoders(arena: Service, port: int) -> Iterator[dict[str, Encoder]]:
    """The first encoder of each channel, once the channels are old enough."""
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(encoder(_address(port, name), BEFORE)) for name in RETURNS
        }
        wait_until(lambda: all(_is_old(arena.live(name)) for name in RETURNS), "old media", 60)
        yield running


@pytest.mark.parametrize("channel", RETURNS)
async def test_viewers_go_on_by_themselves(
    channel: str,
    browser: BrowserContext,
    watching: str,
    arena: Service,
    encoders: dict[str, Encoder],
    port: int,
    measure: list[str],
) -> None:
    viewers = [await Viewer.open(browser, watching, engine) for engine in ENGINES]
    for viewer in viewers:
        await viewer.load(arena.live(channel), recovers=True)
    for viewer in viewers:
        assert await viewer.played(1, 20), (await viewer.report()).seen
    encoders[channel].kill()
    for case in RETURNS[channel]:
        await asyncio.to_thread(_until_away, case.away)
        returned = time.time() * 1000
        with encoder(_address(port, channel), case.look):
            went_on = await asyncio.gather(*(_goes_on(viewer, returned) for viewer in viewers))
        for viewer, (past, on) in zip(viewers, went_on, strict=True):
            report = await viewer.report()
            stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
            measure.append(
                f"{channel}: {case.name:44} {viewer.engine:7} stalls so far [{stalls}] ms"
            )
            assert past, f"{case.name}: {viewer.engine} stayed behind\n{report.seen}"
            assert on, f"{case.name}: {viewer.engine} stopped again\n{report.seen}"
    for viewer in viewers:
        await viewer.page.close()


async def _goes_on(viewer: Viewer, returned: float) -> tuple[bool, bool]:
    """Whether it shows a picture made after `returned`, and whether it plays on after that."""
    past = await viewer.until(f"watch.shownAt() > {returned}", WITHIN)
    goal = returned + ON * 1000
    return past, past and await viewer.until(f"watch.shownAt() > {goal}", WITHIN)


def _address(port: int, channel: str) -> str:
    return f"rtmp://127.0.0.1:{port}/live/{KEY}-{channel}"


def _is_old(live: str) -> bool:
    """Whether the channel lists enough media, and Smooth has a manifest."""
    lead = "v0" if live.endswith("/passed") else "360p"
    listed = m3u8.loads(fetch(f"{live}/{lead}/index.m3u8").text).segments
    smooth = fetch(f"{live}/index.ism/Manifest").status
    return smooth == 200 and sum(segment.duration for segment in listed) >= OLD_ENOUGH


def _until_away(seconds: float) -> None:
    """Wait until the encoder has been away for so long."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= end, "the encoder's return")
