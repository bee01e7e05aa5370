"""`ringside replay`: recorded files packaged on a virtual clock."""

import asyncio
from argparse import ArgumentParser, Namespace
from pathlib import Path

from packager.cli.command import Command, add_ffmpeg, show
from packager.errors import SetupError
from packager.runtime.ffmpeg import program
from packager.runtime.tools import replay
from packager.timing.ticks import MICROS, UtcMicros, parse_iso8601

_END = 4_102_444_800 * MICROS
"""2100-01-01T00:00:00Z."""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="media files, in order")
    parser.add_argument("--channel", required=True, metavar="NAME", help="name of the channel")
    parser.add_argument(
        "--start",
        required=True,
        metavar="TIME",
        help="UTC of the first frame, for example 2026-01-01T00:00:00Z",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the channel's folder"
    )
    parser.add_argument(
        "--ladder",
        default="passthrough",
        metavar="NAME",
        help="a shipped ladder or a .yaml file; default: passthrough",
    )
    add_ffmpeg(parser)


def _run(arguments: Namespace) -> None:
    job = replay.ReplayJob(
        files=tuple(arguments.files),
        channel=arguments.channel,
        start=_start(arguments.start),
        out=arguments.out,
        ladder=arguments.ladder,
        program=program.find(arguments.ffmpeg),
    )
    result = asyncio.run(replay.run(job))
    show(
        f"replayed {result.seconds:.1f} s of media to {result.folder}\n"
        f"HLS   {result.folder / 'index.m3u8'}\n"
        f"DASH  {result.folder / 'index.mpd'}"
    )


def _start(text: str) -> UtcMicros:
    try:
        start = parse_iso8601(text)
    except ValueError as error:
        raise SetupError(f"--start {text}: {error}") from error
    if not 0 <= start < _END:
        raise SetupError(f"--start {text}: not between the years 1970 and 2100")
    return start


COMMANDS = {
    "replay": Command(
        _add_arguments,
        _run,
        ("ringside replay feed.ts --channel demo --start 2026-01-01T00:00:00Z --out replayed",),
    )
}
