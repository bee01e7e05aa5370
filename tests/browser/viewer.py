"""A viewer: one page of a real browser with one real player in it."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from playwright.async_api import BrowserContext, Page, Request, Response
from playwright.async_api import TimeoutError as TooLate

MANIFESTS = {
    "hls": "index.m3u8",
    "dash": "index.mpd",
    "smooth": "index.ism/Manifest",
    "shaka-hls": "index.m3u8",
    "shaka-dash": "index.mpd",
}
"""Player -> file of the manifest."""
PLAYERS = tuple(MANIFESTS)
LOW_LATENCY = tuple(player for player in PLAYERS if player != "smooth")
"""The players whose formats have low latency."""

PAGE = Path(__file__).parent / "page"


class Fault(msgspec.Struct, frozen=True):
    """An error that a player reported; `at` in milliseconds since its load."""

    at: float
    text: str
    fatal: bool
    time: float


class Event(msgspec.Struct, frozen=True):
    """An event of a player or its <video>."""

    at: float
    name: str
    detail: str
    time: float

    def __str__(self) -> str:
        return f"{self.at:6.0f} {self.time:.2f} {self.name} {self.detail}"


class Reading(msgspec.Struct, frozen=True):
    """One reading of the clock in the picture: glass-to-glass latency in milliseconds."""

    at: float
    latency: float | None
    """None: the clock could not be read."""
    timeline: float
    """The latency by the player's own timeline at that moment, in milliseconds."""


class Stall(msgspec.Struct, frozen=True):
    """The playhead stood still for `ms` milliseconds."""

    at: float
    ms: float
    time: float
    ahead: float
    """Seconds of media that the player held when it stopped."""


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """What the page saw: see page/watch.js."""

    at: float
    time: float
    paused: bool
    loaded_at: float
    started_at: float | None
    start_time: float | None
    errors: list[Fault]
    events: list[Event]
    stalls: list[Stall]
    seeks: int
    heights: list[int]
    looks: int
    moved: int
    loudest: float
    loud_blocks: int
    blocks: int
    flashes: list[float]
    beeps: list[float]
    buffered: list[tuple[float, float]]
    decoded: int
    dropped: int
    audio_bytes: int
    latency: float | None
    own_latency: float | None
    debug: str

    @property
    def seen(self) -> str:
        """The last events, errors and stalls, for the reader of a failure."""
        lines = [str(event) for event in self.events[-60:]]
        lines += [f"error {fault}" for fault in self.errors[-10:]]
        lines += [f"stall {stall}" for stall in self.stalls[-10:]]
        lines += [f"buffered {self.buffered} at {self.time}, {self.debug[:600]}"]
        return "\n".join(lines)


@dataclass
class Viewer:
    """A player in a page."""

    engine: str
    page: Page
    closely: bool = False
    """Whether it measures the sound and the flashes of the test pattern: that costs CPU."""
    refused: list[str] = field(default_factory=list)
    """Answers of 400 and above, and requests without an answer."""
    fetched: list[str] = field(default_factory=list)
    """URLs that were answered well."""

    @classmethod
    async def open(
        cls, context: BrowserContext, base: str, engine: str, *, closely: bool = False
    ) -> "Viewer":
        """Open the page and load the player's libraries."""
        viewer = cls(engine, await context.new_page(), closely)
        viewer.page.on("response", viewer._answered)
        viewer.page.on("requestfailed", viewer._failed)
        await viewer.page.goto(base)
        await viewer.page.evaluate("args => watch.prepare(...args)", [engine, closely])
        return viewer

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {response.url}")
        else:
            self.fetched.append(response.url)

    def _failed(self, request: Request) -> None:
        # A player cancels requests that it does not need any more: that is not a failure.
        if request.failure != "net::ERR_ABORTED":
            self.refused.append(f"{request.failure} {request.url}")

    async def load(
        self,
        channel: str,
        view: str = "",
        start: float | None = None,
        *,
        low: bool = False,
        recovers: bool = False,
    ) -> None:
        """Press play; `channel` is its address, `start` in seconds from the view's beginning.

        `low` sets the player up for low latency, `recovers` adds player-recovery.js.
        """
        url, clock = f"{channel}{view}/{MANIFESTS[self.engine]}", f"{channel}/time"
        flashes = self.closely and channel.endswith("/pattern")
        options = {"start": start, "low": low, "recovers": recovers}
        arguments = [self.engine, url, clock, flashes, options]
        await self.page.evaluate("args => watch.load(...args)", arguments)

    async def until(self, condition: str, seconds: float) -> bool:
        """Wait for a condition in the page; whether it became true in time."""
        try:
            await self.page.wait_for_function(condition, timeout=seconds * 1000, polling=100)
        except TooLate:
            return False
        return True

    async def started(self, seconds: float = 15) -> bool:
        """Wait until it plays."""
        return await self.until("watch.started()", seconds)

    async def played(self, media_seconds: float, within: float) -> bool:
        """Wait until the playhead has advanced by `media_seconds` since the start."""
        return await self.until(f"watch.played() >= {media_seconds}", within)

    async def heights(self) -> list[int]:
        """The renditions on offer, small to large."""
        return msgspec.convert(await self.page.evaluate("watch.heights()"), list[int])

    async def switch_to(self, height: int, seconds: float) -> bool:
        """Pick a rendition; whether the decoded picture became it in time."""
        await self.page.evaluate("height => watch.pick(height)", height)
        return await self.until(f"watch.height() === {height}", seconds)

    async def read_clock(self, height: int = 360) -> None:
        """From now on, read the clock of a test pattern that is so high at its source."""
        await self.page.evaluate("height => watch.readClock(height)", height)

    async def readings(self, seconds: float) -> list[Reading]:
        """Readings of the clock in the last `seconds`."""
        found = await self.page.evaluate("seconds => watch.readings(seconds)", seconds)
        return msgspec.convert(found, list[Reading])

    async def latencies(self, seconds: float) -> list[float]:
        """Milliseconds from the picture's making to its being shown, in the last `seconds`."""
        readings = await self.readings(seconds)
        return [reading.latency for reading in readings if reading.latency is not None]

    async def report(self) -> Report:
        """What it saw so far."""
        return msgspec.convert(await self.page.evaluate("watch.report()"), Report)
