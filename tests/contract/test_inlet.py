"""The way of a feed into ffmpeg."""

import asyncio
import os
from collections.abc import Callable

from packager.runtime.inlet import Inlet

MUCH = bytes(4 << 20)
"""More than a pipe holds."""


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_a_child_that_is_gone_leaves_nothing_with_the_loop() -> None:
    """The next file with the pipe's number is another's."""
    inlet = Inlet()
    inlet.write(MUCH)
    inlet.started()  # nobody has the other end: all readers are gone
    await until(lambda: inlet._writing < 0)
    pipes = [os.pipe() for _ in range(4)]
    loop = asyncio.get_running_loop()
    called: set[int] = set()
    try:
        for _, writing in pipes:
            os.set_blocking(writing, False)
            loop.add_writer(writing, called.add, writing)
        for reading, _ in pipes:
            loop.add_reader(reading, called.add, reading)
        # All that has anything to tell does so in one turn of the loop.
        await until(lambda: called >= {writing for _, writing in pipes})
        assert called == {writing for _, writing in pipes}
    finally:
        for ends in pipes:
            loop.remove_writer(ends[1])
            loop.remove_reader(ends[0])
            for end in ends:
                os.close(end)


async def test_all_of_it_comes_and_then_the_end() -> None:
    inlet = Inlet()
    inlet.write(MUCH)
    inlet.write(b"end")
    inlet.end()
    read = await asyncio.to_thread(_read, os.dup(inlet.read_end))
    assert read == MUCH + b"end"
    inlet.close()


def _read(descriptor: int) -> bytes:
    found = bytearray()
    with os.fdopen(descriptor, "rb") as pipe:
        while len(found) < len(MUCH) + 3:
            found += pipe.read(len(MUCH) + 3 - len(found))
    return bytes(found)
