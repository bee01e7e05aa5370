"""Every player starts and plays every channel with video and audio, and switches renditions."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import product
from statistics import median

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.browser.conftest import CHANNELS, on_air
from tests.browser.viewer import PLAYERS, Report, Stall, Viewer
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.asyncio(loop_scope="session")]


def with_channels(channels: Iterable[str], engines: Iterable[str]) -> pytest.MarkDecorator:
    """Each engine on each channel; `make test` has the pattern alone."""
    cases = [
        pytest.param(channel, engine, marks=[] if channel == "pattern" else [pytest.mark.extended])
        for channel, engine in product(channels, engines)
    ]
    return pytest.mark.parametrize(("channel", "engine"), cases)


every_player_on_every_channel = with_channels(CHANNELS, PLAYERS)

PLAY = 20.0
"""Least seconds that each player plays."""
START_MS = 3000
PATIENCE = 30.0
"""Seconds until the picture is of another rendition."""
HELD = 0.3
"""Seconds. A player that stops with more media than this waits for the machine, not for media."""
LONGEST_MS = 3000
"""The longest that a busy machine may keep a player with media from playing."""
FRAME_RATE = 25
SKEW_MS = 80
"""As coarse as a browser measures."""
NEVER = float("inf")


@dataclass(frozen=True)
class Evening:
    """The measurements of one viewer of a channel."""

    report: Report
    refused: list[str]
    fetched: list[str]
    starts: list[float]
    """Milliseconds from load to playing, of each attempt."""
    offered: list[int]
    """Heights."""
    switched: dict[int, bool]
    """Whether the picture became the one picked."""
    log: str
    """The log of packager and origin."""

    @property
    def seconds(self) -> float:
        """Wall time from the start to the report."""
        return (self.report.at - (self.report.started_at or NEVER)) / 1000

    @property
    def stalls(self) -> list[Stall]:
        """The stalls caused by missing media."""
        return [stall for stall in self.report.stalls if stall.ahead < HELD]


Evenings = Callable[[str], Awaitable[dict[str, Evening]]]


async def settle(
    context: BrowserContext, watching: str, engine: str, url: str
) -> tuple[Viewer, list[float]]:
    """Start a player; a slow start gets a second try: the machine may have been slow."""
    starts: list[float] = []
    while True:
        viewer = await Viewer.open(context, watching, engine, closely=True)
        await viewer.load(url)
        await viewer.started()
        started = (await viewer.report()).started_at
        starts.append(NEVER if started is None else started)
        if starts[-1] < START_MS or len(starts) == 2:
            return viewer, starts
        await viewer.page.close()


async def stay(viewer: Viewer, starts: list[float], running: Service) -> Evening:
    """Play, go down to the smallest rendition and up to the largest."""
    offered: list[int] = []
    switched: dict[int, bool] = {}
    if starts[-1] < NEVER:
        await viewer.played(4, 10)
        offered = await viewer.heights()
        switched[offered[0]] = await viewer.switch_to(offered[0], PATIENCE)
        await viewer.played(11, 12)
        switched[offered[-1]] = await viewer.switch_to(offered[-1], PATIENCE)
        await viewer.played(PLAY, PLAY)
    report = await viewer.report()
    await viewer.page.close()
    return Evening(report, viewer.refused, viewer.fetched, starts, offered, switched, running.log)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def evenings(
    browser: BrowserContext, watching: str, tmp_path_factory: pytest.TempPathFactory
) -> Evenings:
    """The measurements of all players, which play a channel at the same time, once."""
    had: dict[str, dict[str, Evening]] = {}

    async def together(channel: str, running: Service) -> dict[str, Evening]:
        # Players start one after another, so that no start disturbs the measurement of another.
        door = asyncio.Lock()

        async def one(engine: str) -> Evening:
            async with door:
                viewer, starts = await settle(browser, watching, engine, running.live(channel))
            return await stay(viewer, starts, running)

        return dict(zip(PLAYERS, await asyncio.gather(*map(one, PLAYERS)), strict=True))

    async def get(channel: str) -> dict[str, Evening]:
        if channel not in had:
            with on_air(tmp_path_factory.mktemp("play") / channel, channel) as running:
                had[channel] = await together(channel, running)
        return had[channel]

    return get


@pytest_asyncio.fixture(loop_scope="session")
async def evening(evenings: Evenings, channel: str, engine: str) -> Evening:
    return (await evenings(channel))[engine]


@every_player_on_every_channel
async def test_starts_within_three_seconds(
    evening: Evening, channel: str, engine: str, measure: list[str]
) -> None:
    report = evening.report
    starts = ", ".join(f"{start:.0f}" for start in evening.starts)
    measure.append(
        f"{channel:8} {engine:10} start {starts} ms, latency {report.latency or 0:.1f} s "
        f"(its own word: {report.own_latency or 0:.1f}), "
        f"frames {report.decoded} ({report.dropped} dropped), stalls {evening.stalls}"
    )
    assert min(evening.starts) < START_MS, report.seen


@every_player_on_every_channel
async def test_plays_on(evening: Evening) -> None:
    report = evening.report
    come = report.time - (report.start_time or 0)
    assert come >= PLAY, report.seen
    stood = sum(stall.ms for stall in report.stalls) / 1000
    assert evening.seconds - stood - 2 < come < evening.seconds + 1, report.seen
    assert not evening.stalls, report.seen
    assert all(stall.ms < LONGEST_MS for stall in report.stalls), report.seen
    assert not report.seeks, report.seen


@every_player_on_every_channel
async def test_picture_moves(evening: Evening) -> None:
    report = evening.report
    assert report.decoded > 0.9 * FRAME_RATE * evening.seconds
    assert report.looks > 2 * PLAY
    # A camera holds still now and then.
    assert report.moved > 0.6 * report.looks, f"{report.moved} of {report.looks}"


@every_player_on_every_channel
async def test_sounds(evening: Evening, channel: str) -> None:
    report = evening.report
    assert report.audio_bytes > 0
    if channel == "pattern":
        assert len(report.beeps) >= PLAY - 2
    else:
        assert report.loud_blocks > 0.5 * report.blocks > 0
    assert report.loudest > 0.05


@every_player_on_every_channel
async def test_no_player_reports_an_error(evening: Evening) -> None:
    # hls.js reports a stop of some milliseconds too.
    errors = [fault for fault in evening.report.errors if "bufferStalledError" not in fault.text]
    assert not errors, evening.report.seen
    assert not evening.stalls, evening.report.seen
    assert not evening.refused, evening.report.seen


@every_player_on_every_channel
async def test_switches_down_and_up(evening: Evening) -> None:
    assert evening.offered == [180, 270, 360]
    assert evening.switched == {180: True, 360: True}, evening.report.seen


@every_player_on_every_channel
async def test_is_a_few_segments_behind(evening: Evening) -> None:
    assert evening.report.latency is not None
    assert 3 < evening.report.latency < 13, evening.report.seen


@with_channels(CHANNELS, ["dash"])
async def test_reads_the_clock_of_the_origin(evening: Evening) -> None:
    assert any(url.endswith("/time") for url in evening.fetched), evening.report.seen


@with_channels(["pattern"], PLAYERS)
async def test_sound_is_in_step(
    evening: Evening, channel: str, engine: str, measure: list[str]
) -> None:
    report = evening.report
    nearest = [
        min((beep - flash for beep in report.beeps), key=abs, default=NEVER)
        for flash in report.flashes
    ]
    skews = [skew for skew in nearest if abs(skew) < 500]
    assert len(skews) > PLAY / 2, f"{len(report.flashes)} flashes, {len(report.beeps)} beeps"
    skew = median(skews)
    measure.append(f"{channel:8} {engine:10} beep {skew:+.0f} ms after the flash")
    assert abs(skew) < SKEW_MS
