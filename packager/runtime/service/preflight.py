"""Checks of the machine before anything starts."""

import fcntl
import os
from collections.abc import Generator, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path

from packager.config.sources import CmafSource, IngestConfig, PushSource, RtmpSource, Source
from packager.errors import SetupError
from packager.host.config_file import LoadedConfig
from packager.host.sockets import listen_at
from packager.layout import LOCK


def check_machine(config: LoadedConfig) -> None:
    """See that the data folder is writable and not in use, and that encoders' ports are free.

    Raises:
        SetupError: one of that is not so.
    """
    check_writable(config.data)
    with held(config.data):
        pass
    sources = (source for channel in config.channels.values() for source in channel.sources)
    _check_ports(config.ingest, {type(source) for source in sources})


def _check_ports(config: IngestConfig, kinds: AbstractSet[type[Source]]) -> None:
    """See that the ports for sources of these kinds are free.

    Raises:
        SetupError: one is not.
    """
    for port in _ports(config, kinds):
        listen_at(config.host, port).close()


def _ports(config: IngestConfig, kinds: AbstractSet[type[Source]]) -> Iterator[int]:
    if RtmpSource in kinds:
        yield config.rtmp_port
        if config.rtmps_port is not None:
            yield config.rtmps_port
    if kinds & {PushSource, CmafSource}:
        yield config.http_port


def check_writable(data: Path) -> None:
    """See that the data folder exists or can be made, and is writable.

    Raises:
        SetupError: it is not.
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
    """Lock the data folder for one packager; the kernel unlocks it when the process ends.

    Raises:
        SetupError: another packager has locked it.
    """
    try:
        descriptor = os.open(data / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SetupError(f"data directory {data}: another packager uses it") from None
        yield
    finally:
        os.close(descriptor)
