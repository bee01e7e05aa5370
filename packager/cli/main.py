"""The `ringside` command: finds the module of a command by its name and runs it."""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version
from typing import NamedTuple

from packager.cli.command import Command, FailedCheckError, OneLineParser
from packager.config.quantities import quoted
from packager.errors import ConfigError, RingsideError, SetupError
from packager.host import logs

_NOT_STARTED = 2
"""Exit code: the command line, the configuration or the machine is wrong."""
_FAILED = 1
"""Exit code: the command started and failed, or its result is negative."""


class _Entry(NamedTuple):
    module: str
    """Module of this package; its COMMANDS has the command."""
    summary: str


COMMANDS = {
    "run": _Entry("service", "Run packager and origin"),
    "check": _Entry("check", "Check a configuration; exit code 2 and one line a problem"),
    "schema": _Entry("schema", "Print the JSON schema of a configuration, a ladder or a device"),
    "packager": _Entry("service", "Run the packager alone"),
    "origin": _Entry("service", "Run the origin alone"),
    "top": _Entry("control", "Show all channels, feeds and viewers, live; Ctrl-C ends it"),
    "event": _Entry("control", "Start, end, remove or list events: named parts of a channel"),
    "harvest": _Entry("harvest", "Copy an event to files that any file server can serve"),
    "token": _Entry("playback_token", "Make a playback token for a channel that requires one"),
    "probe": _Entry("probe", "Inspect a feed; exit code 1 if the feed has a problem"),
    "ladder": _Entry("ladder", "Measure whether this machine encodes a ladder in real time"),
    "replay": _Entry("replay", "Package recorded files on a virtual clock"),
    "record": _Entry("recordings", "Record the bytes of a feed with their arrival times"),
    "extract": _Entry("recordings", "Write each connection of a recording to its own file"),
    "send": _Entry("recordings", "Send a recording or a media file in real time, with faults"),
}
"""Commands by name, in the order of the help. Only the module of the requested command is imported:
the libraries of a service take a second to load, and `ringside check` needs none of them."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command; exit with code 2 if it cannot start."""
    arguments = _parsed(sys.argv[1:] if argv is None else argv)
    logs.configure()
    try:
        arguments.run(arguments)
    except FailedCheckError:
        sys.exit(_FAILED)
    except (ConfigError, SetupError) as error:
        sys.exit(_report(error, _NOT_STARTED))
    except RingsideError as error:
        sys.exit(_report(error, _FAILED))
    except BrokenPipeError:
        # The reader of the output, such as `head`, has left. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _report(error: Exception, code: int) -> int:
    # Each line of a ConfigError begins with a file and a line: editors jump to it.
    prefix = "" if isinstance(error, ConfigError) else "ringside: "
    print(f"{prefix}{error}", file=sys.stderr)  # noqa: T201
    return code


def _parsed(argv: Sequence[str]) -> Namespace:
    name = next((word for word in argv if not word.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else " (commands: ringside --help)"
        sys.exit(_report(SetupError(f"no command {quoted(name)}{hint}"), _NOT_STARTED))
    parser = command_parser(name)
    arguments = parser.parse_args(argv)
    if "run" not in arguments:
        parser.print_help(sys.stderr)
        sys.exit(_report(SetupError("no command given"), _NOT_STARTED))
    return arguments


def command_parser(name: str | None) -> ArgumentParser:
    """The parser of all commands; only the command `name` has its options."""
    parser = OneLineParser(
        prog="ringside",
        description="Live HLS, DASH and Smooth packager and origin.",
        epilog="Help for a command: ringside COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=version("ringside"))
    commands = parser.add_subparsers(metavar="COMMAND", title="commands")
    for command, entry in COMMANDS.items():
        own = commands.add_parser(
            command,
            help=entry.summary,
            description=f"{entry.summary}.",
            formatter_class=RawDescriptionHelpFormatter,
        )
        if command == name:
            _complete(own, import_module(f"packager.cli.{entry.module}").COMMANDS[command])
    return parser


def _complete(parser: ArgumentParser, command: Command) -> None:
    """Add the options of `command`, its examples and its function."""
    command.add_arguments(parser)
    title = "examples" if len(command.examples) > 1 else "example"
    parser.epilog = "\n".join((f"{title}:", *(f"  {line}" for line in command.examples)))
    parser.set_defaults(run=command.run)
