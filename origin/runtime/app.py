"""A worker of the origin: follows the journals, serves the public and the control port."""

import asyncio
import resource
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from origin.access.control_port import ControlGuard
from origin.access.playback import AccessPolicy
from origin.http.cache_policy import CachePolicy
from origin.runtime.content.devices import known_devices
from origin.runtime.content.responder import Responder
from origin.runtime.control.api import ControlAccess, ControlHandlers
from origin.runtime.journal.follower import FollowedChannel, follow
from origin.runtime.server.aiohttp_protocol import HttpServer
from origin.runtime.server.exchange import Exchange
from origin.runtime.server.fast_path import FastPath
from origin.runtime.server.held_requests import HeldRequests
from origin.runtime.server.listener import Listener
from origin.runtime.server.periodic import PeriodicWork
from origin.runtime.server.slow_path import SlowPath
from origin.runtime.telemetry.access_log import AccessLog
from origin.runtime.telemetry.cmcd_metrics import CmcdMetrics
from packager.config.access import AccessConfig
from packager.config.schema.origin import OriginConfig, ServedConfig
from packager.host.folders import make_folders
from packager.host.sockets import BACKLOG, Listeners
from packager.timing.clock import Clock

_SPARE_FILES = 4500
"""File descriptors for all but the connections of the public port: mostly cached segments."""
_DRAIN = 5.0
"""Seconds for open responses when the process has to stop."""
_LAST_REQUEST = 10.0
"""Seconds in which a connection may send its last request when another worker takes over."""
_LAST_RESPONSE = 60.0
"""Seconds for open responses when another worker takes over."""


async def serve(
    config: ServedConfig,
    data: Path,
    listeners: Listeners,
    clock: Clock,
    write: Callable[[bytes], None],
    serving: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, or until SIGUSR1 and all connections have ended.

    Args:
        config: the configuration.
        data: the folder of journals and media.
        listeners: this process's socket first; it also accepts at the sockets of other workers.
        clock: the only clock.
        write: takes blocks of the access log, and does not wait.
        serving: called when requests are served.

    Raises:
        SetupError: a folder cannot be made.
    """
    worker = _assemble(config, data, clock, write)
    stop, leave = _signal_events()
    runner = web.AppRunner(worker.control, access_log=None, shutdown_timeout=_DRAIN)
    following = asyncio.create_task(follow(worker.channels))
    preloading = asyncio.create_task(_preload(worker, clock))
    try:
        await runner.setup()
        await web.SockSite(runner, listeners.control, backlog=BACKLOG).start()
        own, *others = listeners.public
        worker.listener.start(own, others)
        worker.periodic.start(worker.channels.values())
        origin = config.origin
        structlog.get_logger().info("origin.started", host=origin.host, port=origin.port)
        serving()
        ends = {asyncio.create_task(stop.wait()), asyncio.create_task(leave.wait()), following}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            following.result()
    finally:
        if leave.is_set():
            await worker.listener.leave(_LAST_REQUEST, _LAST_RESPONSE, stop.is_set)
        await worker.listener.stop(_DRAIN)
        worker.periodic.stop()
        following.cancel()
        preloading.cancel()
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class _Worker:
    """The connected parts of a worker."""

    channels: Mapping[str, FollowedChannel]
    responder: Responder
    listener: Listener
    periodic: PeriodicWork
    control: web.Application


def _assemble(
    config: ServedConfig, data: Path, clock: Clock, write: Callable[[bytes], None]
) -> _Worker:
    origin = config.origin
    channels = _followed_channels(config, data)
    access = {name: channel.access for name, channel in config.channels.items()}
    policies = {name: AccessPolicy.of(one) for name, one in access.items() if one != AccessConfig()}
    responder = Responder(channels, data, _cache_policy(origin), origin.memory, policies)
    log, cmcd = AccessLog(origin.access_log, write), CmcdMetrics()
    exchange = Exchange(responder, clock, log, cmcd)
    held = HeldRequests(exchange)
    fast_path = FastPath(exchange, held)
    server = HttpServer(SlowPath(exchange, held), exchange)
    listener = Listener(fast_path, server, _most(origin.connections))
    periodic = PeriodicWork(listener, fast_path, held, responder, log, cmcd)
    protection = ControlAccess(ControlGuard.of(origin), access)
    control = ControlHandlers(channels, data, origin.port, clock, protection, periodic.flush)
    return _Worker(channels, responder, listener, periodic, control.application())


def _followed_channels(config: ServedConfig, data: Path) -> Mapping[str, FollowedChannel]:
    """The channels of `config`, whose folders are made if need be.

    Raises:
        SetupError: a folder cannot be made.
    """
    devices = known_devices(config)
    make_folders(data, config.channels)
    return {
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


def _signal_events() -> tuple[asyncio.Event, asyncio.Event]:
    """Events of the orders to stop (SIGINT, SIGTERM) and to leave (SIGUSR1)."""
    stop, leave = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, leave.set)
    return stop, leave


def _cache_policy(origin: OriginConfig) -> CachePolicy:
    return CachePolicy(origin.cdn, origin.cdn_cache_control, origin.prefetch_hint)


async def _preload(worker: _Worker, clock: Clock) -> None:
    """Load the newest segments before viewers request them."""

    async def keep_on(channel: FollowedChannel) -> None:
        while True:
            await channel.grown()
            worker.responder.media.preload(channel, clock.now())

    async with asyncio.TaskGroup() as tasks:
        for channel in worker.channels.values():
            tasks.create_task(keep_on(channel))


def _most(wanted: int) -> int:
    """The number of connections that the limit of open files allows, at most `wanted`.

    The soft limit, often 1024, is raised to the hard limit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(wanted, max(hard - _SPARE_FILES, hard // 2)))
