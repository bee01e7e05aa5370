"""The commands that start processes: `ringside run`, `packager`, `origin`."""

import asyncio
import os
from argparse import Namespace
from pathlib import Path

from packager.cli.command import Command, add_config, configured_ffmpeg, reachable, show
from packager.host.config_file import LoadedConfig, load, load_served
from packager.host.folders import make_folders
from packager.host.metrics_folder import restart_with_metrics_folder
from packager.host.sockets import listening
from packager.runtime.service.packager_process import PackagerProcess
from packager.runtime.service.preflight import check_machine, check_writable, held
from packager.runtime.service.signals import until_signal
from packager.runtime.service.supervisor import Service, supervise
from packager.timing.clock import SystemClock


def _run(arguments: Namespace) -> None:
    config = load(arguments.config)
    configured_ffmpeg(config)
    check_machine(config)
    with listening(config.origin) as listeners:
        show(_addresses(config))
        service = Service(config.path, config.data, listeners, has_packager=True)
        asyncio.run(supervise(service))


def _addresses(config: LoadedConfig) -> str:
    """A line for each address of the service."""
    origin = config.origin
    control = f"http://{reachable(origin.control_host)}:{origin.control_port}/"
    lines = [f"Status page and players   {control}"]
    for name, channel in config.channels.items():
        base = f"http://{reachable(origin.host)}:{origin.port}/live/{name}"
        lines += [
            f"{name}: HLS     {base}/index.m3u8",
            f"{name}: DASH    {base}/index.mpd",
            f"{name}: Smooth  {base}/index.ism/Manifest",
        ]
        if channel.access.token_keys:
            lines.append(f"{name}: players need a token: ringside token -c {config.path} {name}")
    return "\n".join(lines)


def _packager(arguments: Namespace) -> None:
    config = load(arguments.config)
    # A hardware encoder that fails once is tried again: each channel restarts its ffmpeg.
    program = configured_ffmpeg(config, try_out=False)
    check_writable(config.data)
    restart_with_metrics_folder(config.data)
    with held(config.data):
        asyncio.run(until_signal(PackagerProcess(config, program, SystemClock()).serve()))


def _origin(arguments: Namespace) -> None:
    # Ladders and files of sources may be missing on the origin's machine.
    path: Path = arguments.config
    config = load_served(path)
    data = Path(os.path.abspath(path.parent / config.data))  # noqa: PTH100 - links stay
    make_folders(data, config.channels)
    with listening(config.origin) as listeners:
        asyncio.run(supervise(Service(path, data, listeners, has_packager=False)))


COMMANDS = {
    "run": Command(add_config, _run, ("ringside run -c profiles/demo.yaml",)),
    "packager": Command(add_config, _packager, ("ringside packager -c ringside.yaml",)),
    "origin": Command(add_config, _origin, ("ringside origin -c ringside.yaml",)),
}
