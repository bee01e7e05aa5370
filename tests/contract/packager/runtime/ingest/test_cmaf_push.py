"""CMAF that real encoders push over real connections, to segments in a store and a journal."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from imageio_ffmpeg import get_ffmpeg_exe

from packager.config.secret import Secret
from packager.errors import StoreError
from packager.layout import InitName, SegmentName
from packager.runtime.channel.pushed_ladder import feed_status
from packager.runtime.ingest.cmaf_push import CmafKeys, CmafReceiver, routes
from packager.runtime.storage.journal_writer import JournalWriter
from packager.runtime.storage.publisher import Publisher
from packager.timeline.health import holes
from packager.timeline.model import Timeline
from packager.timing.clock import SystemClock
from packager.timing.grid import Grid
from tests.paths import CORPUS

D = Fraction(48, 25)
GRID = Grid(D)
KEY = "a-key-that-nobody-may-see"
GOP = 48
PICTURE = [
    "-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", str(GOP),
    "-keyint_min", str(GOP), "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-threads", "1",
]  # fmt: skip
SOUND = ["-c:a", "aac", "-b:a", "96k"]
CMAF = ["-movflags", "+cmaf+delay_moov+frag_keyframe", "-f", "mp4", "-method", "PUT"]


@dataclass
class Site:
    """A channel that takes pushes."""

    folder: Path
    port: int
    publisher: Publisher
    intake: CmafReceiver
    work: asyncio.Task[None]

    @property
    def timeline(self) -> Timeline:
        return self.publisher.timeline

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/cmaf/{KEY}/{path}"

    def numbers(self, track: str) -> list[int]:
        found = self.timeline.tracks.get(track)
        return list(found.segments.every_number) if found else []

    def media(self, track: str) -> bytes:
        """A track as one file."""
        version = self.timeline.latest(track)
        assert version is not None
        folder = self.folder / track
        names = [str(SegmentName(number)) for number in self.numbers(track)]
        parts = [str(InitName(version.version)), *names]
        return b"".join((folder / name).read_bytes() for name in parts)


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    journal = JournalWriter(folder, "tv", D)
    publisher = Publisher("tv", folder, journal, makes_room=False)
    keys = CmafKeys()
    door = keys.add(Secret(KEY.encode()))
    app = web.Application()
    app.add_routes(routes(keys))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    intake = CmafReceiver("tv", publisher, SystemClock())
    work = asyncio.create_task(intake.run(door))
    await until(lambda: door.receiver is not None)
    try:
        yield Site(folder, runner.addresses[0][1], publisher, intake, work)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError, StoreError):
            await work
        await runner.cleanup()
        journal.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def first_number() -> int:
    """Of media that encoders sent a while ago: fast, since they need not wait for the clock."""
    return GRID.number_at_micros(round((time.time() - 20) * 1_000_000))


def offset(number: int) -> list[str]:
    return ["-output_ts_offset", f"{GRID.micros(number) / 1_000_000:.6f}"]


def inputs(seconds: float, rate: float = 0, *, sound: bool = True) -> list[str]:
    pace = ["-readrate", str(rate)] if rate else []
    picture = [*pace, "-f", "lavfi", "-i", f"testsrc2=size=160x90:rate=25:duration={seconds}"]
    tone = [*pace, "-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
    return [*picture, *(tone if sound else [])]


def per_track(made: Site, number: int, prefix: str, tracks: Sequence[str]) -> list[str]:
    """An output for each track, by the keyword of interface 1."""
    outputs: list[str] = []
    for track in tracks:
        sound = track.startswith("a")
        codec = ["-map", "1:a", *SOUND, "-frag_duration", "400000"] if sound else ["-map", "0:v"]
        scale = ["-vf", "scale=96:54"] if track == "v1" else []
        suffix = "cmfa" if sound else "cmfv"
        outputs += [*codec, *([] if sound else PICTURE), *scale, *offset(number), *CMAF]
        outputs.append(made.url(f"{prefix}Streams({track}.{suffix})"))
    return outputs


async def encoder(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", *arguments
    )


async def encode(*arguments: str) -> None:
    process = await encoder(*arguments)
    async with asyncio.timeout(60):
        assert await process.wait() == 0


async def decoded(data: bytes) -> tuple[str, str]:
    """The log of a decoder for a track, and the MD5 of its frames."""
    process = await asyncio.create_subprocess_exec(
        get_ffmpeg_exe(), "-hide_banner", "-loglevel", "warning", "-i", "pipe:0",
        "-f", "framemd5", "pipe:1",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate(data)
    return err.decode(), out.decode()


def frames(listing: str) -> int:
    return sum(not line.startswith("#") for line in listing.splitlines())


async def test_a_dash_muxer(tmp_path: Path) -> None:
    number = first_number()
    async with site(tmp_path) as made:
        await encode(
            *inputs(3 * float(D)), "-map", "0:v", "-map", "1:a", *PICTURE, *SOUND, *offset(number),
            "-f", "dash", "-method", "PUT", "-streaming", "1", "-ldash", "1", "-use_template", "1",
            "-use_timeline", "0", "-seg_duration", str(float(D)), "-frag_type", "every_frame",
            "-http_persistent", "1", "-window_size", "2", "-hls_playlist", "1",
            made.url("index.mpd"),
        )  # fmt: skip
        wanted = list(range(number, number + 3))
        await until(lambda: made.numbers("stream0") == made.numbers("stream1") == wanted)
        segments = made.timeline.tracks["stream0"].segments
        picture = made.timeline.track("stream0", 0)
        boundaries = [GRID.boundary(n, picture.timescale) for n in range(number, number + 3)]
        assert [segment.start for segment in segments] == boundaries
        assert picture.frame_rate == 25
        complaints, listing = await decoded(made.media("stream0"))
        assert complaints == ""
        assert frames(listing) == 3 * GOP


async def test_one_of_two_encoders_is_killed_and_nothing_is_missing(tmp_path: Path) -> None:
    number = first_number()
    tracks = ["v0", "v1", "audio"]
    async with site(tmp_path) as made:
        one = await encoder(*inputs(20, 4), *per_track(made, number, "a/", tracks))
        two = await encoder(*inputs(4 * float(D), 4), *per_track(made, number, "b/", tracks))
        await until(lambda: made.intake.request_count == 2 * len(tracks))
        await until(lambda: all(len(made.numbers(track)) >= 2 for track in tracks))
        one.kill()
        await one.wait()
        assert await two.wait() == 0
        wanted = list(range(number, number + 4))
        await until(lambda: all(made.numbers(track) == wanted for track in tracks))
        assert holes(made.timeline) == 0
        assert len(made.timeline.periods) == 1
        for track in tracks:
            complaints, listing = await decoded(made.media(track))
            assert complaints == ""
            assert track == "audio" or frames(listing) == 4 * GOP


async def test_a_rendition_that_one_encoder_lacks(tmp_path: Path) -> None:
    number = first_number()
    seconds = 3 * float(D)
    async with site(tmp_path) as made:
        await asyncio.gather(
            encode(*inputs(seconds), *per_track(made, number, "a/", ["v0"])),
            encode(*inputs(seconds), *per_track(made, number, "b/", ["v0", "v1", "audio"])),
        )
        wanted = list(range(number, number + 3))
        tracks = ["v0", "v1", "audio"]
        await until(lambda: all(made.numbers(track) == wanted for track in tracks))


async def test_a_late_rendition_is_filled_in(tmp_path: Path) -> None:
    number = first_number()
    seconds = 3 * float(D)
    async with site(tmp_path) as made:
        await encode(*inputs(seconds), *per_track(made, number, "", ["v0"]))
        await until(lambda: len(made.numbers("v0")) == 3)
        await encode(*inputs(seconds), *per_track(made, number, "", ["v1"]))
        await until(lambda: made.numbers("v1") == made.numbers("v0"))
        assert len(made.timeline.periods) == 1


async def test_an_encoder_without_utc(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        process = await encoder(
            *inputs(3 * float(D), 3), "-map", "0:v", *PICTURE, *CMAF,
            made.url("Streams(v0.cmfv)"), "-map", "1:a", *SOUND, "-frag_duration", "400000",
            *CMAF, made.url("Streams(audio.cmfa)"),
        )  # fmt: skip
        assert await process.wait() == 0
        await until(lambda: len(made.numbers("v0")) == len(made.numbers("audio")) == 3)
        assert len(made.timeline.periods) == 1
        start = made.timeline.tracks["v0"].segments[0].start
        assert start == GRID.boundary(made.numbers("v0")[0], made.timeline.track("v0", 0).timescale)


def pushed(name: str) -> tuple[bytes, bytes]:
    """An init section and the fragments after it."""
    data = (CORPUS / "cmaf" / f"{name}.mp4").read_bytes()
    at = 0
    while data[at + 4 : at + 8] != b"moov":
        at += int.from_bytes(data[at : at + 4])
    at += int.from_bytes(data[at : at + 4])
    return data[:at], data[at:]


async def ask(made: Site, method: str, path: str, data: bytes = b"") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, made.url(path), data=data) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_answers(tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    init, media = pushed("avc")
    other, _ = pushed("hevc")
    async with site(tmp_path) as made:
        assert await ask(made, method, "Streams(v.cmfv)") == (200, "")
        assert await ask(made, method, "index.mpd", b"<MPD/>") == (200, "")
        assert await ask(made, method, "master.m3u8", b"#EXTM3U") == (200, "")
        assert (await ask(made, "DELETE", "chunk-0-1.m4s"))[0] == 200
        assert (await ask(made, "GET", "chunk-0-1.m4s"))[0] == 405
        status, reason = await ask(made, method, "v/1.m4s", media)
        assert (status, reason) == (
            412,
            "send the CMAF header of this track before its fragments\n",
        )
        assert await ask(made, method, "v/init.mp4", init) == (200, "")
        assert await ask(made, method, "v/1.m4s", media) == (200, "")
        assert (await ask(made, method, "s.cmft", b""))[0] == 415
        assert (await ask(made, method, "Streams(s.cmfm)", b""))[0] == 415
        assert (await ask(made, method, "v/init.mp4", other))[0] == 400
        assert (await ask(made, method, "v/2.m4s", b"<html>what</html>"))[0] == 400
        assert (await ask(made, method, "v/2.m4s", media[:-1]))[0] == 400
        text = init.replace(b"avc1", b"wvtt")
        assert (await ask(made, method, "w/init.mp4", text))[0] == 415
        url = f"http://127.0.0.1:{made.port}/cmaf/another-key-than-that-one/v.cmfv"
        async with aiohttp.ClientSession() as client, client.request(method, url) as answer:
            assert answer.status == 403
    output = capsys.readouterr()
    assert KEY not in output.out + output.err


async def test_a_connection_that_breaks_within_a_body(tmp_path: Path) -> None:
    init, media = pushed("avc")
    async with site(tmp_path) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        head = f"PUT /cmaf/{KEY}/v.cmfv HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        body = init + media[: len(media) // 2]
        writer.write(head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n")
        await writer.drain()
        await until(lambda: made.intake.request_count == 1)
        writer.close()
        await until(lambda: made.intake.request_count == 0)
        assert not await reader.read()
        health = made.intake.health
        assert health.take_problem() == "127.0.0.1: the connection was lost within a body"
        status = feed_status(made.intake, is_live=False)
        assert (status.peer, status.connected) == ("127.0.0.1", False)


async def test_a_store_failure_ends_the_run(tmp_path: Path) -> None:
    init, media = pushed("avc")
    async with site(tmp_path) as made:
        (tmp_path / "v").write_bytes(b"in the way of a folder")
        work = made.work
        assert (await ask(made, "PUT", "v.cmfv", init + media))[0] == 200
        with pytest.raises(StoreError):
            await work
        assert (await ask(made, "PUT", "v.cmfv", init))[0] == 503


async def test_no_channel_at_work() -> None:
    keys = CmafKeys()
    key = Secret(KEY.encode())
    keys.add(key)
    app = web.Application()
    app.add_routes(routes(keys))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/cmaf/{KEY}/v.cmfv"
    async with aiohttp.ClientSession() as client:
        async with client.put(url) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        keys.remove(key)
        async with client.put(url) as answer:
            assert answer.status == 403
    await runner.cleanup()
