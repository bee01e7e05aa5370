"""`python -m origin -c FILE`: one origin process."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from socket import socket

from origin.runtime.app import serve
from origin.runtime.telemetry.access_log import LogWriter
from packager.config.schema.origin import ServedConfig
from packager.errors import ConfigError, SetupError
from packager.host.config_file import load_served
from packager.host.logs import configure
from packager.host.metrics_folder import restart_with_metrics_folder
from packager.host.sockets import Listeners, listening
from packager.timing.clock import SystemClock

_CANNOT = 2
"""Exit code for a wrong configuration or a wrong machine."""


def main() -> None:
    """Serve the channels of a configuration; exits with 2 if it cannot start."""
    arguments = _arguments()
    path: Path = arguments.config
    try:
        config = load_served(path)
        data = Path(os.path.abspath(path.parent / config.data))  # noqa: PTH100 - links stay
        restart_with_metrics_folder(data)
        if arguments.listeners is None:
            with listening(config.origin) as listeners:
                _serve(config, data, listeners, None)
        else:
            *public, control = (socket(fileno=number) for number in arguments.listeners)
            _serve(config, data, Listeners(tuple(public), control), arguments.ready)
    except (ConfigError, SetupError) as error:
        # Each line of a ConfigError begins with a file and a line: editors jump to it.
        prefix = "" if isinstance(error, ConfigError) else "ringside: "
        print(f"{prefix}{error}", file=sys.stderr)  # noqa: T201 - for a person
        sys.exit(_CANNOT)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m origin", description=__doc__)
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    # Sockets of the supervisor, which stay open while a worker restarts: this worker's public
    # socket, those of the other workers, the control port's.
    parser.add_argument("--listeners", type=int, nargs="+", help=argparse.SUPPRESS)
    # A pipe on which the worker reports that it serves.
    parser.add_argument("--ready", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _serve(config: ServedConfig, data: Path, listeners: Listeners, ready: int | None) -> None:
    writer = LogWriter()
    configure(writer.write)

    def report_ready() -> None:
        if ready is not None:
            os.write(ready, b"!")
            os.close(ready)

    try:
        asyncio.run(serve(config, data, listeners, SystemClock(), writer.write, report_ready))
    finally:
        writer.close()


if __name__ == "__main__":
    main()
