"""Listening sockets of origin and packager, and the packager's control socket."""

import errno
import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from packager.config.schema.origin import OriginConfig
from packager.errors import SetupError
from packager.layout import CONTROL

BACKLOG = 4096
"""Connections that wait to be accepted: the kernel's own limit on most machines."""


class Listeners(NamedTuple):
    """The listening sockets of an origin."""

    public: tuple[socket.socket, ...]
    """One for each worker; the kernel spreads connections over them (SO_REUSEPORT)."""
    control: socket.socket

    def of(self, worker: int) -> "Listeners":
        """The same sockets, with the one of this worker first."""
        return Listeners(self.public[worker:] + self.public[:worker], self.control)

    def descriptors(self) -> list[int]:
        """The file descriptors; the control port's is the last."""
        return [listener.fileno() for listener in (*self.public, self.control)]


@contextmanager
def listening(origin: OriginConfig) -> Generator[Listeners]:
    """Listen on the ports of `origin` until left.

    Raises:
        SetupError: a port cannot be used.
    """
    with ExitStack() as stack:
        if origin.workers > 1:
            # With SO_REUSEPORT the kernel does not report that another program uses the port.
            listen_at(origin.host, origin.port).close()
        public = [
            stack.enter_context(listen_at(origin.host, origin.port, shared=origin.workers > 1))
            for _ in range(origin.workers)
        ]
        control = stack.enter_context(listen_at(origin.control_host, origin.control_port))
        yield Listeners(tuple(public), control)


def listen_at(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen at a port; `shared` sets SO_REUSEPORT, for several workers.

    Raises:
        SetupError: the port cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=shared)
    except OSError as error:
        raise SetupError(f"port {port} on {host}: {listen_problem(error)}") from error


_REMEDIES = {
    errno.EADDRINUSE: "stop the program that uses it, or configure another port",
    errno.EADDRNOTAVAIL: "configure an address of this machine",
    errno.EACCES: "configure a port from 1024 on, or allow lower ports (CAP_NET_BIND_SERVICE)",
}


def listen_problem(error: OSError) -> str:
    """Why a port cannot be opened, with the remedy."""
    number = error.errno or 0
    # The library appends the address to the kernel's text. Negative numbers are name errors.
    reason = os.strerror(number) if number > 0 else error.strerror or str(error)
    remedy = _REMEDIES.get(number)
    return f"{reason}: {remedy}" if remedy else reason


@contextmanager
def control_address(data: Path) -> Generator[str]:
    """A path to the packager's control socket, short enough even if the folder's path is long.

    Raises:
        OSError: there is no such folder.
    """
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{CONTROL}"
    finally:
        os.close(folder)
