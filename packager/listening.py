"""The ports of an origin, and the socket of a packager."""

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from packager.config import OriginConfig
from packager.errors import SetupError
from packager.layout import CONTROL

BACKLOG = 4096
"""Connections that wait to be taken: the kernel's own limit on most machines."""


class Listeners(NamedTuple):
    """Sockets that listen."""

    public: socket.socket
    control: socket.socket


@contextmanager
def listening(origin: OriginConfig) -> Generator[Listeners]:
    """Listen on the ports of `origin` until left.

    Raises:
        SetupError: a port cannot be had.
    """
    with ExitStack() as stack:
        yield Listeners(
            stack.enter_context(_listen(origin.host, origin.port)),
            stack.enter_context(_listen(origin.control_host, origin.control_port)),
        )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # The library adds the address to the kernel's words; a name's error has words of its own.
        number = error.errno or 0
        reason = os.strerror(number) if number > 0 else error.strerror
        raise SetupError(f"port {port} on {host}: {reason}") from error


@contextmanager
def control_address(data: Path) -> Generator[str]:
    """A path to the packager's socket that is short enough for one, whatever the folder's is.

    Raises:
        OSError: there is no such folder.
    """
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{CONTROL}"
    finally:
        os.close(folder)
