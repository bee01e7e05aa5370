"""One run of a program in ffmpeg's place: its outputs reach the callbacks."""

import sys
from collections.abc import Sequence

import pytest

from packager.cmaf.boxes import Buffer
from packager.errors import FeedError
from packager.ffmpeg.progress import Progress
from packager.runtime.ffmpeg.session import FfmpegSession, SessionOutputs
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe

ENCODER = """
import os, sys
for track, end in enumerate(map(int, sys.argv[1:])):
    os.write(end, b"track %d" % track)
    os.close(end)
print("frame=7", "speed=1.5x", "progress=end", sep="\\n", flush=True)
print("[info] a start", "[error] first", "[error] second", sep="\\n", file=sys.stderr)
sys.exit(3)
"""
ECHO = "import sys; sys.stderr.write(sys.stdin.read())"
PATIENT = "import time; time.sleep(60)"


def session(
    script: str, tracks: int, outputs: SessionOutputs, stdin: StdinPipe | None = None
) -> FfmpegSession:
    def command(ends: Sequence[int]) -> list[str]:
        return [sys.executable, "-c", script, *map(str, ends)]

    return FfmpegSession(command, tracks, outputs, stdin=stdin)


async def test_every_output_reaches_its_callback() -> None:
    media: dict[int, list[bytes]] = {0: [], 1: []}
    lines: list[str] = []
    progress: list[Progress] = []
    outputs = SessionOutputs(
        on_bytes=lambda track, data: media[track].append(bytes(data)),
        on_line=lines.append,
        on_progress=progress.append,
    )
    async with session(ENCODER, 2, outputs) as running:
        code = await running.ended()
    assert code == 3
    assert {track: b"".join(parts) for track, parts in media.items()} == {
        0: b"track 0",
        1: b"track 1",
    }
    assert all(parts[-1] == b"" for parts in media.values()), "no end of a track"
    assert lines == ["[info] a start", "[error] first", "[error] second"]
    assert progress == [Progress(frames=7, speed=1.5, dropped=0, duplicated=0)]
    assert running.reason(code) == "ffmpeg: first"


async def test_an_exception_of_a_callback_ends_the_run() -> None:
    def refuse(_: int, data: Buffer) -> None:
        raise FeedError(f"cannot take {bytes(data)!r}")

    with pytest.raises(FeedError, match="cannot take b'track 0'"):
        async with session(ENCODER, 1, SessionOutputs(on_bytes=refuse)) as running:
            await running.ended()


async def test_the_standard_input_is_read_to_its_end() -> None:
    lines: list[str] = []
    stdin = StdinPipe()
    async with session(ECHO, 0, SessionOutputs(on_line=lines.append), stdin=stdin) as running:
        stdin.write(b"one\ntwo\n")
        stdin.end()
        assert await running.ended() == 0
    assert lines == ["one", "two"]


async def test_a_program_that_has_ended_is_not_running() -> None:
    async with session(ENCODER, 0, SessionOutputs()) as running:
        await running.ended()
        with pytest.raises(FeedError, match="ffmpeg: first"):
            await running.check_running()


async def test_a_program_that_does_not_end_in_time_is_killed() -> None:
    async with session(PATIENT, 0, SessionOutputs()) as running:
        await running.check_running()
        await running.end_within(0.05)
        assert await running.ended() == -9
