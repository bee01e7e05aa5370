"""Output of a connection that the kernel has not taken yet. No byte is copied."""

import os
import socket
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from origin.http.response import FileSlice

Part = memoryview | FileSlice


class TruncatedFileError(OSError):
    """A file is shorter than recorded."""


class SendQueue:
    """Bytes and file slices, in the order in which they are sent."""

    __slots__ = ("_parts", "backlog", "progress", "size")

    def __init__(self, tick: float) -> None:
        """`tick`: monotonic seconds."""
        self._parts: deque[Part] = deque()
        self.progress = tick
        """Monotonic seconds at which the client last took bytes."""
        self.size = 0
        """Bytes in the queue."""
        self.backlog = 0
        """Bytes that were queued since the queue was last empty."""

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[Part]:
        return iter(self._parts)

    def add(self, part: Part, tick: float) -> None:
        """Queue a part, at `tick` monotonic seconds."""
        size = _size(part)
        self.backlog = self.backlog + size if self._parts else size
        self._parts.append(part)
        self.size += size
        self.progress = tick

    def flush(self, sock: socket.socket, tick: float) -> None:
        """Send as much as the kernel takes.

        Raises:
            OSError: the connection is broken, or a file is shorter than recorded.
        """
        self.progress = tick
        while self._parts:
            first = self._parts.popleft()
            if isinstance(first, FileSlice):
                rest: Part | None = send_file(sock, first)
            else:
                rest = send_bytes(sock, first)
            self.size -= _size(first) - (0 if rest is None else _size(rest))
            if rest is not None:
                self._parts.appendleft(rest)
                return

    def clear(self) -> None:
        """Drop all parts."""
        self._parts.clear()
        self.size = 0


def send_bytes(sock: socket.socket, data: memoryview, flags: int = 0) -> memoryview | None:
    """Send as much of `data` as the kernel takes; returns the rest, if any.

    Raises:
        OSError: the connection is broken.
    """
    try:
        sent = sock.send(data, flags)
    except (BlockingIOError, InterruptedError):
        return data
    return data[sent:] if sent < len(data) else None


def send_file(sock: socket.socket, part: FileSlice) -> FileSlice | None:
    """Send as much of an open file's slice as the kernel takes; returns the rest, if any.

    Raises:
        TruncatedFileError: the file is shorter than recorded.
        OSError: the connection is broken.
    """
    file, offset, left = part.file, part.offset, part.size
    if file is None:
        raise TypeError
    try:
        while left:
            sent = os.sendfile(sock.fileno(), file.descriptor, offset, left)
            if not sent:
                file.is_truncated = True
                raise TruncatedFileError
            offset += sent
            left -= sent
    except (BlockingIOError, InterruptedError):
        return replace(part, offset=offset, size=left)
    return None


def _size(part: Part) -> int:
    return part.size if isinstance(part, FileSlice) else len(part)
