"""The folder that all processes of a service keep their metrics in; one process reads them all.

prometheus_client maps these files into memory. If the disk is full, a write to a mapped page ends
the process with SIGBUS. So the folder lies in shared memory, which no media fills.
"""

import os
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from packager.errors import SetupError
from packager.layout import METRICS

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client reads it once, when it is imported. An operator may set it, for example to a
folder that two containers share."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the owner and the mode are checked before use


def metrics_folder(data: Path, environment: Mapping[str, str]) -> Path:
    """The metrics folder of a data folder; made if it is missing.

    Raises:
        SetupError: the folder cannot be made.
    """
    try:
        return _folder(data, environment)
    except OSError as error:
        raise SetupError(f"metrics folder of {data}: {error.strerror}") from error


def with_metrics_folder(data: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` for a process that keeps its metrics in the metrics folder of `data`.

    Raises:
        SetupError: the folder cannot be made.
    """
    return {**environment, VARIABLE: str(metrics_folder(data, environment))}


def restart_with_metrics_folder(data: Path) -> None:
    """Start this program over with the metrics folder of `data` in its environment.

    Returns at once if the environment has it: a supervisor started this process, or this function.
    The process keeps its id.

    Raises:
        SetupError: the folder cannot be made.
    """
    environment = with_metrics_folder(data, os.environ)
    if not os.environ.get(VARIABLE):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606


def clear(data: Path) -> None:
    """Remove all metrics: counters start at zero with the service and end with it."""
    with suppress(OSError):
        folder = _folder(data, os.environ)
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
        folder.rmdir()  # fails if the folder has other files, and then stays


def clear_process(data: Path, pid: int) -> None:
    """Remove the gauges of a process that has ended, such as its open connections."""
    with suppress(OSError):
        for file in _folder(data, os.environ).glob(f"gauge_live*_{pid}.db"):
            file.unlink(missing_ok=True)


def _folder(data: Path, environment: Mapping[str, str]) -> Path:
    """The metrics folder, made if it is missing.

    Raises:
        OSError: it cannot be made.
    """
    if configured := environment.get(VARIABLE):
        folder = Path(configured)
    else:
        key = blake2b(os.fsencode(data.resolve()), digest_size=8).hexdigest()
        folder = _SHARED_MEMORY / f"ringside-{os.geteuid()}-{key}"
        if _is_private(folder):
            return folder
        folder = data / METRICS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_private(folder: Path) -> bool:
    """Whether only this user can use `folder`, which is made if it is missing.

    Every user of the machine can make a folder or a link of this name in shared memory.
    """
    with suppress(OSError):
        folder.mkdir(mode=stat.S_IRWXU)
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (found.st_mode, found.st_uid) == (stat.S_IFDIR | stat.S_IRWXU, os.geteuid())
