"""The ports of an origin."""

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from packager.config import OriginConfig
from packager.errors import SetupError

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
