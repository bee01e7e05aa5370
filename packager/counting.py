"""Counting in several processes: each writes its own files in one folder, one reads them all.

The files are mapped memory, and to touch a page that a full disk has no block for is SIGBUS, the
end of the process. So they lie in shared memory, which no media fills.
"""

import os
import stat
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from packager.errors import SetupError
from packager.layout import METRICS

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The library's own variable. Who sets it says where to count, such as in a folder that two
containers share."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there is looked at before it is used


def count_together(data: Path) -> None:
    """Have this process's metrics counted in the data folder's common place.

    Call it before any metric is made: prometheus_client decides at their creation.

    Raises:
        SetupError: there is no such place.
    """
    try:
        os.environ[_FOLDER] = str(_place(data))
    except OSError as error:
        raise SetupError(f"data directory {data}: {error.strerror}") from error
    from prometheus_client import values  # noqa: PLC0415 - reads the line above when imported

    # It would ask the kernel for the process id at every count, in case of a fork: none here.
    process = os.getpid()
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]


def forget(data: Path) -> None:
    """Remove what was counted: a service begins at zero, and leaves nothing when it ends."""
    with suppress(OSError):
        folder = _place(data)
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
        folder.rmdir()  # unless somebody has something else there


def forget_process(data: Path, process: int) -> None:
    """Have what a process that has ended said of itself, such as its connections, count no more."""
    with suppress(OSError):
        for file in _place(data).glob(f"gauge_live*_{process}.db"):
            file.unlink(missing_ok=True)


def _place(data: Path) -> Path:
    """The folder where all processes of a data folder count, made if need be.

    Raises:
        OSError: it cannot be made.
    """
    if given := os.environ.get(_FOLDER):
        folder = Path(given)
    else:
        key = blake2b(os.fsencode(data.resolve()), digest_size=8).hexdigest()
        folder = _SHARED_MEMORY / f"ringside-{os.geteuid()}-{key}"
        if _is_private(folder):
            return folder
        folder = data / METRICS
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _is_private(folder: Path) -> bool:
    """Whether `folder`, made if need be, is ours alone: anybody may have made it, or a link."""
    with suppress(OSError):
        folder.mkdir(mode=stat.S_IRWXU)
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (found.st_mode, found.st_uid) == (stat.S_IFDIR | stat.S_IRWXU, os.geteuid())
