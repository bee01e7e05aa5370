"""Bodies at hand: small ones in this process's memory, large ones in the kernel's.

All that reads waits for the disk: call it in a thread.
"""

import os
from dataclasses import replace
from pathlib import Path

from origin.answer import Slice
from packager.errors import StoreError

_FROM_FILE = 1 << 16
"""Bytes from which on the kernel sends a body faster from a file than from memory."""
MOST_FILES = 4096
"""That are open for bodies; beyond it they are in memory."""
_PIECE = 1 << 20
"""Bytes that are read at once."""


def at_hand(body: Slice) -> bytes | Slice:
    """What a file holds, in memory: this process's, or the kernel's if it is much.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    if body.size < _FROM_FILE or OpenFile.count >= MOST_FILES:
        return read_slice(body, body.size)
    return _opened(body)


def made(body: bytes) -> bytes | Slice:
    """What was made here: in the kernel's memory if it is much, and if there is room."""
    if len(body) < _FROM_FILE or OpenFile.count >= MOST_FILES:
        return body
    try:
        file = OpenFile(os.memfd_create("body", os.MFD_CLOEXEC))
        with open(file.descriptor, "wb", closefd=False) as stream:
            stream.write(body)
    except OSError:
        return body
    return Slice("", 0, len(body), file)


def read_slice(body: Slice, size: int) -> bytes:
    """The first `size` bytes, in one step.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    try:
        with Path(path_of(body)).open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < body.offset + body.size:
                raise StoreError(f"{body.path} is shorter than its record says")
            return os.pread(file.fileno(), size, body.offset)
    except OSError as error:
        raise StoreError(str(error)) from error


def path_of(body: Slice) -> str:
    """Where to open the file of a body again: the name of one that is open may be gone."""
    return body.path if body.file is None else f"/proc/self/fd/{body.file.descriptor}"


class OpenFile:
    """A file that is open as long as somebody knows it."""

    __slots__ = ("descriptor", "short")

    count = 0
    """Of all that are open."""

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor."""
        self.descriptor = descriptor
        self.short = False
        OpenFile.count += 1

    def __del__(self) -> None:
        OpenFile.count -= 1
        os.close(self.descriptor)


def _opened(body: Slice) -> Slice:
    """`body` with its file open and its bytes in the kernel's memory, all workers' in common.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    try:
        file = OpenFile(os.open(body.path, os.O_RDONLY | os.O_CLOEXEC))
        buffer = bytearray(min(body.size, _PIECE))
        at, end = body.offset, body.offset + body.size
        while at < end:
            read = os.preadv(file.descriptor, [memoryview(buffer)[: end - at]], at)
            if not read:
                raise StoreError(f"{body.path} is shorter than its record says")
            at += read
    except OSError as error:
        raise StoreError(str(error)) from error
    return replace(body, file=file)
