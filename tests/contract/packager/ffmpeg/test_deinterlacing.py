"""An interlaced feed is encoded in whole frames, as ffmpeg's own detector judges them."""

import os
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest

from packager.config.ladder import AudioRendition, Deinterlace, EncodeLadder, VideoRendition
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import FileFeed, Pace
from packager.ffmpeg.probe import SourceInfo
from packager.runtime.ffmpeg.program import probe

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
SECONDS = 3


def interlaced(out: Path) -> Path:
    """Moving bars in 25 frames of two fields a second."""
    bars = "testsrc2=size=320x240:rate=50,scroll=horizontal=0.02,interlace=scan=tff"
    options = ("-flags", "+ildct+ilme", "-x264-params", "tff=1", "-g", "25", "-t", str(SECONDS))
    words = (FFMPEG, "-v", "error", "-f", "lavfi", "-i", bars, "-pix_fmt", "yuv420p", *options)
    subprocess.run([*words, str(out)], check=True, timeout=60)
    return out


def encoded(feed: Path, info: SourceInfo, rate: int, deinterlace: Deinterlace) -> bytes:
    """The video of a ladder with one rendition of the feed's height."""
    video = VideoRendition(id="v", width=320, height=240, bitrate=2_000_000, preset="ultrafast")
    ladder = EncodeLadder(
        frame_rate=Fraction(rate), segment=Fraction(1), video=(video,),
        audio=AudioRendition(), deinterlace=deinterlace, name="one",
    )  # fmt: skip
    source = FileFeed(str(feed), listed=False, loop=False)
    read, write = os.pipe()
    words = arguments(source, ladder, ladder.segment, info, [write], pace=Pace.UNLIMITED)
    with subprocess.Popen(
        [FFMPEG, *words],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            return pipe.read()


def judged(media: bytes) -> tuple[int, int]:
    """The numbers of interlaced and of progressive frames."""
    words = (FFMPEG, "-hide_banner", "-i", "pipe:0", "-vf", "idet", "-f", "null", "-")
    done = subprocess.run(words, input=media, capture_output=True, check=True, timeout=60)
    verdict = rb"Multi frame detection: TFF: *(\d+) BFF: *(\d+) Progressive: *(\d+)"
    # The filter has a verdict at each start of its graph; the last is about all frames.
    top, bottom, progressive = map(int, re.findall(verdict, done.stderr)[-1])
    return top + bottom, progressive


@pytest.mark.parametrize(
    ("rate", "deinterlace", "combed"),
    [(25, "auto", False), (50, "auto", False), (25, "never", True)],
)
async def test_frames_have_combs_only_where_the_ladder_does_not_deinterlace(
    tmp_path: Path, rate: int, deinterlace: Deinterlace, *, combed: bool
) -> None:
    feed = interlaced(tmp_path / "feed.ts")
    info = await probe(FFMPEG, "feed", "-i", str(feed))
    assert info.video[0].interlaced
    fields, frames = judged(encoded(feed, info, rate, deinterlace))
    most = fields if combed else frames
    assert most > 0.9 * SECONDS * rate - 2
