"""`ringside check`: a configuration checked without starting anything."""

from argparse import Namespace

from packager.cli.command import Command, add_config, configured_ffmpeg, show
from packager.host.config_file import load


def _run(arguments: Namespace) -> None:
    config = load(arguments.config)
    configured_ffmpeg(config)
    count = len(config.channels)
    show(f"{arguments.config}: {count} channel{'s' * (count > 1)}, all right")


COMMANDS = {"check": Command(add_config, _run, ("ringside check -c ringside.yaml",))}
