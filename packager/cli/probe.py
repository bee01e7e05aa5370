"""`ringside probe`: the properties and the problems of a feed."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from packager.cli.command import Command, FailedCheckError, add_ffmpeg, show, whole_number
from packager.diagnostics import probe_report
from packager.host.ladder_files import load_ladder
from packager.runtime.ffmpeg import program
from packager.runtime.tools import probe


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("target", metavar="FILE|URL", help="feed: a media file or a URL")
    parser.add_argument(
        "--seconds",
        type=whole_number(1, 3600),
        metavar="N",
        help="how long to read, 1 to 3600; default: 10, or a file to its end",
    )
    parser.add_argument(
        "--ladder", metavar="NAME", help="check the feed for a shipped ladder or a .yaml file"
    )
    parser.add_argument(
        "--program",
        type=whole_number(1, 65535),
        metavar="N",
        help="program number, if the transport stream has several",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_ffmpeg(parser)


def _run(arguments: Namespace) -> None:
    ladder = arguments.ladder
    job = probe.ProbeJob(
        target=arguments.target,
        seconds=arguments.seconds,
        ladder=None if ladder is None else load_ladder(ladder, Path(), "--ladder"),
        program=arguments.program,
        ffmpeg=program.find(arguments.ffmpeg),
    )
    result = asyncio.run(probe.run(job))
    if arguments.json:
        show(probe_report.as_json(result).decode())
    else:
        probe_report.show(result, Console())
    if result.advice:
        raise FailedCheckError


COMMANDS = {
    "probe": Command(
        _add_arguments,
        _run,
        (
            "ringside probe feed.ts --ladder sports-1080p50",
            "ringside probe udp://239.0.0.1:5000 --seconds 30 --json",
        ),
    )
}
