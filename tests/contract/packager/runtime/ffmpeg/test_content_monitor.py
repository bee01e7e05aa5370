"""A real decoder looks at real feeds."""

import asyncio
import subprocess
from collections.abc import Callable
from fractions import Fraction

import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from packager.config.sources import LossConfig
from packager.feed.report import Container
from packager.runtime.ffmpeg.content_monitor import ContentMonitor
from packager.timing.clock import monotonic_micros

PICTURES = {
    "moving": "testsrc2=size=320x180:rate=25",
    "black": "color=black:size=320x180:rate=25",
    "grey": "color=gray:size=320x180:rate=25",
}
SOUNDS = {"loud": "sine=sample_rate=48000", "silent": "anullsrc=r=48000:cl=stereo"}


def feed(picture: str, sound: str) -> bytes:
    """Four seconds of a transport stream."""
    command = [get_ffmpeg_exe(), "-loglevel", "error"]
    for source in (PICTURES[picture], SOUNDS[sound]):
        command += ["-f", "lavfi", "-i", source]
    command += ["-t", "4", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-f", "mpegts", "pipe:1"]
    return subprocess.run(command, check=True, capture_output=True).stdout


async def seen(eye: ContentMonitor, condition: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.02)
    finally:
        eye.close()
        await asyncio.wait([eye.done])


@pytest.mark.parametrize(
    ("config", "picture", "sound", "problem"),
    [
        (LossConfig(black=Fraction(2)), "black", "loud", "the video is black for"),
        (LossConfig(frozen=Fraction(2)), "grey", "loud", "the video is frozen"),
        (LossConfig(silent=Fraction(2)), "moving", "silent", "the audio is silent"),
    ],
)
async def test_wrong_content_is_reported(
    config: LossConfig, picture: str, sound: str, problem: str
) -> None:
    eye = ContentMonitor(config, Container.TS, (0, 1), get_ffmpeg_exe())
    eye.write(feed(picture, sound))
    await seen(eye, lambda: eye.check.problem(monotonic_micros()).startswith(problem))


async def test_right_content_is_not_reported() -> None:
    config = LossConfig(black=Fraction(2), frozen=Fraction(2), silent=Fraction(2))
    eye = ContentMonitor(config, Container.TS, (0, 1), get_ffmpeg_exe())
    eye.write(feed("moving", "loud"))
    # The black video at the end shows that all frames before it were checked.
    eye.write(feed("black", "loud"))
    problems: set[str] = set()

    def is_black() -> bool:
        problems.add(eye.check.problem(monotonic_micros()))
        return eye.check.is_black(monotonic_micros())

    await seen(eye, is_black)
    assert all(not one or "black" in one or "frozen" in one for one in problems)
