"""An origin of live HLS: the segments of a file, revealed one after the other."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.support.receivers import ffmpeg_sends

SEGMENT = 1
"""Seconds."""
_WINDOW = 6
_SECONDS = 40


def cut(folder: Path) -> None:
    """Two video variants and a separate audio rendition, in segments of a second."""
    picture = "testsrc2=size=160x90:rate=25"
    outputs = (("high", "0:v", "200k"), ("low", "0:v", "50k"), ("sound", "1:a", "0"))
    words = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", "sine"]
    for name, track, rate in outputs:
        (folder / name).mkdir()
        coding = ("-c:v", "libx264", "-preset", "ultrafast", "-b:v", rate, "-g", "25")
        words += ["-map", track, "-t", str(_SECONDS), *(coding if rate != "0" else ("-c:a", "aac"))]
        words += ["-f", "hls", "-hls_time", str(SEGMENT), "-hls_list_size", "0"]
        words += ["-hls_segment_filename", f"{folder}/{name}/%d.ts", f"{folder}/{name}/all.m3u8"]
    subprocess.run(ffmpeg_sends(*words), check=True)


MULTIVARIANT = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="sound/index.m3u8?token=tell-nobody"
#EXT-X-STREAM-INF:BANDWIDTH=60000,AUDIO="a",CODECS="avc1.42c00b,mp4a.40.2"
low/index.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=260000,AUDIO="a",CODECS="avc1.42c00b,mp4a.40.2"
high/index.m3u8?token=tell-nobody
"""


class Origin:
    """The served files can be changed at any time."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.texts: dict[str, str] = {"index.m3u8": MULTIVARIANT}
        """By path: a response that replaces the file."""
        self.asked: list[str] = []
        self.stopped: int | None = None
        """The number of segments; None while the playlist grows."""
        self.down = False
        self._began = asyncio.get_running_loop().time() - (_WINDOW + 1) * SEGMENT

    def media(self) -> str:
        """The current media playlist."""
        elapsed = asyncio.get_running_loop().time() - self._began
        there = min(int(elapsed / SEGMENT), _SECONDS) if self.stopped is None else self.stopped
        first = max(there - _WINDOW, 0)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SEGMENT}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{first}")
        for number in range(first, there):
            lines += [f"#EXTINF:{SEGMENT},", f"{number}.ts"]
        return "\n".join([*lines, ""])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix("/")
        self.asked.append(path)
        if self.down:
            return web.Response(status=503)
        if path.startswith("moved/"):
            raise web.HTTPFound(f"/{path.removeprefix('moved/')}")
        if path.startswith("round/"):
            raise web.HTTPFound(f"/{path}")
        if path in self.texts:
            return web.Response(text=self.texts[path])
        if path.endswith("/index.m3u8"):
            return web.Response(text=self.media())
        file = self.folder / path
        return web.FileResponse(file) if file.is_file() else web.Response(status=404)


@asynccontextmanager
async def origin(folder: Path, port: int) -> AsyncIterator[Origin]:
    """Serve the output of `cut` in `folder`."""
    served = Origin(folder, f"http://127.0.0.1:{port}")
    application = web.Application()
    application.router.add_get("/{path:.*}", served.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield served
    finally:
        await runner.cleanup()
