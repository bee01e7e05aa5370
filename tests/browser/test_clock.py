"""The clock in the picture is read correctly, even from small frames of low quality."""

import subprocess
from pathlib import Path
from statistics import median

import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from playwright.async_api import BrowserContext

from tests.browser.conftest import LADDER
from tests.browser.stage import FONT
from tests.browser.viewer import Viewer
from tests.support.event_orders import LADDER_SEGMENT
from tests.support.file_server import file_server
from tests.support.service import Service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.extended,
    pytest.mark.alone,
    pytest.mark.asyncio(loop_scope="session"),
]

SHOWN = 23 * 3600 + 58 * 60 + 47.25
"""Seconds of the day that the clock of a film shows at its beginning."""
SECONDS = 8
FRAME_MS = 40
FRAMES = list(range(0, SECONDS * 25, 3))
"""The frames to read, each after a seek: during playback a late callback sees a newer frame."""
RUNGS = [(640, 360, "600k"), (480, 270, "300k"), (320, 180, "150k")]
"""Of ladder.yaml."""

READ = """
async ([url, began, frames]) => {
  const { apart, openClock } = await import("/clock.js");
  const clock = await openClock("/pattern.ttf", 360);
  const video = document.getElementById("video");
  video.src = URL.createObjectURL(await (await fetch(url)).blob());
  const errors = [];
  let shown = null; // media time of the frame on show
  const follow = (_, { mediaTime }) => {
    shown = mediaTime;
    video.requestVideoFrameCallback(follow);
  };
  video.requestVideoFrameCallback(follow);
  const painted = () => new Promise(requestAnimationFrame);
  for (const frame of frames) {
    const sought = new Promise((resolve) => (video.onseeked = resolve));
    video.currentTime = (frame + 0.5) / 25;
    await sought;
    // The frame after a seek is composed some animation frames later than it is announced.
    let error = null;
    for (let paint = 0; error !== 0 && paint < 10; paint += 1) {
      await painted();
      const made = clock.read(video);
      error = made === null ? null : Math.round(apart(made, (began + shown) * 1000));
    }
    errors.push(error);
  }
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
async def test_the_clock_of_every_frame_is_read(
    browser: BrowserContext, watching: str, tmp_path: Path, width: int, height: int, bitrate: str
) -> None:
    film(tmp_path / "film.mp4", width, height, bitrate)
    page = await browser.new_page()
    with file_server(tmp_path) as files:
        await page.goto(watching)
        errors = await page.evaluate(READ, [f"{files}/film.mp4", SHOWN, FRAMES])
    await page.close()
    # Chromium now and then paints the frame after the one that it announces.
    assert set(errors) <= {0, FRAME_MS}
    assert errors.count(0) > 0.9 * len(FRAMES)


async def test_midnight_is_no_latency(browser: BrowserContext, watching: str) -> None:
    page = await browser.new_page()
    await page.goto(watching)
    said = "async () => (await import('/clock.js')).apart(700, 86_399_600)"
    assert await page.evaluate(said) == 1100
    await page.close()


async def test_latency_of_the_picture_is_within_that_of_the_timeline(
    browser: BrowserContext, watching: str, running: Service, measure: list[str]
) -> None:
    viewer = await Viewer.open(browser, watching, "hls")
    await viewer.read_clock()
    await viewer.load(running.live("pattern"))
    assert await viewer.started()
    assert await viewer.played(8, 20)
    readings = await viewer.readings(60)
    report = await viewer.report()
    await viewer.page.close()
    read = [reading for reading in readings if reading.latency is not None]
    assert len(read) > 0.95 * len(readings) > 20, report.seen
    latencies = [reading.latency for reading in read]
    measure.append(f"latency of the picture {min(latencies):.0f} to {max(latencies):.0f} ms")
    # Media time trails the wall clock by less than a segment, and the picture is made before.
    trail = median(reading.timeline - reading.latency for reading in read)
    assert -100 < trail < 1000 * LADDER_SEGMENT + 100, report.seen


async def test_the_rungs_are_those_of_the_ladder() -> None:
    text = LADDER.read_text()
    assert all(f"width: {w}, height: {h}, bitrate: {rate}" in text for w, h, rate in RUNGS)
