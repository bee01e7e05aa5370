"""The ffmpeg of this machine, and how many of it may start at once."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from packager.ffmpeg.inputs import Pace
from packager.runtime.ffmpeg.program import can_catch_up

_AT_ONCE_PER_CORE = 2
"""A start computes for a part of a second, and waits for files the rest."""
_LONGEST_START = 2.0
"""Seconds after which a start makes way for the next one: its file may be on a dead disk."""


class StartPlace:
    """A place among the starts, until it is left."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places: asyncio.Semaphore | None = places

    def leave(self) -> None:
        """Make way for the next start; more calls have no effect."""
        if self._places is not None:
            self._places.release()
            self._places = None


class StartPlaces:
    """The places for sources of one process that start on their own, such as files.

    Many at once starve each other, and all are late. Feeds of encoders do not wait here.
    """

    def __init__(self, most: int) -> None:
        """Let `most` sources start at once."""
        self._free = asyncio.Semaphore(most)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[StartPlace]:
        """A place, once one is free. It is left at the end, or two seconds after its beginning."""
        await self._free.acquire()
        place = StartPlace(self._free)
        timer = asyncio.get_running_loop().call_later(_LONGEST_START, place.leave)
        try:
            yield place
        finally:
            timer.cancel()
            place.leave()


@dataclass(frozen=True, slots=True)
class LocalFfmpeg:
    """The ffmpeg of one process."""

    path: str
    pace: Pace
    """At which it reads files and test patterns."""
    starts: StartPlaces

    @classmethod
    def of(cls, path: str) -> "LocalFfmpeg":
        """The program at `path`, which is asked for its options.

        Raises:
            SetupError: it does not run.
        """
        places = StartPlaces(_AT_ONCE_PER_CORE * (os.cpu_count() or 1))
        return cls(path, Pace.CATCHING_UP if can_catch_up(path) else Pace.REAL_TIME, places)
