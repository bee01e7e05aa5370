"""`ringside harvest`: an event copied to files that any file server can serve."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from packager.cli.command import Command, add_config, channel_in, show
from packager.host.config_file import load
from packager.runtime.ffmpeg import program
from packager.runtime.service.signals import leave_on_signals
from packager.runtime.tools import harvest
from packager.timing.clock import SystemClock


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("event", metavar="EVENT", help="name of the event")
    add_config(parser)
    parser.add_argument(
        "--channel", metavar="NAME", help="required if several channels have such an event"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder to make, or an empty one"
    )
    parser.add_argument(
        "--mp4", action="store_true", help="add one MP4 file with the best rendition"
    )


def _run(arguments: Namespace) -> None:
    config = load(arguments.config)
    names = list(config.channels)
    if arguments.channel is not None:
        names = [channel_in(config, arguments.config, arguments.channel, "--channel ")]
    job = harvest.HarvestJob(
        event=arguments.event,
        folders={name: config.data / name for name in names},
        out=arguments.out,
        program=program.find(config.ffmpeg) if arguments.mp4 else None,
    )
    leave_on_signals()
    result = harvest.run(job, SystemClock().now())
    if result.shortfall is not None:
        print(f"ringside: {result.shortfall}", file=sys.stderr)  # noqa: T201
    show(f"harvested to {result.out}")


COMMANDS = {
    "harvest": Command(
        _add_arguments, _run, ("ringside harvest fight -c ringside.yaml --out fight --mp4",)
    )
}
