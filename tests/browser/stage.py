"""The browser, and the server of the page that watches."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import font_roboto
from playwright.async_api import BrowserContext, async_playwright

from origin.runtime.control import players
from tests.browser.viewer import PAGE
from tests.paths import ROOT

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
FONT = font_roboto.RobotoMedium
"""The file of the font that the test pattern's clock is written in."""
PLAYER_RECOVERY = ROOT / "origin/page/player-recovery.js"
"""The script that helps a player to recover, as on the status page."""


class _Handler(SimpleHTTPRequestHandler):
    """The page, the pattern's font, the players that the origin would serve beside its page."""

    def translate_path(self, path: str) -> str:
        if path == "/pattern.ttf":
            return FONT
        if path == "/page/player-recovery.js":
            return str(PLAYER_RECOVERY)
        name = path.removeprefix("/players/")
        if name != path:
            return str(players.path_of(name) or PAGE / "missing")
        return super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Log no request."""


@contextmanager
def page_server() -> Iterator[str]:
    """Serve the page that watches players; yields its address."""
    missing = [name for name in players.FILES if players.path_of(name) is None]
    assert not missing, f"{missing} missing: run python -m origin.runtime.control.players"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=PAGE)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@asynccontextmanager
async def chromium(profile: Path) -> AsyncIterator[BrowserContext]:
    """A browser with its profile in the folder `profile`."""
    assert CHROMIUM.exists(), f"{CHROMIUM} is missing: run tests/system-packages"
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, args=ARGUMENTS
        )
        yield context
        await context.close()
