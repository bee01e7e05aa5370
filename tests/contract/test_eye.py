"""A real decoder looks at real feeds."""

import asyncio
import subprocess
from collections.abc import Callable
from fractions import Fraction

import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from packager.clock import monotonic_micros
from packager.feed.container import Container
from packager.runtime.eye import Eye
from packager.source import LossConfig

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


async def seen(eye: Eye, condition: Callable[[], bool]) -> None:
    try:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.02)
    finally:
        eye.close()
        await asyncio.wait([eye.done])


@pytest.mark.parametrize(
    ("config", "picture", "sound", "said"),
    [
        (LossConfig(black=Fraction(2)), "black", "loud", "the picture is black for"),
        (LossConfig(frozen=Fraction(2)), "grey", "loud", "the picture stands still"),
        (LossConfig(silent=Fraction(2)), "moving", "silent", "the sound is silent"),
    ],
)
async def test_what_is_wrong_is_seen(
    config: LossConfig, picture: str, sound: str, said: str
) -> None:
    eye = Eye(config, Container.TS, (0, 1), get_ffmpeg_exe())
    eye.write(feed(picture, sound))
    await seen(eye, lambda: eye.sight.problem(monotonic_micros()).startswith(said))


async def test_what_is_right_is_not() -> None:
    config = LossConfig(black=Fraction(2), frozen=Fraction(2), silent=Fraction(2))
    eye = Eye(config, Container.TS, (0, 1), get_ffmpeg_exe())
    eye.write(feed("moving", "loud"))
    # What is black then shows that all before was looked at.
    eye.write(feed("black", "loud"))
    said: set[str] = set()

    def is_black() -> bool:
        said.add(eye.sight.problem(monotonic_micros()))
        return eye.sight.is_black(monotonic_micros())

    await seen(eye, is_black)
    assert all(not one or "black" in one or "stands still" in one for one in said)
