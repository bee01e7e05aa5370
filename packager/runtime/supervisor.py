"""`ringside run`: packager and origin workers as children, each started again when it dies.

This process does nothing else, so that whatever can fail fails in a child. If it is killed itself,
the kernel takes the children along. On SIGHUP it puts a new worker in the place of each, one after
the other: the new one serves before the old one leaves.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from packager.clock import monotonic
from packager.counting import count_together, forget, forget_process
from packager.listening import Listeners
from packager.runtime.process import die_with_parent

_SHORTEST_WAIT = 0.2
_LONGEST_WAIT = 10.0
_HEALTHY = 10.0
"""Seconds after which a child's death is the first again."""
_GRACE = 10.0
"""Seconds that a child gets to end when asked to."""
_READY = 60.0
"""Seconds that a new worker gets to serve before the old one stays."""
_LEAVING = 75.0
"""Seconds that an old worker gets to see everybody off."""


async def supervise(path: Path, data: Path, listeners: Listeners, *, packager: bool) -> None:
    """Run what the configuration at `path` says until SIGINT or SIGTERM: workers, and a packager.

    The ports stay open while a worker starts anew: who comes meanwhile is another worker's, or
    waits, and is not refused.
    """
    stop, renew = asyncio.Event(), asyncio.Event()

    def end() -> None:
        stop.set()
        for listener in (*listeners.public, listeners.control):
            listener.close()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, renew.set)
    children: list[_Child] = []
    if packager:
        # Counts start with the service; those of a process that died within it go on.
        forget(data)
    count_together(data)
    from packager.runtime.metrics import ORIGIN_RESTARTS  # noqa: PLC0415 - after the line above

    if packager:
        children.append(_Child("packager", ["packager", "packager", "-c", str(path)], [], data))
    workers = [
        _worker(path, data, listeners.of(index).descriptors(), index, ORIGIN_RESTARTS.inc)
        for index in range(len(listeners.public))
    ]
    children += workers
    try:
        async with asyncio.TaskGroup() as tasks:
            for child in children:
                tasks.create_task(child.keep(stop))
            renewing = tasks.create_task(_renew(workers, renew))
            await stop.wait()
            renewing.cancel()
    finally:
        if packager:
            forget(data)


def _worker(
    path: Path, data: Path, files: list[int], index: int, died: Callable[[], None]
) -> "_Child":
    command = ["origin", "-c", str(path), "--listeners", *map(str, files)]
    name = "origin" if not index else f"origin-{index + 1}"
    return _Child(name, command, files, data, died)


async def _renew(workers: "list[_Child]", wanted: asyncio.Event) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        for worker in workers:
            await worker.renew()


class _Child:
    """A process that is there all the time."""

    def __init__(
        self,
        name: str,
        command: list[str],
        files: list[int],
        data: Path,
        died: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep `python -m command`, which is given `files` and counts for the folder `data`.

        `died` is called when it does.
        """
        self._died = died
        self._command = [sys.executable, "-m", *command]
        self._files = files
        self._data = data
        self._current: asyncio.subprocess.Process | None = None
        self._changing = asyncio.Lock()
        self._log = structlog.get_logger().bind(process=name)

    async def keep(self, stop: asyncio.Event) -> None:
        """Start it again whenever it dies, until `stop`."""
        wait = _SHORTEST_WAIT
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                started = monotonic()
                async with self._changing:
                    # One that was renewed while this waited is there already.
                    if self._current is None or self._current.returncode is not None:
                        self._current = await self._start()
                code = await self._watch(stopping)
                if stop.is_set():
                    return
                if monotonic() - started > _HEALTHY:
                    wait = _SHORTEST_WAIT
                self._died()
                self._log.error("process.died", code=code, retry_seconds=wait)
                await asyncio.wait({stopping}, timeout=wait)
                wait = min(2 * wait, _LONGEST_WAIT)
        finally:
            stopping.cancel()

    async def _watch(self, stopping: asyncio.Task[object]) -> int | None:
        """Return the exit code of the current process once it has died, or was asked to end."""
        while (child := self._current) is not None:
            ended = asyncio.create_task(child.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done():
                await _end(child)
                return child.returncode
            forget_process(self._data, child.pid)
            if child is self._current:
                return child.returncode
        return None

    async def _start(self, *extra: str, files: tuple[int, ...] = ()) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *self._command,
            *extra,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(*self._files, *files),
            preexec_fn=die_with_parent,
            # A terminal's Ctrl-C is for the supervisor, which then asks each in turn.
            start_new_session=True,
        )
        self._log.info("process.started", pid=child.pid)
        return child

    async def renew(self) -> None:
        """Put a new process in the place of the current one, which leaves once that serves."""
        async with self._changing:
            before = self._current
            if before is None or before.returncode is not None:
                return  # it is about to be started anew anyway
            child = await self._start_ready()
            if child is None:
                return
            self._current = child
        if before.returncode is None:
            before.send_signal(signal.SIGUSR1)
            await _end(before, _LEAVING, ask=False)
        self._log.info("process.renewed", pid=child.pid)

    async def _start_ready(self) -> asyncio.subprocess.Process | None:
        """Start another process; None if it does not come to serve."""
        reading, writing = os.pipe()
        try:
            child = await self._start("--ready", str(writing), files=(writing,))
            os.close(writing)
            if await _said_ready(reading):
                return child
            self._log.error("process.not-ready", pid=child.pid)
            await _end(child)
            return None
        finally:
            os.close(reading)


async def _said_ready(pipe: int) -> bool:
    """Whether a child says within its time that it serves."""
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
    """Have a child end, the hard way after `patience` seconds."""
    if child.returncode is not None:
        return
    if ask:
        child.terminate()
    try:
        async with asyncio.timeout(patience):
            await child.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
