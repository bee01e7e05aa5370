"""A browser, the page that watches a player, and the channels to watch."""

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, async_playwright

from origin.runtime import players
from tests.browser.viewer import PAGE
from tests.paths import FEEDS
from tests.support.service import Service, service

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
]
LADDER = Path(__file__).parent / "ladder.yaml"
SOURCES = {
    "pattern": "{type: pattern, width: 640, height: 360}",
    "harbour": f"{{type: file, file: {FEEDS}/harbour-1080p25.ts, loop: true}}",
    "train": f"{{type: file, file: {FEEDS}/train-360p30.ts, loop: true}}",
}
CHANNELS = tuple(SOURCES)

measured = pytest.StashKey[list[str]]()
"""Lines that the summary shows."""


class _Handler(SimpleHTTPRequestHandler):
    """The page, and the players that the origin would serve beside its status page."""

    def translate_path(self, path: str) -> str:
        name = path.removeprefix("/players/")
        if name != path:
            return str(players.path_of(name) or PAGE / "missing")
        return super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def watching() -> Iterator[str]:
    """The address of the page that watches."""
    missing = [name for name in players.FILES if players.path_of(name) is None]
    assert not missing, f"{missing} missing: run python -m origin.runtime.players"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=PAGE)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    assert CHROMIUM.exists(), f"{CHROMIUM} is missing: run tests/system-packages"
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"), executable_path=CHROMIUM, args=ARGUMENTS
        )
        yield context
        await context.close()


@contextmanager
def on_air(folder: Path, name: str) -> Iterator[Service]:
    """One channel by itself: two cores carry its encoder and five players, but not three such."""
    folder.mkdir()
    with service(folder, f"  {name}: {{source: {SOURCES[name]}, ladder: {LADDER}}}") as running:
        running.wait_for_segments(name, 5)
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The test pattern, for the tests of one file."""
    with on_air(tmp_path_factory.mktemp("running") / "pattern", "pattern") as started:
        yield started


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if log := getattr(value, "log", ""):
                report.sections.append((f"log of {name}", log[-8000:]))
    return report


@pytest.fixture
def measure(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines to show in the summary."""
    lines: list[str] = []
    yield lines
    request.config.stash.setdefault(measured, []).extend(lines)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash.get(measured, [])
    if lines:
        terminalreporter.section("measured in the browser")
        for line in lines:
            terminalreporter.write_line(line)
