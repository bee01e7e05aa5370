"""Recorded HEVC is passed through with its parameter sets in the init section."""

import os
import subprocess
from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest

from packager.cmaf.demuxer import Demuxer, Init
from packager.cmaf.parameter_sets import hevc_sets
from packager.cmaf.samples import SampleRun
from packager.config.ladder import PassthroughLadder
from packager.container.hevc import PARAMETER_SETS, hevc_configuration, unit_type
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import FileFeed, Pace
from packager.runtime.ffmpeg.program import probe

FFMPEG = str(imageio_ffmpeg.get_ffmpeg_exe())
FRAMES = 50
EMPTY = 31
"""Bytes of an `hvcC` without parameter sets."""


def recorded(out: Path, tag: str) -> Path:
    """Two seconds of HEVC, each keyframe behind its parameter sets."""
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25", "-frames:v", str(FRAMES))
    encoder = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    options = ("-x265-params", "keyint=25:repeat-headers=1:log-level=none", "-tag:v", tag)
    words = (FFMPEG, "-v", "error", *picture, *encoder, *options, str(out))
    subprocess.run(words, check=True, timeout=60)
    return out


def without_configuration(file: Path) -> Path:
    """The file, its `hvcC` without parameter sets (ISO/IEC 14496-15 section 8.3.3.1)."""
    data = bytearray(file.read_bytes())
    start = data.index(b"hvcC") - 4
    rest = int.from_bytes(data[start : start + 4]) - EMPTY
    data[start : start + 4] = EMPTY.to_bytes(4)
    data[start + EMPTY - 1] = 0
    data[start + EMPTY : start + EMPTY + 8] = rest.to_bytes(4) + b"free"
    file.write_bytes(data)
    return file


async def passed_through(file: Path) -> tuple[Init, list[SampleRun]]:
    ladder = PassthroughLadder(name="p", segment=Fraction(48, 25))
    info = await probe(FFMPEG, "file", "-i", str(file))
    read, write = os.pipe()
    feed = FileFeed(str(file), listed=False, loop=False)
    words = arguments(feed, ladder, ladder.segment, info, [write], pace=Pace.UNLIMITED)
    with subprocess.Popen(
        [FFMPEG, *words],
        pass_fds=[write],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            items = list(Demuxer(watch_parameters=True).feed(pipe.read()))
    inits = [item for item in items if isinstance(item, Init)]
    assert len(inits) == 1
    return inits[0], [item for item in items if isinstance(item, SampleRun)]


@pytest.mark.parametrize("kind", ["hvc1", "hev1", "hev1 without configuration", "ts"])
async def test_recorded_hevc_becomes_hvc1(tmp_path: Path, kind: str) -> None:
    name = "file.ts" if kind == "ts" else "file.mp4"
    file = recorded(tmp_path / name, "hev1" if kind.startswith("hev1") else "hvc1")
    if kind.endswith("without configuration"):
        without_configuration(file)
    init, runs = await passed_through(file)
    codec = init.facts.codec
    assert codec.string == "hvc1.1.6.L60.90"
    sets = [unit for unit in codec.parameter_sets if unit_type(unit[0]) in PARAMETER_SETS]
    assert [unit_type(unit[0]) for unit in sets] == list(PARAMETER_SETS)
    # ffmpeg makes the same record where it knows the parameter sets.
    assert kind.startswith("h") or hevc_configuration(sets) in init.data
    assert sum(len(run.sizes) for run in runs) == FRAMES
    assert [run.keyframe for run in runs if run.keyframe] == [True, True]
    assert not any(hevc_sets(run.payload) for run in runs)
