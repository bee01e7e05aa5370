"""`ringside run`: packager and origin workers as child processes; each is restarted when it dies.

This process does nothing else, so that whatever can fail fails in a child. If the supervisor is
killed, the kernel kills the children. On SIGHUP it replaces the workers one after the other: a new
worker serves before the old one leaves.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packager.host.metrics_folder import clear, metrics_folder, with_metrics_folder
from packager.host.sockets import Listeners
from packager.runtime.service.child import ChildCommand, ChildProcess
from packager.runtime.telemetry.restarts import OriginRestarts


@dataclass(frozen=True, slots=True)
class Service:
    """What a supervisor runs."""

    config: Path
    data: Path
    listeners: Listeners
    """Open until the service ends, so that a connection waits while a worker is restarted."""
    has_packager: bool
    """Whether the packager runs beside the origin."""


async def supervise(service: Service) -> None:
    """Run a service until SIGINT or SIGTERM.

    Raises:
        SetupError: there is no folder for metrics.
    """
    stop, renew = asyncio.Event(), asyncio.Event()
    _handle_signals(service.listeners, stop, renew)
    if service.has_packager:
        # Counters start with the service; those of a child that dies meanwhile are kept.
        clear(service.data)
    restarts = OriginRestarts(metrics_folder(service.data, os.environ))
    environment = with_metrics_folder(service.data, os.environ)
    workers = list(_workers(service, environment, restarts.inc))
    children = [*_packager(service, environment), *workers]
    try:
        async with asyncio.TaskGroup() as tasks:
            for child in children:
                tasks.create_task(child.keep_running(stop))
            renewing = tasks.create_task(_renew(workers, renew))
            await stop.wait()
            renewing.cancel()
    finally:
        restarts.close()
        if service.has_packager:
            clear(service.data)


def _handle_signals(listeners: Listeners, stop: asyncio.Event, renew: asyncio.Event) -> None:
    def end() -> None:
        stop.set()
        for listener in (*listeners.public, listeners.control):
            listener.close()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, renew.set)


def _packager(service: Service, environment: dict[str, str]) -> list[ChildProcess]:
    if not service.has_packager:
        return []
    arguments = ("packager", "packager", "-c", str(service.config))
    command = ChildCommand("packager", arguments, environment)
    return [ChildProcess(command, service.data)]


def _workers(
    service: Service, environment: dict[str, str], count_restart: Callable[[], None]
) -> Sequence[ChildProcess]:
    """One origin process for each public listener."""
    workers: list[ChildProcess] = []
    for index in range(len(service.listeners.public)):
        descriptors = service.listeners.of(index).descriptors()
        command = ChildCommand(
            "origin" if not index else f"origin-{index + 1}",
            ("origin", "-c", str(service.config), "--listeners", *map(str, descriptors)),
            environment,
            tuple(descriptors),
        )
        workers.append(ChildProcess(command, service.data, count_restart))
    return workers


async def _renew(workers: Sequence[ChildProcess], wanted: asyncio.Event) -> None:
    while True:
        await wanted.wait()
        wanted.clear()
        for worker in workers:
            await worker.renew()
