"""The origin process: follows the journals, serves the public and the control port."""

import asyncio
import resource
import signal
from pathlib import Path

import structlog
from aiohttp import web

from origin.runtime.answers import Answers
from origin.runtime.control import ControlHandlers
from origin.runtime.follow import FollowedChannel, follow
from origin.runtime.handlers import Handlers
from origin.runtime.headers import Stamps
from origin.runtime.hot import HotPath
from origin.runtime.port import Port
from origin.runtime.protocol import HttpServer
from packager.clock import Clock
from packager.config import Config
from packager.errors import SetupError
from packager.listening import BACKLOG, Listeners

_SPARE_FILES = 256
"""Descriptors for all but the connections of the public port."""
_DRAIN = 5.0
"""Seconds for requests under way when asked to stop."""


async def serve(config: Config, data: Path, listeners: Listeners, clock: Clock) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        SetupError: a folder cannot be had.
    """
    channels = {
        name: FollowedChannel(name, data / name, channel.window, channel.retention)
        for name, channel in config.channels.items()
    }
    try:
        for channel in channels.values():
            # Made here if need be: a folder that is not there yet cannot be watched.
            channel.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
    origin = config.origin
    answers = Answers(channels, data, origin.cdn, clock, origin.memory)
    stamps = Stamps(clock)
    hot = HotPath(answers, clock, stamps)
    handlers = Handlers(answers, clock, stamps)
    port = Port(hot, answers, HttpServer(handlers.handle, stamps), _most(origin.connections))
    control = ControlHandlers(channels, data, origin.port, clock).application()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(control, access_log=None, shutdown_timeout=_DRAIN)
    following = asyncio.create_task(follow(channels))
    try:
        await runner.setup()
        await web.SockSite(runner, listeners.control, backlog=BACKLOG).start()
        port.start(listeners.public)
        structlog.get_logger().info("origin.serving", host=origin.host, port=origin.port)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({stopping, following}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
    finally:
        await port.stop(_DRAIN)
        following.cancel()
        await runner.cleanup()


def _most(wanted: int) -> int:
    """How many of the wanted connections the machine lets a process have.

    Each is a file, and a shell lets a program have 1024 of them.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(wanted, hard - _SPARE_FILES))
