"""Appends to files on a disk that may be full; flushes folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from packager.cmaf.boxes import Buffer


def append_whole(descriptor: int, parts: Sequence[Buffer]) -> int:
    """Append all of `parts`, or nothing; returns their size in bytes.

    Raises:
        OSError: they could not be written completely.
    """
    wanted = sum(map(len, parts))
    written = os.writev(descriptor, parts)
    if written != wanted:
        # A short write has no error; the next write has.
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
    """Flush the names in a folder to the disk.

    Raises:
        OSError: the flush failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
