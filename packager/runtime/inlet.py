"""The way of a feed's bytes into ffmpeg: its standard input, as a pipe that never blocks."""

import asyncio
import fcntl
import os
from collections import deque
from contextlib import suppress

_PIPE_SIZE = 1 << 20
_MOST = 128 << 20
"""Bytes that wait for ffmpeg: half a minute of a very good feed."""


class Inlet:
    """The writing end of a pipe that a child reads from."""

    def __init__(self) -> None:
        """Make the pipe."""
        self.read_end, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        with suppress(OSError):
            fcntl.fcntl(self._writing, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        self._waiting: deque[memoryview] = deque()
        self._held = 0
        self._watched = False
        """The loop is to say when there is room in the pipe."""
        self._ending = False
        self.overrun = False
        """More came than the child takes: some was dropped."""

    def started(self) -> None:
        """The child has its end: let go of ours."""
        if self.read_end >= 0:
            os.close(self.read_end)
            self.read_end = -1

    def write(self, data: bytes) -> None:
        """Hand on `data`, after all that waits."""
        if self._ending or self._writing < 0:
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
            self._watched = True
        self._waiting.append(view)
        self._held += len(view)

    def _write(self, view: memoryview) -> int:
        try:
            return os.write(self._writing, view)
        except BlockingIOError:
            return 0
        except OSError:  # the child is gone, and whoever runs it will know
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
        self._watch_no_more()
        if self._ending:
            self.close()

    def _watch_no_more(self) -> None:
        if self._watched:
            asyncio.get_running_loop().remove_writer(self._writing)
            self._watched = False

    def end(self) -> None:
        """No more comes: the child is told once it has what waits."""
        self._ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """Let go of both ends, and of what waits."""
        self.started()
        if self._writing >= 0:
            # Before it is closed: the loop would take the next with its number for it.
            self._watch_no_more()
            os.close(self._writing)
            self._writing = -1
        self._waiting.clear()
        self._held = 0
