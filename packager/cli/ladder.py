"""`ringside ladder`: whether this machine encodes a ladder in real time, and at what cost."""

import asyncio
from argparse import ArgumentParser, Namespace

import msgspec
from rich.console import Console

from packager.cli.command import Command, FailedCheckError, add_ffmpeg, show
from packager.diagnostics import trial_report
from packager.errors import ConfigError, RingsideError, SetupError
from packager.runtime.ffmpeg import program
from packager.runtime.service.signals import leave_on_signals
from packager.runtime.tools import ladder_trial


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("ladder", metavar="PROFILE", help="a shipped ladder or a .yaml file")
    parser.add_argument(
        "--source", metavar="FILE", help="media file, looped; default: the test pattern"
    )
    parser.add_argument(
        "--seconds", type=int, default=20, metavar="N", help="seconds of media; default: 20"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_ffmpeg(parser)


def _run(arguments: Namespace) -> None:
    job = ladder_trial.TrialJob(
        ladder=arguments.ladder,
        source=arguments.source,
        seconds=arguments.seconds,
        program=program.find(arguments.ffmpeg),
    )
    leave_on_signals()
    try:
        result = asyncio.run(ladder_trial.run(job))
    except (ConfigError, SetupError):
        raise
    except RingsideError as error:
        # Exit code 1 stands for a ladder that is too slow. A failed trial is code 2.
        raise SetupError(str(error)) from error
    if arguments.json:
        show(msgspec.json.encode(result).decode())
    else:
        trial_report.show(result, Console())
    if not result.holds:
        raise FailedCheckError


COMMANDS = {
    "ladder": Command(
        _add_arguments,
        _run,
        (
            "ringside ladder sports-1080p50",
            "ringside ladder my-ladder.yaml --source feed.ts --seconds 60",
        ),
    )
}
