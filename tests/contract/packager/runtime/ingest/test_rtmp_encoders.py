"""Real encoders publish to the RTMP server; a decoder reads the received media."""

import asyncio
import re
import shutil
from pathlib import Path

import imageio_ffmpeg
import pytest
from structlog.testing import capture_logs

from packager.runtime.ingest.tls import server_context
from tests.support.rtmp import KEY
from tests.support.rtmp_site import OTHER, Site, Taken, reasons, self_signed, site, until

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
PATIENCE = 60.0
"""Seconds for a program to be done."""
FRAMES = 25
INPUTS = "-f lavfi -i testsrc2=s=160x90:r=25 -f lavfi -i sine=r=48000 -t 1"
X264 = "-c:v libx264 -preset ultrafast -bf 2 -g 10"
AAC = "-c:a aac -b:a 64k"


async def run(*command: str | Path, data: bytes = b"", good: bool = True) -> tuple[str, str]:
    """The standard output and the standard error of a program."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(PATIENCE):
            output, complaint = await process.communicate(data)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode == 0) == good, complaint.decode(errors="replace")
    return output.decode(), complaint.decode(errors="replace")


async def ffmpeg(arguments: str, url: str, *, good: bool = True) -> str:
    command = f"-nostdin -hide_banner -loglevel warning {INPUTS} {arguments} -f flv"
    _, complaint = await run(FFMPEG, *command.split(), url, good=good)
    return complaint


def url_of(here: Site, key: str = KEY, scheme: str = "rtmp") -> str:
    return f"{scheme}://127.0.0.1:{here.server.port}/live/{key}"


async def streams(taken: Taken) -> list[tuple[str, int]]:
    """The received codecs, and the number of decodable packets of each."""
    read = "-hide_banner -nostats -xerror -f flv -i pipe:0 -map 0 -f framecrc -"
    output, about = await run(FFMPEG, *read.split(), data=taken.data)
    codecs = re.findall(r"Stream #0:\d.*?: (?:Video|Audio): (\w+)", about.partition("Output")[0])
    frames = [int(n) for n in re.findall(r"^(\d+), ", output, re.MULTILINE)]
    return [(codec, frames.count(index)) for index, codec in enumerate(codecs)]


@pytest.mark.parametrize(
    ("arguments", "codecs"),
    [
        (f"{X264} {AAC}", ["h264", "aac"]),
        (
            f"-c:v libx265 -x265-params log-level=none:pools=1 -preset ultrafast {AAC}",
            ["hevc", "aac"],
        ),
        ("-c:v libsvtav1 -preset 12 -svtav1-params lp=1 -c:a libopus", ["av1", "opus"]),
        ("-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a flac", ["vp9", "flac"]),
    ],
    ids=["h264", "hevc", "av1", "vp9"],
)
async def test_ffmpeg(arguments: str, codecs: list[str]) -> None:
    async with site() as here:
        await ffmpeg(arguments, url_of(here))
        await until(lambda: here.taken.reasons)
        assert here.taken.reasons == ["the encoder stopped publishing"]
        (video, audio) = await streams(here.taken)
        assert video == (codecs[0], FRAMES)
        assert audio[0] == codecs[1]
        assert audio[1] >= 10


async def test_ffmpeg_that_asks_for_enhanced_rtmp() -> None:
    async with site() as here:
        asked = "-rtmp_enhanced_codecs hvc1,av01,vp09"
        await ffmpeg(f"-an -c:v libsvtav1 -preset 12 -svtav1-params lp=1 {asked}", url_of(here))
        await until(lambda: here.taken.reasons)
        assert await streams(here.taken) == [("av1", FRAMES)]


async def test_ffmpeg_after_four_hours_and_a_half() -> None:
    """Timestamps do not go into a header's three bytes any more."""
    async with site() as here:
        late = f"{X264} {AAC} -output_ts_offset 16777"
        await ffmpeg(late, url_of(here))
        await until(lambda: here.taken.reasons)
        (video, _) = await streams(here.taken)
        assert video == ("h264", FRAMES)
        last = here.taken.data.rfind(b"\x09\0")
        assert here.taken.data[last + 7] == 1


async def test_ffmpeg_in_tls(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    async with site(tls=server_context(*certificate)) as here:
        trusted = f"{X264} {AAC} -tls_verify 1 -ca_file {certificate[0]}"
        await ffmpeg(trusted, url_of(here, scheme="rtmps"))
        await until(lambda: here.taken.reasons)
        assert (await streams(here.taken))[0] == ("h264", FRAMES)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"vod/{KEY}", "no such app; publish to /live/KEY"),
        ("live/" + "x" * 20, "no such stream key"),
        ("live/k%20%00%c3%a4", "no such stream key"),
        ("live/" + "x" * 1000, "no such stream key"),
    ],
    ids=["app", "key", "odd", "long"],
)
async def test_ffmpeg_receives_the_reason_of_a_refusal(path: str, reason: str) -> None:
    with capture_logs() as logs:
        async with site() as here:
            url = f"rtmp://127.0.0.1:{here.server.port}/{path}"
            output = await ffmpeg(X264, url, good=False)
            assert f"Server error: {reason}" in output
    assert set(reasons(logs)) == {reason}
    assert path.partition("/")[2] not in repr(logs)


async def gstreamer(feed: Path, url: str, *, good: bool = True) -> str:
    program = shutil.which("gst-launch-1.0")
    assert program, "gst-launch-1.0 is missing: run tests/system-packages"
    await ffmpeg(f"{X264} {AAC}", str(feed))
    pipeline = (
        f"filesrc location={feed} ! flvdemux name=from "
        "from.video ! queue ! h264parse ! to. from.audio ! queue ! aacparse ! to. "
        f"flvmux name=to streamable=true ! rtmp2sink location={url}"
    )
    _, complaint = await run(program, "-q", *pipeline.split(), good=good)
    return complaint


@pytest.mark.parametrize("key", [KEY, OTHER, OTHER.replace("%", "%25")])
async def test_gstreamer(key: str, tmp_path: Path) -> None:
    async with site() as here:
        await gstreamer(tmp_path / "feed.flv", url_of(here, key))
        taken = here.taken if key == KEY else here.other
        await until(lambda: taken.reasons)
        (video, audio) = await streams(taken)
        assert video == ("h264", FRAMES)
        assert audio[0] == "aac"


async def test_gstreamer_receives_the_reason_of_a_refusal(tmp_path: Path) -> None:
    async with site() as here:
        complaint = await gstreamer(tmp_path / "feed.flv", url_of(here, "x" * 20), good=False)
        assert "no such stream key" in complaint


@pytest.mark.parametrize("offset", [0, 16777])
async def test_librtmp(offset: int, tmp_path: Path) -> None:
    """The library that OBS's own began as, by way of curl."""
    program = shutil.which("curl")
    assert program, "curl is missing: run tests/system-packages"
    feed = tmp_path / "feed.flv"
    await ffmpeg(f"{X264} {AAC} -output_ts_offset {offset}", str(feed))
    async with site() as here:
        await run(program, "--silent", "--show-error", "--upload-file", feed, url_of(here))
        await until(lambda: here.taken.reasons)
        assert here.taken.data.endswith(feed.read_bytes()[-1000:])
        assert (await streams(here.taken))[0] == ("h264", FRAMES)
