"""A child process of the supervisor: restarted when it dies, replaced on order.

    state          event                            next
    running        the process dies                 backing off
    backing off    the wait is over, or a renewal   running
    running        a renewed process serves         running; the old one finishes its requests
    running        stop                             ending (SIGTERM)
    ending         the grace period is over         killed

A renewal and a restart exclude each other.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from packager.host.metrics_folder import clear_process
from packager.runtime.ffmpeg.process import die_with_parent, signal_child
from packager.timing.backoff import Backoff
from packager.timing.clock import monotonic

_SHORTEST_WAIT = 0.2
_LONGEST_WAIT = 10.0
_HEALTHY = 10.0
"""Seconds that a child runs before its death counts as the first one again."""
_GRACE = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_READY = 60.0
"""Seconds in which a new worker must serve; if it does not, the old one stays."""
_LEAVING = 75.0
"""Seconds that a replaced worker may take to finish its requests."""


@dataclass(frozen=True, slots=True)
class ChildCommand:
    """How a child is started."""

    name: str
    """For the log."""
    arguments: tuple[str, ...]
    """Of `python -m`."""
    environment: dict[str, str]
    descriptors: tuple[int, ...] = ()
    """Open files that the child inherits."""


class ChildProcess:
    """Keeps one process running."""

    def __init__(
        self, command: ChildCommand, data: Path, on_death: Callable[[], None] = lambda: None
    ) -> None:
        """Run `command`, which keeps its metrics for the folder `data`."""
        self._command = command
        self._data = data
        self._on_death = on_death
        self._current: asyncio.subprocess.Process | None = None
        self._changing = asyncio.Lock()
        self._log = structlog.get_logger().bind(process=command.name)

    async def keep_running(self, stop: asyncio.Event) -> None:
        """Restart the process whenever it dies, until `stop` is set."""
        backoff = Backoff(_SHORTEST_WAIT, _LONGEST_WAIT, healthy=_HEALTHY)
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                started = monotonic()
                await self._ensure_running()
                code = await self._watch(stopping)
                if stop.is_set():
                    return
                wait = backoff.after(monotonic() - started)
                self._on_death()
                self._log.error("process.died", code=code, retry_seconds=wait)
                await asyncio.wait({stopping}, timeout=wait)
        finally:
            stopping.cancel()

    async def _ensure_running(self) -> None:
        async with self._changing:
            # A renewal during the wait may have started it already.
            if self._current is None or self._current.returncode is not None:
                self._current = await self._start()

    async def _watch(self, stopping: asyncio.Task[object]) -> int | None:
        """The exit code of the current process, once it has died or was asked to end."""
        while (child := self._current) is not None:
            ended = asyncio.create_task(child.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                await _end(child)
                return child.returncode
            clear_process(self._data, child.pid)
            if child is self._current:
                return child.returncode
        return None

    async def _start(
        self, *arguments: str, descriptors: tuple[int, ...] = ()
    ) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *self._command.arguments, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            env=self._command.environment,
            pass_fds=(*self._command.descriptors, *descriptors),
            preexec_fn=die_with_parent,
            # A terminal sends Ctrl-C to a whole session; the supervisor ends its children in order.
            start_new_session=True,
        )
        self._log.info("process.started", pid=child.pid)
        return child

    async def renew(self) -> None:
        """Replace the current process; it leaves once the new one serves."""
        async with self._changing:
            before = self._current
            if before is None or before.returncode is not None:
                return  # `keep_running` is about to start a new one
            child = await self._start_ready()
            if child is None:
                return
            self._current = child
        if before.returncode is None:
            signal_child(before, signal.SIGUSR1)
            await _end(before, _LEAVING, ask=False)
        self._log.info("process.renewed", pid=child.pid)

    async def _start_ready(self) -> asyncio.subprocess.Process | None:
        """Start another process; None if it does not serve in time."""
        reading, writing = os.pipe()
        try:
            child = await self._start("--ready", str(writing), descriptors=(writing,))
            os.close(writing)
            if await _is_ready(reading):
                return child
            self._log.error("process.readiness_timed_out", pid=child.pid)
            await _end(child)
            return None
        finally:
            os.close(reading)


async def _is_ready(pipe: int) -> bool:
    """Whether a child reports through `pipe`, in time, that it serves."""
    os.set_blocking(pipe, False)
    readable = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe, readable.set)
    try:
        async with asyncio.timeout(_READY):
            await readable.wait()
        return bool(os.read(pipe, 1))
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(pipe)


async def _end(
    child: asyncio.subprocess.Process, patience: float = _GRACE, *, ask: bool = True
) -> None:
    """Wait up to `patience` seconds for a child to end, then kill it; `ask` sends SIGTERM first."""
    if child.returncode is not None:
        return
    if ask:
        signal_child(child, signal.SIGTERM)
    try:
        async with asyncio.timeout(patience):
            await child.wait()
    except TimeoutError:
        signal_child(child, signal.SIGKILL)
        await child.wait()
