"""A file server for files that still grow, as ffmpeg's own low-latency DASH output needs it.

ffmpeg writes a segment to `NAME.tmp` and renames the complete file. A request for NAME before that
gets the bytes that exist, then each new piece (chunked transfer, RFC 9112 section 7.1).
"""

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

_LOOK = 0.005
"""Seconds between two checks of a growing file."""
_PATIENCE = 2.0
"""Seconds that a request for a future file is held."""
_OPEN = {"Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}

mimetypes.add_type("application/dash+xml", ".mpd")
mimetypes.add_type("video/iso.segment", ".m4s")


class _Files:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def time(self, _: web.Request) -> web.Response:
        """Send the clock, which the manifest refers to."""
        return web.Response(
            text=datetime.now(UTC).isoformat(timespec="milliseconds"), headers=_OPEN
        )

    async def file(self, request: web.Request) -> web.StreamResponse:
        """Send a file, complete or as it grows."""
        path = self._folder / request.match_info["name"]
        growing = path.with_name(f"{path.name}.tmp")
        for _ in range(int(_PATIENCE / _LOOK)):
            if path.exists() or growing.exists():
                break
            await asyncio.sleep(_LOOK)
        kind = {"Content-Type": mimetypes.guess_type(path.name)[0] or "application/octet-stream"}
        if path.suffix != ".m4s" or path.exists():
            if not path.exists():
                return web.Response(status=404, headers=_OPEN)
            return web.Response(body=path.read_bytes(), headers=_OPEN | kind)
        answer = web.StreamResponse(headers=_OPEN | kind)
        try:
            source = growing.open("rb")
        except FileNotFoundError:
            # The file was completed just now, or does not exist.
            whole = path.exists()
            body = path.read_bytes() if whole else b""
            return web.Response(status=200 if whole else 404, body=body, headers=_OPEN | kind)
        with source, suppress(ConnectionError):  # a player may close the connection early
            await answer.prepare(request)
            ended = False
            while True:
                # Checked before the read: the read gets all bytes from before the rename.
                ended = not growing.exists()
                while piece := source.read(1 << 16):
                    await answer.write(piece)
                if ended:
                    break
                await asyncio.sleep(_LOOK)
            await answer.write_eof()
        return answer


@asynccontextmanager
async def growing_files(folder: Path, port: int) -> AsyncIterator[str]:
    """Serve `folder` on a port of the loopback; give its address."""
    files = _Files(folder)
    app = web.Application()
    app.router.add_get("/live/peer/time", files.time)
    app.router.add_get("/live/peer/{name}", files.file)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/live/peer"
    finally:
        await runner.cleanup()
