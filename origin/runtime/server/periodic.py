"""The regular work of a worker beside its requests."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog

from origin.runtime.content.responder import Responder
from origin.runtime.journal.follower import FollowedChannel
from origin.runtime.server.fast_path import FastPath
from origin.runtime.server.held_requests import HeldRequests
from origin.runtime.server.listener import Listener
from origin.runtime.telemetry import metrics
from origin.runtime.telemetry.access_log import AccessLog
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from packager.timing.clock import monotonic

_TICK = 0.1
"""Seconds between two looks at held requests, and at connections that wait at other workers."""
_SWEEP = 1.0
"""Seconds between two looks at the time-outs of connections."""
_LINES = 500
"""Lines of the access log that are made in one step: a millisecond or two."""
_STEPS = 40
"""Steps of log and CMCD in a row, before other tasks have their turn for longer."""
_T = TypeVar("_T")
_log = structlog.get_logger()


class PeriodicWork:
    """Releases held requests, ends slow connections, writes the log, updates the metrics."""

    def __init__(
        self,
        listener: Listener,
        fast_path: FastPath,
        held: HeldRequests,
        responder: Responder,
        log: AccessLog,
        cmcd: CmcdMetrics,
    ) -> None:
        self._listener = listener
        self._fast_path = fast_path
        self._held = held
        self._responder = responder
        self._log = log
        self._cmcd = cmcd
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, channels: Iterable[FollowedChannel]) -> None:
        """Begin to work."""
        work = [self._release(channel) for channel in channels]
        self._tasks = [asyncio.create_task(one) for one in (*work, self._sweep(), self._tick())]

    def stop(self) -> None:
        """Cease to work; write the last counts and log lines."""
        for task in self._tasks:
            task.cancel()
        _attempt(self.flush)

    def flush(self) -> None:
        """Add the counts to the metrics, and write the log."""
        metrics.hand_on(self._responder.counters)
        self._log.flush()
        metrics.OPEN_CONNECTIONS.set(len(self._listener))
        metrics.HELD_REQUESTS.set(len(self._held))
        metrics.CACHE_BYTES.set(self._responder.answers.size)
        metrics.LOOP_LAG.set(self._responder.load.lag)

    async def _release(self, channel: FollowedChannel) -> None:
        """Answer held requests whenever the channel's timeline has grown."""
        while True:
            await channel.grown()
            _attempt(lambda: self._fast_path.grown(channel))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            _attempt(lambda: self._listener.sweep(monotonic()))
            _attempt(self.flush)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self._responder.load.note_lateness(max(0.0, loop.time() - due))
            _attempt(self._fast_path.expire)
            _attempt(self._listener.help_neighbours)
            for step in (lambda: self._log.flush(_LINES), self._cmcd.flush):
                await _repeat(step)


async def _repeat(step: Callable[[], int]) -> None:
    """Repeat `step` while it has work left, with a turn for other tasks after each."""
    for _ in range(_STEPS):
        if not _attempt(step):
            return
        await asyncio.sleep(0)


def _attempt(step: Callable[[], _T]) -> _T | None:
    """The result of `step`; a failure is logged, so that the next step is done all the same."""
    try:
        return step()
    except Exception:  # noqa: BLE001
        _log.exception("listener.step_failed")
        return None
