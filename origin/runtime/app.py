"""The origin process: follows the journals, serves the public and the control port."""

import asyncio
import resource
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from aiohttp import web

from origin.access import Gate
from origin.caching import Policy
from origin.control_guard import ControlGuard
from origin.runtime.access_log import AccessLog
from origin.runtime.answers import Answers
from origin.runtime.control import ControlHandlers
from origin.runtime.devices import known_devices
from origin.runtime.follow import FollowedChannel, follow
from origin.runtime.handlers import Handlers
from origin.runtime.headers import Stamps
from origin.runtime.hot import HotPath
from origin.runtime.port import Port
from origin.runtime.protocol import HttpServer
from origin.runtime.quality import Quality
from packager.access import AccessConfig
from packager.clock import Clock
from packager.config import Config, OriginConfig
from packager.folders import make_folders
from packager.listening import BACKLOG, Listeners

_SPARE_FILES = 4500
"""Descriptors for all but the connections of the public port: segments at hand, mostly."""
_DRAIN = 5.0
"""Seconds for requests under way when asked to stop."""
_PEACE = 10.0
"""Seconds in which a connection may still send a request when another worker follows."""
_LONGEST_PEACE = 60.0
"""Seconds for requests under way then."""


async def serve(
    config: Config,
    data: Path,
    listeners: Listeners,
    clock: Clock,
    write: Callable[[bytes], None],
    serving: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, or until SIGUSR1 and everybody has left in peace.

    Args:
        config: what to serve.
        data: the folder of journals and media.
        listeners: this process's socket first; at those of others it takes who is left waiting.
        clock: the only clock.
        write: takes blocks of the access log, and does not wait.
        serving: called once requests are served.

    Raises:
        SetupError: a folder cannot be had.
    """
    devices = known_devices(config)
    channels = {
        name: FollowedChannel(
            name,
            data / name,
            channel.window,
            channel.retention,
            hides_filler=channel.loss.filler_is == "unavailable",
            devices=devices,
        )
        for name, channel in config.channels.items()
    }
    make_folders(data, channels)
    origin = config.origin
    access = {name: channel.access for name, channel in config.channels.items()}
    gates = {name: Gate.of(said) for name, said in access.items() if said != AccessConfig()}
    answers = Answers(channels, data, _policy(origin), clock, origin.memory, gates)
    stamps, log = Stamps(clock), AccessLog(origin.access_log, write)
    quality = Quality()
    hot = HotPath(answers, clock, stamps, log, quality)
    handlers = Handlers(answers, clock, stamps, log, quality)
    server = HttpServer(handlers.handle, stamps, handlers.refused)
    port = Port(hot, answers, server, log, quality, _most(origin.connections))
    control = ControlHandlers(
        channels, data, origin.port, clock, ControlGuard.of(origin), access, port.hand_on
    ).application()
    stop, leave = asyncio.Event(), asyncio.Event()
    for number, event in (
        *((signal.SIGINT, stop), (signal.SIGTERM, stop)),
        (signal.SIGUSR1, leave),
    ):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    runner = web.AppRunner(control, access_log=None, shutdown_timeout=_DRAIN)
    following = asyncio.create_task(follow(channels))
    preloading = asyncio.create_task(_preload(channels.values(), answers))
    try:
        await runner.setup()
        await web.SockSite(runner, listeners.control, backlog=BACKLOG).start()
        own, *others = listeners.public
        port.start(own, others)
        structlog.get_logger().info("origin.serving", host=origin.host, port=origin.port)
        serving()
        ends = {asyncio.create_task(stop.wait()), asyncio.create_task(leave.wait()), following}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
    finally:
        if leave.is_set():
            await port.leave(_PEACE, _LONGEST_PEACE, stop.is_set)
        await port.stop(_DRAIN)
        following.cancel()
        preloading.cancel()
        await runner.cleanup()


def _policy(origin: OriginConfig) -> Policy:
    return Policy(origin.cdn, origin.cdn_cache_control, origin.prefetch_hint)


async def _preload(channels: Iterable[FollowedChannel], answers: Answers) -> None:
    """Have what is new at hand before anybody asks for it."""

    async def keep_on(channel: FollowedChannel) -> None:
        while True:
            await channel.grown()
            answers.preload(channel)

    async with asyncio.TaskGroup() as tasks:
        for channel in channels:
            tasks.create_task(keep_on(channel))


def _most(wanted: int) -> int:
    """How many of the wanted connections the machine lets a process have.

    Each is a file, and a shell lets a program have 1024 of them.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(wanted, max(hard - _SPARE_FILES, hard // 2)))
