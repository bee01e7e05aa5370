"""The ports of an origin, and the ports and the socket of a packager."""

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

    public: tuple[socket.socket, ...]
    """One for each worker; the kernel spreads who comes over them (SO_REUSEPORT)."""
    control: socket.socket

    def of(self, worker: int) -> "Listeners":
        """The same, with the socket of a worker first."""
        return Listeners(self.public[worker:] + self.public[:worker], self.control)

    def descriptors(self) -> list[int]:
        """The kernel's numbers: the control port's last."""
        return [listener.fileno() for listener in (*self.public, self.control)]


@contextmanager
def listening(origin: OriginConfig) -> Generator[Listeners]:
    """Listen on the ports of `origin` until left.

    Raises:
        SetupError: a port cannot be had.
    """
    with ExitStack() as stack:
        if origin.workers > 1:
            # Whoever shares a port does not notice that somebody else had it alone or shares it.
            listen_at(origin.host, origin.port).close()
        public = [
            stack.enter_context(listen_at(origin.host, origin.port, shared=origin.workers > 1))
            for _ in range(origin.workers)
        ]
        control = stack.enter_context(listen_at(origin.control_host, origin.control_port))
        yield Listeners(tuple(public), control)


def listen_at(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen there; `shared`: others do so too.

    Raises:
        SetupError: the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
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
