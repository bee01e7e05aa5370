"""What the machine must offer before anything starts."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from packager.errors import SetupError
from packager.layout import LOCK
from packager.runtime.config_file import LoadedConfig


def check_machine(config: LoadedConfig) -> None:
    """See that the data folder can be written and is free, and the ports for encoders, too.

    Raises:
        SetupError: it is not so.
    """
    check_writable(config.data)
    with held(config.data):
        pass
    from packager.runtime.ingest import check_ports  # noqa: PLC0415 - a packager starts without it

    sources = [source for channel in config.channels.values() for source in channel.sources]
    check_ports(config.ingest, sources)


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


@contextmanager
def held(data: Path) -> Generator[None]:
    """Be the only packager of the data folder; the kernel lets go of it with the process.

    Raises:
        SetupError: another one is.
    """
    try:
        descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(f"data directory {data}: another packager is at work there") from None
        yield
    finally:
        os.close(descriptor)
