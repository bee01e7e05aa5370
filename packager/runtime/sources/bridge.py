"""An ffmpeg that only fetches: what it fetched comes through a pipe, what it says line by line."""

import asyncio
from collections.abc import Callable, Sequence

from packager.errors import FeedError
from packager.runtime.process import Child, TrackPipe, lines

_GATHERED = 0.01
"""Seconds between two looks at the pipe: ffmpeg writes each packet at once."""
_GRACE = 0.5


async def carry(
    program: str,
    arguments: Callable[[int], Sequence[str]],
    on_bytes: Callable[[bytes], None],
    on_line: Callable[[str], None],
) -> int:
    """Run `program` to its end; its exit code. `arguments` are told the descriptor to write to.

    Raises:
        FeedError: it cannot be run.
    """
    pipe = TrackPipe(lambda data: on_bytes(bytes(data)) if data else None, pause=_GATHERED)
    try:
        words = [program, *arguments(pipe.write_end)]
    except BaseException:
        pipe.close()
        raise
    try:
        async with Child(words, [pipe], _GRACE) as child, asyncio.TaskGroup() as tasks:
            tasks.create_task(_read(child.process.stderr, on_line))
            await pipe.done
            return await child.process.wait()
    except OSError as error:
        raise FeedError(f"{program} cannot be run: {error.strerror}") from error


async def _read(stream: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> None:
    async for line in lines(stream):
        on_line(line)
