"""One fault at a time in a clean feed, in both containers: what ffmpeg gets has a steady time."""

import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from packager.cmaf.demuxer import Demuxer, Init
from packager.cmaf.samples import SampleRun, write
from packager.config.ladder import PassthroughLadder
from packager.feed.inspect import inspector
from packager.feed.report import Container
from packager.ffmpeg.command import arguments
from packager.ffmpeg.inputs import Pace, PipeFeed
from packager.impairment.cutting import cutter
from packager.impairment.faults import with_faults
from packager.impairment.pace import paced
from packager.impairment.schedule import Received
from packager.impairment.syntax import parse_fault
from packager.runtime.ffmpeg.program import probe_bytes
from tests.support import flashes, material
from tests.support.receivers import FFMPEG

pytestmark = pytest.mark.extended

SECONDS = 16
STARTS = 5_400
"""Seconds of the first timestamp."""
SKEW = Fraction(25, 1000)
FRAME = Fraction(1, 25)
LADDER = PassthroughLadder(name="passed", segment=Fraction(48, 25))
WHOLE = (
    "jump=6s+3600s", "jump=6s-3600s", "jump=6s+20h", "jump=6s+5s", "jump=6s-5s",
    "jump=6s-500ms", "jump=0s+20h,audio", "jump=0s+20h,video", "jump=0s-1h,audio",
    "jump=6s-8s,audio", "jump=6s+8s,audio", "jump=6s-8s,video", "jump=6s+8s,video",
    "jump=6s-1h,audio", "jump=6s+1h,video", "jump=6s-300ms,audio", "jump=6s-300ms,video",
    "wrap=6s", "drift=200ppm", "drift=-200ppm", "skew=250ms", "stall=6s+3s", "stall=6s+12s",
)  # fmt: skip
"""Faults that lose no media."""
LOSSY = ("stall=6s+3s,lost", "stall=6s+400ms,lost", "loss=0.5%", "loss=0.5%x10", "mute=6s")
ALL = [(kind, fault) for kind in Container for fault in (*WHOLE, *LOSSY)]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[Container, bytes]:
    folder = tmp_path_factory.mktemp("clean")
    ts = material.flashing(folder / "feed.ts", seconds=SECONDS, starts=STARTS)
    flv = material.copied(folder / "feed.flv", ts)
    return {Container.TS: ts.read_bytes(), Container.FLV: flv.read_bytes()}


def aligned(container: Container, data: bytes, fault: str) -> bytes:
    """What ffmpeg gets of a feed that arrives at its pace, with the fault."""
    cut, looking = cutter(container), inspector(container)
    units = [*cut.push(data), cut.rest()]
    events = with_faults(paced(container, units, "a test"), [parse_fault(fault)], Random(7).random)
    pieces = [
        piece.data
        for event in events
        if isinstance(event, Received)
        for piece in looking.push(event.data, event.at)
    ]
    return b"".join(pieces)


async def tracks(container: Container, data: bytes, folder: Path) -> list[tuple[bytes, bytes]]:
    """The init section and the media of the video and of the audio, passed through."""
    info = await probe_bytes(FFMPEG, "feed", container, data)
    feed = PipeFeed(container, frame_step=FRAME)
    paths = [folder / name for name in ("video.mp4", "audio.mp4")]
    files = [path.open("wb") for path in paths]
    pipes = [file.fileno() for file in files]
    words = arguments(feed, LADDER, LADDER.segment, info, pipes, pace=Pace.REAL_TIME)
    subprocess.run(
        [FFMPEG, *words], input=data, pass_fds=pipes, capture_output=True, check=True, timeout=60
    )
    for file in files:
        file.close()
    return [parts(path.read_bytes()) for path in paths]


def parts(track: bytes) -> tuple[bytes, bytes]:
    items = list(Demuxer(watch_parameters=False).feed(track))
    (init,) = (item for item in items if isinstance(item, Init))
    runs = [item for item in items if isinstance(item, SampleRun)]
    return init.data, b"".join(b"".join(write(run, number)) for number, run in enumerate(runs))


@pytest.mark.parametrize(("container", "fault"), ALL)
async def test_the_time_is_steady(
    clean: dict[Container, bytes], tmp_path: Path, container: Container, fault: str
) -> None:
    data = aligned(container, clean[container], fault)
    video, audio = await tracks(container, data, tmp_path)
    frames = flashes.sample_times(video[0], [video[1]])
    sounds = flashes.sample_times(audio[0], [audio[1]])
    steps = [later - before for before, later in pairwise(frames)]
    assert min(steps) > 0
    assert frames[-1] - frames[0] < SECONDS + Fraction(1, 2)
    if fault in LOSSY:
        assert sounds[-1] - sounds[0] < SECONDS + Fraction(1, 2)
        return
    assert len(frames) == SECONDS * 25
    assert max(steps) < 2 * FRAME
    apart = flashes.apart(
        flashes.of_picture(video[0], [video[1]]), flashes.of_sound(audio[0], [audio[1]])
    )
    assert len(apart) >= SECONDS - 2
    assert max(map(abs, apart)) < SKEW
