"""ffmpeg's standard input: a pipe that never blocks the writer."""

import asyncio
import fcntl
import os
from collections import deque
from contextlib import suppress

_PIPE_SIZE = 1 << 20
_MOST = 128 << 20
"""Bytes that wait for ffmpeg: half a minute of 34 Mbit/s."""


class StdinPipe:
    """The writing end of a pipe that a child reads from."""

    def __init__(self) -> None:
        """Open the pipe."""
        self.read_end, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        with suppress(OSError):
            fcntl.fcntl(self._writing, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._waiting: deque[memoryview] = deque()
        self._held = 0
        self._is_watched = False
        """Whether the loop waits for room in the pipe."""
        self.is_ending = False
        """Whether `end` was called."""
        self.overrun = False
        """Whether bytes were dropped because the child reads too slowly."""

    @property
    def is_closed(self) -> bool:
        """Whether no more bytes can be sent: `close` was called, or the child has ended."""
        return self._writing < 0

    def started(self) -> None:
        """Close the reading end, which the child has inherited."""
        if self.read_end >= 0:
            os.close(self.read_end)
            self.read_end = -1

    def write(self, data: bytes) -> None:
        """Send `data` after all bytes that wait."""
        if self.is_ending or self._writing < 0:
            return
        if self._held > _MOST:
            self.overrun = True
            return
        view = memoryview(data)
        if not self._waiting:
            view = view[self._write(view) :]
            if not view:
                return
            if self._writing < 0:
                return
            asyncio.get_running_loop().add_writer(self._writing, self._go_on)
            self._is_watched = True
        self._waiting.append(view)
        self._held += len(view)

    def _write(self, view: memoryview) -> int:
        try:
            return os.write(self._writing, view)
        except BlockingIOError:
            return 0
        except OSError:  # the child has ended, which its session reports
            self.close()
            return len(view)

    def _go_on(self) -> None:
        while self._waiting:
            first = self._waiting.popleft()
            sent = self._write(first)
            self._held -= min(sent, len(first))
            if self._writing < 0:
                return
            if sent < len(first):
                self._waiting.appendleft(first[sent:])
                return
        self._stop_watching()
        if self.is_ending:
            self.close()

    def _stop_watching(self) -> None:
        if self._is_watched:
            asyncio.get_running_loop().remove_writer(self._writing)
            self._is_watched = False

    def end(self) -> None:
        """Close the pipe once the child has read all bytes that wait."""
        self.is_ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Close both ends, and drop the bytes that wait."""
        self.started()
        if self._writing >= 0:
            # First of all: the loop would take the next file of this number for the pipe.
            self._stop_watching()
            os.close(self._writing)
            self._writing = -1
        self._waiting.clear()
        self._held = 0
