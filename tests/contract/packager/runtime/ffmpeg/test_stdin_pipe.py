"""The way of a feed into ffmpeg."""

import asyncio
import os
from collections.abc import Callable

from packager.runtime.ffmpeg.stdin_pipe import StdinPipe

MUCH = bytes(4 << 20)
"""More than a pipe holds."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_after_the_child_has_ended_the_loop_watches_no_pipe() -> None:
    """The loop must not take the next file with the pipe's number for the pipe."""
    stdin = StdinPipe()
    stdin.write(MUCH)
    stdin.started()  # no process has the reading end
    await until(lambda: stdin.is_closed)
    pipes = [os.pipe() for _ in range(4)]
    loop = asyncio.get_running_loop()
    called: set[int] = set()
    try:
        for _, writing in pipes:
            os.set_blocking(writing, False)
            loop.add_writer(writing, called.add, writing)
        for reading, _ in pipes:
            loop.add_reader(reading, called.add, reading)
        # The loop calls every ready callback in one turn.
        await until(lambda: called >= {writing for _, writing in pipes})
        assert called == {writing for _, writing in pipes}
    finally:
        for ends in pipes:
            loop.remove_writer(ends[1])
            loop.remove_reader(ends[0])
            for end in ends:
                os.close(end)


async def test_the_child_reads_all_bytes_and_then_the_end() -> None:
    stdin = StdinPipe()
    stdin.write(MUCH)
    stdin.write(b"end")
    stdin.end()
    read = await asyncio.to_thread(_read, os.dup(stdin.read_end))
    assert read == MUCH + b"end"
    stdin.close()


def _read(descriptor: int) -> bytes:
    found = bytearray()
    with os.fdopen(descriptor, "rb") as pipe:
        while len(found) < len(MUCH) + 3:
            found += pipe.read(len(MUCH) + 3 - len(found))
    return bytes(found)
