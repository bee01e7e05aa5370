"""A browser, the page that watches a player, and the channels to play."""

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from tests.browser.stage import chromium, page_server
from tests.support import footage
from tests.support.service import Service, service

LADDER = Path(__file__).parent / "ladder.yaml"
SHORT = Path(__file__).parent / "ladder_short.yaml"
FEEDS = {"harbour": footage.harbour, "train": footage.train}
CHANNELS = ("pattern", *FEEDS)

MEASURED = "measured"
"""A property of a test: a line that the summary shows."""


@pytest.fixture(scope="session")
def watching() -> Iterator[str]:
    """The address of the page that watches."""
    with page_server() as address:
        yield address


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BrowserContext]:
    async with chromium(tmp_path_factory.mktemp("chromium")) as context:
        yield context


def source_of(name: str) -> str:
    """The source of a channel, in YAML's flow style."""
    if name in FEEDS:
        return f"{{type: file, file: {FEEDS[name]()}, loop: true}}"
    return "{type: pattern, width: 640, height: 360}"


@contextmanager
def on_air(folder: Path, name: str, options: str = "", ladder: Path = LADDER) -> Iterator[Service]:
    """One channel by itself: two cores carry its encoder and five players, but not three such.

    `options` are more of its configuration, in YAML's flow style.
    """
    folder.mkdir()
    with service(
        folder, f"  {name}: {{source: {source_of(name)}, ladder: {ladder}{options}}}"
    ) as running:
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
    request.node.user_properties += [(MEASURED, line) for line in lines]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "teardown"
        for name, value in report.user_properties
        if name == MEASURED
    ]
    if lines:
        terminalreporter.section("measured in the browser")
        for line in lines:
            terminalreporter.write_line(str(line))
