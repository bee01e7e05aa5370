"""Finds the streams of a live feed: ffmpeg reads the feed's first moments."""

import asyncio
from collections.abc import Callable

from packager.errors import FeedError
from packager.feed.gop_buffer import GopBuffer
from packager.feed.report import Container, Inspector
from packager.ffmpeg.probe import SourceInfo
from packager.runtime.ffmpeg.program import probe_bytes
from packager.timing.backoff import Backoff
from packager.timing.clock import monotonic_micros
from packager.timing.ticks import MICROS

_ENOUGH = MICROS // 3
"""Microseconds of a feed, from its first keyframe on, that show its streams."""
_PATIENCE_FOR_ABSENT = MICROS
"""Microseconds that announced streams get to send their first frame."""
_PATIENCE_FOR_FRAMES = 5 * MICROS
"""Microseconds that the second video frame gets: ffmpeg does not know the video before."""
_SHORTEST_WAIT = MICROS
_LONGEST_WAIT = 10 * MICROS
"""Microseconds before the next probe after one that found nothing."""
_HOUR = 3600 * MICROS


class StreamProbe:
    """Probes the feed of one source: once for each connection and each change of parameters."""

    def __init__(
        self,
        program: str,
        name: str,
        on_found: Callable[[SourceInfo], None],
        on_problem: Callable[[str], None],
    ) -> None:
        """Use the ffmpeg `program`; `name` is the source's, for problems.

        `on_found` may raise FeedError for streams that cannot be used.
        """
        self._program = program
        self._name = name
        self._on_found = on_found
        self._on_problem = on_problem
        self._task: asyncio.Task[None] | None = None
        self._due = 0
        """When to probe next, in monotonic microseconds."""
        self._backoff = Backoff(_SHORTEST_WAIT, _LONGEST_WAIT)

    def restart(self) -> None:
        """Probe as soon as there is enough of the feed; a running probe goes on."""
        self._due = 0
        self._backoff.reset()

    def cancel(self) -> None:
        """Stop a running probe."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def consider(
        self, container: Container, inspector: Inspector, backlog: GopBuffer, now: int
    ) -> None:
        """Start a probe if it is due and if `backlog` has enough of the inspected feed."""
        first = backlog.first
        if self._task is not None or now < self._due or first is None:
            return
        if now - first < _necessary(inspector):
            return
        tail = backlog.since(first)
        if tail is not None:
            data = b"".join((inspector.prelude, *tail.data))
            self._task = asyncio.create_task(self._probe(container, data))
        self._due = now + _HOUR

    async def _probe(self, container: Container, data: bytes) -> None:
        try:
            self._on_found(await probe_bytes(self._program, self._name, container, data))
        except FeedError as error:
            self._due = monotonic_micros() + self._backoff.step()
            self._on_problem(str(error))
        self._task = None


def _necessary(inspector: Inspector) -> int:
    """Microseconds of the feed that are necessary to find its streams."""
    if inspector.frame_step is None:
        return _PATIENCE_FOR_FRAMES
    return _PATIENCE_FOR_ABSENT if inspector.absent else _ENOUGH
