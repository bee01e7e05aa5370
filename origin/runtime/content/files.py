"""Bodies in memory: small ones in this process's, large ones in the kernel's.

The functions that read wait for the disk: call them in a thread.
"""

import os
from dataclasses import replace

from origin.http.response import FileSlice
from packager.errors import StoreError

_FROM_FILE = 1 << 16
"""Bytes from which on sendfile from a file is faster than a copy from memory."""
MOST_FILES = 4096
"""Open files of bodies; further bodies are kept in this process's memory."""
_PIECE = 1 << 20
"""Bytes of one read."""


def load_body(body: FileSlice) -> bytes | FileSlice:
    """The bytes of a file's slice, or the slice with its file open and in the page cache.

    Raises:
        StoreError: the file is shorter than recorded.
    """
    if body.size < _FROM_FILE or OpenFile.count >= MOST_FILES:
        return read_slice(body, body.size)
    return _opened(body)


def in_kernel_memory(body: bytes) -> bytes | FileSlice:
    """`body`, moved to an anonymous file in the kernel's memory if it is large."""
    if len(body) < _FROM_FILE or OpenFile.count >= MOST_FILES:
        return body
    try:
        file = OpenFile(os.memfd_create("body", os.MFD_CLOEXEC))
        with open(file.descriptor, "wb", closefd=False) as stream:
            stream.write(body)
    except OSError:
        return body
    return FileSlice("", 0, len(body), file)


def read_slice(body: FileSlice, size: int) -> bytes:
    """The first `size` bytes of a slice.

    Raises:
        StoreError: the file is shorter than recorded.
    """
    try:
        file = open_again(body)
        if os.fstat(file.descriptor).st_size < body.offset + body.size:
            raise StoreError(f"{body.path} is shorter than recorded")
        return os.pread(file.descriptor, size, body.offset)
    except OSError as error:
        raise StoreError(str(error)) from error


def open_again(body: FileSlice) -> "OpenFile":
    """The body's file with a position of its own. The name of an open file may have been removed.

    Raises:
        OSError: it cannot be opened.
    """
    path = body.path if body.file is None else f"/proc/self/fd/{body.file.descriptor}"
    return OpenFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


class OpenFile:
    """A file that is open as long as an object refers to it."""

    __slots__ = ("descriptor", "is_truncated")

    count = 0
    """Open files of this process's bodies."""

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor."""
        self.descriptor = descriptor
        self.is_truncated = False
        OpenFile.count += 1

    def __del__(self) -> None:
        OpenFile.count -= 1
        os.close(self.descriptor)


def _opened(body: FileSlice) -> FileSlice:
    """`body` with its file open and its bytes in the page cache, which all workers share.

    Raises:
        StoreError: the file is shorter than recorded.
    """
    try:
        file = open_again(body)
        buffer = bytearray(min(body.size, _PIECE))
        at, end = body.offset, body.offset + body.size
        while at < end:
            read = os.preadv(file.descriptor, [memoryview(buffer)[: end - at]], at)
            if not read:
                raise StoreError(f"{body.path} is shorter than recorded")
            at += read
    except OSError as error:
        raise StoreError(str(error)) from error
    return replace(body, file=file)
