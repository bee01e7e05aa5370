"""`python -m origin -c FILE`: the origin process."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from socket import socket

from packager.clock import SystemClock
from packager.config import Config, parse_config
from packager.counting import count_together
from packager.errors import ConfigError, SetupError
from packager.listening import Listeners, listening
from packager.text_file import read

_CANNOT = 2


def main() -> None:
    """Serve what a configuration names; exits with 2 and one line where it cannot start."""
    parser = argparse.ArgumentParser(prog="python -m origin", description=__doc__)
    parser.add_argument("-c", "--config", type=Path, required=True, metavar="FILE")
    # The supervisor's listeners, which it keeps open while a worker starts: the worker's own, those
    # of the others, the control port's.
    parser.add_argument("--listeners", type=int, nargs="+", help=argparse.SUPPRESS)
    # A pipe that is written to once requests are served.
    parser.add_argument("--ready", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    path: Path = arguments.config
    try:
        config = parse_config(read(path, str(path)), str(path), os.environ, feeds=False)
        data = Path(os.path.abspath(path.parent / config.data))  # noqa: PTH100 - links stay
        if arguments.listeners is None:
            with listening(config.origin) as listeners:
                _serve(config, data, listeners, None)
        else:
            *public, control = (socket(fileno=number) for number in arguments.listeners)
            _serve(config, data, Listeners(tuple(public), control), arguments.ready)
    except (ConfigError, SetupError) as error:
        print(f"ringside: {error}", file=sys.stderr)  # noqa: T201 - a command speaks to a person
        sys.exit(_CANNOT)


def _serve(config: Config, data: Path, listeners: Listeners, ready: int | None) -> None:
    count_together(data)
    from origin.runtime.access_log import Writer  # noqa: PLC0415 - after the line above
    from origin.runtime.app import serve  # noqa: PLC0415 - the same
    from packager.logs import configure  # noqa: PLC0415 - the same

    writer = Writer()
    configure(writer.write)

    def tell() -> None:
        if ready is not None:
            os.write(ready, b"!")
            os.close(ready)

    try:
        asyncio.run(serve(config, data, listeners, SystemClock(), writer.write, tell))
    finally:
        writer.close()


if __name__ == "__main__":
    main()
