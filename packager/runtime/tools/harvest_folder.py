"""The folder of a harvest: filled beside its place, and moved there once it is complete."""

import fcntl
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from packager.errors import DiskError, SetupError

_MARK = ".harvest"
"""A file in an incomplete folder; the harvest that fills the folder has it locked."""


@contextmanager
def new_folder(out: Path) -> Generator[Path]:
    """A folder to fill, which becomes `out` at the end of the block; a failure removes it.

    Raises:
        SetupError: `out` exists, or cannot be made.
        DiskError: a file could not be written.
    """
    # A link stays; the folder that it leads to is replaced.
    target = Path(os.path.realpath(out))
    partial = target.with_name(f"{target.name}.partial")
    try:
        if not _is_free(target):
            raise SetupError(f"{out} exists: name a new or an empty folder")
        if target.is_mount() or target == Path.cwd():
            raise SetupError(f"{out} cannot be replaced: name a folder in it")
        partial.parent.mkdir(parents=True, exist_ok=True)
        lock = _locked(partial)
    except OSError as error:
        raise SetupError(f"{out}: {error.strerror}") from error
    try:
        yield partial
        partial.rename(target)
        (target / _MARK).unlink()
    except OSError as error:
        raise DiskError(f"{error.filename or out}: {error.strerror}", error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(lock)


def _is_free(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        # Either `folder` is a file, or one of its parents is.
        if folder.exists():
            return False
        raise


def _locked(partial: Path) -> int:
    """Make `partial` an empty folder and lock it against other harvests; return the lock's file.

    The kernel removes the lock when the process ends, so the next harvest cleans up after a crash.
    """
    with suppress(FileExistsError):
        partial.mkdir()
    mark = partial / _MARK
    if partial.is_symlink() or not (mark.exists() or _is_free(partial)):
        raise SetupError(f"{partial} exists and is not the rest of a harvest: remove it")
    descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in partial.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != mark:
                path.unlink()
    except BlockingIOError:
        os.close(descriptor)
        raise SetupError(f"{partial}: another harvest is running there") from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
