"""The clock in the picture is read right, however small and poor the picture is."""

import subprocess
from pathlib import Path

import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from playwright.async_api import BrowserContext

from tests.browser.conftest import LADDER
from tests.browser.stage import FONT
from tests.browser.viewer import Viewer
from tests.support.file_server import file_server
from tests.support.service import Service

pytestmark = [pytest.mark.browser, pytest.mark.alone, pytest.mark.asyncio(loop_scope="session")]

SHOWN = 23 * 3600 + 58 * 60 + 47.25
"""Seconds of the day that the clock of a film shows at its beginning."""
SECONDS = 8
FRAME_MS = 40
RUNGS = [(640, 360, "600k"), (480, 270, "300k"), (320, 180, "150k")]
"""Of ladder.yaml."""

READ = """
async ([url, began]) => {
  const { apart, openClock } = await import("/clock.js");
  const clock = await openClock("/pattern.ttf", 360);
  const video = document.getElementById("video");
  video.src = URL.createObjectURL(await (await fetch(url)).blob());
  const errors = [];
  const read = (_, { mediaTime }) => {
    const made = clock.read(video);
    errors.push(made === null ? null : apart(made, (began + mediaTime) * 1000));
    video.requestVideoFrameCallback(read);
  };
  video.requestVideoFrameCallback(read);
  await video.play();
  await new Promise((resolve) => (video.onended = resolve));
  return errors;
}
"""


def film(path: Path, width: int, height: int, bitrate: str) -> None:
    """A test pattern whose clock is a matter of its timestamps, encoded as a rung."""
    text = rf"2026-11-28 %{{pts\:hms\:{SHOWN}}} UTC    frame %{{n}}"
    style = "fontcolor=white:box=1:boxcolor=black@0.7:boxborderw=8:x=(w-tw)/2:y=h*3/4"
    clock = f"drawtext=text='{text}':fontfile={FONT}:fontsize=h/16:{style}"
    command = [get_ffmpeg_exe(), "-v", "error", "-nostdin"]
    command += ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-t", str(SECONDS)]
    command += ["-vf", f"{clock},scale={width}:{height}:flags=bicubic", "-pix_fmt", "yuv420p"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-threads", "1", "-g", "48"]
    command += ["-b:v", bitrate, "-maxrate", bitrate, "-bufsize", bitrate, str(path)]
    subprocess.run(command, check=True)


@pytest.mark.parametrize(("width", "height", "bitrate"), RUNGS)
async def test_every_picture_tells_when_it_was_made(
    browser: BrowserContext, watching: str, tmp_path: Path, width: int, height: int, bitrate: str
) -> None:
    film(tmp_path / "film.mp4", width, height, bitrate)
    page = await browser.new_page()
    with file_server(tmp_path) as files:
        await page.goto(watching)
        errors = await page.evaluate(READ, [f"{files}/film.mp4", SHOWN])
    await page.close()
    assert len(errors) > SECONDS * 25 * 0.8
    assert None not in errors
    # A callback that comes late finds a newer picture than the one it is told of.
    assert set(map(round, errors)) <= {0, FRAME_MS, 2 * FRAME_MS, 3 * FRAME_MS}
    assert [round(error) for error in errors].count(0) > len(errors) * 0.8


async def test_midnight_is_no_latency(browser: BrowserContext, watching: str) -> None:
    page = await browser.new_page()
    await page.goto(watching)
    said = "async () => (await import('/clock.js')).apart(700, 86_399_600)"
    assert await page.evaluate(said) == 1100
    await page.close()


async def test_latency_of_the_picture_is_within_that_of_the_timeline(
    browser: BrowserContext, watching: str, running: Service, measure: list[str]
) -> None:
    viewer = await Viewer.come(browser, watching, "hls")
    await viewer.read_clock()
    await viewer.load(running.live("pattern"))
    assert await viewer.started()
    assert await viewer.played(8, 20)
    readings = await viewer.readings(60)
    report = await viewer.report()
    await viewer.page.close()
    latencies = [reading.latency for reading in readings if reading.latency is not None]
    measure.append(f"latency of the picture {min(latencies):.0f} to {max(latencies):.0f} ms")
    assert len(latencies) > 0.95 * len(readings) > 40, report.seen
    assert max(latencies) - min(latencies) < 500, report.seen
    # Media time trails the wall clock by less than a segment, and the picture is made before.
    assert report.latency is not None
    trail = report.latency * 1000 - latencies[-1]
    assert -100 < trail < 1920 + 100, (report.latency, latencies[-1])


async def test_the_rungs_are_those_of_the_ladder() -> None:
    text = LADDER.read_text()
    assert all(f"width: {w}, height: {h}, bitrate: {rate}" in text for w, h, rate in RUNGS)
