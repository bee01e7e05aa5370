"""Appending to a file that a disk may have no room for."""

import os
from collections.abc import Sequence

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
