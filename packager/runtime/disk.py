"""Appending to a file that a disk may have no room for, and bringing it there."""

import os
from collections.abc import Sequence
from pathlib import Path

from packager.cmaf.boxes import Buffer


def append_whole(descriptor: int, parts: Sequence[Buffer]) -> int:
    """Append all of `parts`, or nothing; the bytes that they are.

    Raises:
        OSError: they could not be written whole.
    """
    wanted = sum(map(len, parts))
    written = os.writev(descriptor, parts)
    if written != wanted:
        # What comes short says not why; the next write does.
        before = os.fstat(descriptor).st_size - written
        data = memoryview(b"".join(parts))
        try:
            while written < wanted:
                written += os.write(descriptor, data[written:])
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    return wanted


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk.

    Raises:
        OSError: they could not be.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
