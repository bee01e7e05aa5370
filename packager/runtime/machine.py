"""What the machine must offer before anything starts."""

import os
import socket
from pathlib import Path

from packager.errors import SetupError
from packager.runtime.config_file import LoadedConfig


def check_machine(config: LoadedConfig) -> None:
    """See that the data folder can be written and the ports are free.

    Raises:
        SetupError: one of them is not so.
    """
    check_writable(config.data)
    origin = config.origin
    _check_port(origin.host, origin.port)
    _check_port(origin.control_host, origin.control_port)


def check_writable(data: Path) -> None:
    """See that the data folder is there, or can be made, and can be written.

    Raises:
        SetupError: it cannot.
    """
    probe = data / f".writable-{os.getpid()}"
    try:
        data.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise SetupError(f"port {port} on {host}: {error.strerror}") from error
