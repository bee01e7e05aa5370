"""The encoder of a low-latency channel stalls: held requests are released, and players resume."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext

from tests.browser.viewer import LOW_LATENCY, Viewer
from tests.support.encoder import Encoder, Look, encoder
from tests.support.service import Service, free_port, service, wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.extended,
    pytest.mark.fault,
    pytest.mark.asyncio(loop_scope="session"),
]

CHANNEL = "pattern"
KEY = "a-key-of-the-stalled-encoder"
LOOK = Look(size="640x360", gop=48, pattern=True)
STALL = 33.0
"""Seconds. The listener closes the connection in that time, and the encoder has to reconnect."""
WITHIN = 60.0
"""Seconds from the encoder's return to playback."""
ON = 5.0
"""Seconds that a player has to play after that."""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def stalling(tmp_path: Path, port: int) -> Iterator[tuple[Service, Encoder]]:
    """A channel of an encoder that can be frozen."""
    channels = (
        f"  {CHANNEL}: {{source: {{type: rtmp, key: {KEY}}}, ladder: passthrough, latency: low}}\n"
        f"ingest: {{host: 127.0.0.1, rtmp_port: {port}}}\n"
    )
    with service(tmp_path, channels) as running:
        wait_until(lambda: '"waiting"' in running.log, "the packager")
        with encoder(f"rtmp://127.0.0.1:{port}/live/{KEY}", LOOK) as sending:
            running.wait_for_segments(CHANNEL, 5)
            yield running, sending


@pytest.mark.timeout(240)
async def test_players_resume_after_a_stall_of_the_encoder(
    browser: BrowserContext,
    watching: str,
    port: int,
    stalling: tuple[Service, Encoder],
    measure: list[str],
) -> None:
    running, sending = stalling
    viewers = [await Viewer.open(browser, watching, engine) for engine in LOW_LATENCY]
    for viewer in viewers:
        await viewer.load(running.live(CHANNEL), low=True, recovers=True)
    for viewer in viewers:
        assert await viewer.played(3, 20), (await viewer.report()).seen
    sending.freeze()
    await asyncio.sleep(STALL)
    sending.thaw()
    sending.process.wait(10)  # the listener has closed the connection
    with encoder(f"rtmp://127.0.0.1:{port}/live/{KEY}", LOOK):
        begun = [(await viewer.report()).time for viewer in viewers]
        came = await asyncio.gather(
            *(
                viewer.until(f"watch.time() > {since} + {ON}", WITHIN)
                for viewer, since in zip(viewers, begun, strict=True)
            )
        )
    for viewer, on in zip(viewers, came, strict=True):
        report = await viewer.report()
        stalls = ", ".join(f"{stall.ms:.0f}" for stall in report.stalls)
        measure.append(f"a stall of {STALL:.0f} s: {viewer.engine:10} stalls [{stalls}] ms")
        assert on, f"{viewer.engine} does not go on\n{report.seen}"
        await viewer.page.close()
