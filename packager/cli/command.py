"""Parts that several commands share: their options, the configuration and the output."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from packager.config.quantities import parse_duration, quoted
from packager.errors import SetupError
from packager.host.config_file import LoadedConfig
from packager.runtime.ffmpeg import encoder_check, program


@dataclass(frozen=True, slots=True)
class Command:
    """One command of `ringside`."""

    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], None]
    """May raise RingsideError: its text becomes one line on standard error."""
    examples: tuple[str, ...]
    """Lines for a shell, shown at the end of the command's help."""


class FailedCheckError(Exception):
    """A command worked and found a problem: exit code 1, without a line on standard error."""


class OneLineParser(ArgumentParser):
    """Reports a wrong command line in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message} (options: {self.prog} --help)\n")


def show(text: str) -> None:
    """Print `text` on standard output."""
    print(text, flush=True)  # noqa: T201


def add_config(parser: ArgumentParser) -> None:
    """Add the required option `--config`."""
    parser.add_argument(
        "-c", "--config", type=Path, required=True, metavar="FILE", help="configuration (YAML)"
    )


def add_ffmpeg(parser: ArgumentParser) -> None:
    """Add the option `--ffmpeg`."""
    parser.add_argument(
        "--ffmpeg", metavar="PROGRAM", help="ffmpeg to use; default: the one of this installation"
    )


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A converter of an option whose value is an integer from `least` to `most`."""

    def convert(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise ArgumentTypeError(f"{quoted(text)} is not a whole number") from None
        if not least <= number <= most:
            raise ArgumentTypeError(f"{number} is not between {least} and {most}")
        return number

    return convert


def duration_of(option: str, text: str) -> Fraction:
    """Seconds that the value `text` of an option means.

    Raises:
        SetupError: `text` is not a duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise SetupError(f"{option}: {error}") from error


def channel_in(config: LoadedConfig, path: Path, name: str, option: str = "") -> str:
    """`name`, checked to be a channel of the configuration that was read from `path`.

    Raises:
        SetupError: the configuration has no such channel.
    """
    if name not in config.channels:
        channels = ", ".join(config.channels)
        raise SetupError(f"{option}{quoted(name)}: no such channel in {path} (it has {channels})")
    return name


def configured_ffmpeg(config: LoadedConfig, *, try_out: bool = True) -> str:
    """The path of the ffmpeg of `config`, checked to have all encoders of the ladders.

    `try_out` has each hardware encoder encode a few frames.

    Raises:
        SetupError: ffmpeg is missing or too old.
        ConfigError: an encoder is missing or does not work.
    """
    found = program.find(config.ffmpeg)
    ladders = [channel.ladder for channel in config.channels.values()]
    encoder_check.check(found, ladders, try_out=try_out)
    return found


def reachable(host: str) -> str:
    """The host for a URL of a server that listens on `host`."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
