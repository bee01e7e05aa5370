"""`ringside run`: the packager and the origin as children, each started again when it dies.

This process does nothing else, so that whatever can fail fails in a child. If it is killed itself,
the kernel takes the children along.
"""

import asyncio
import signal
import sys

import structlog

from packager.clock import monotonic
from packager.counting import forget
from packager.listening import Listeners
from packager.runtime.config_file import LoadedConfig
from packager.runtime.process import die_with_parent

_SHORTEST_WAIT = 0.2
_LONGEST_WAIT = 10.0
_HEALTHY = 10.0
"""Seconds after which a child's death is the first again."""
_GRACE = 10.0
"""Seconds that a child gets to end when asked to."""


async def supervise(config: LoadedConfig, listeners: Listeners) -> None:
    """Run packager and origin until SIGINT or SIGTERM.

    The ports stay open while an origin starts anew: who comes meanwhile waits, and is not refused.
    """
    stop = asyncio.Event()

    def end() -> None:
        stop.set()
        for listener in listeners:
            listener.close()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    # Counts start with the service; those of a process that died within it go on.
    forget(config.data)
    path = str(config.path)
    files = [listener.fileno() for listener in listeners]
    packager = [sys.executable, "-m", "packager", "packager", "-c", path]
    origin = [sys.executable, "-m", "origin", "-c", path, "--listeners", *map(str, files)]
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep("packager", packager, [], stop))
            tasks.create_task(_keep("origin", origin, files, stop))
    finally:
        forget(config.data)


async def _keep(name: str, command: list[str], files: list[int], stop: asyncio.Event) -> None:
    log = structlog.get_logger().bind(process=name)
    wait = _SHORTEST_WAIT
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            started = monotonic()
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=files,
                preexec_fn=die_with_parent,
                # A terminal's Ctrl-C is for the supervisor, which then asks each in turn.
                start_new_session=True,
            )
            log.info("process.started", pid=child.pid)
            ended = asyncio.create_task(child.wait())
            await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await _end(child)
                return
            if monotonic() - started > _HEALTHY:
                wait = _SHORTEST_WAIT
            log.error("process.died", code=child.returncode, retry_seconds=wait)
            await asyncio.wait({stopping}, timeout=wait)
            wait = min(2 * wait, _LONGEST_WAIT)
    finally:
        stopping.cancel()


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is not None:
        return
    child.terminate()
    try:
        async with asyncio.timeout(_GRACE):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()
