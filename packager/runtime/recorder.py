"""Records what passes on a line to a file, and never makes it wait.

Records go to a thread of their own behind a bounded queue. When the disk is full or does not keep
up, the recording ends, with one line in the log; the feed goes on.
"""

import asyncio
import os
import threading
from pathlib import Path
from typing import Self

import structlog

from packager.clock import Clock, SystemClock, monotonic
from packager.errors import SetupError
from packager.feed.container import Container
from packager.feed.recording import MAGIC, encode
from packager.feed.schedule import Connected, Disconnected, Event, Received
from packager.runtime.disk import append_whole
from packager.runtime.sources.line import Taker
from packager.ticks import MICROS

_MOST = 32 << 20
"""Bytes that wait for the disk: half a minute of 8 Mbit/s."""
_PATIENCE = 10.0
"""Seconds that the end waits for the disk."""


class _Writer(threading.Thread):
    """Appends to the file what is put into the queue."""

    def __init__(self, descriptor: int, path: Path, most: int) -> None:
        super().__init__(name="recorder", daemon=True)
        self._descriptor = descriptor
        self._path = path
        self._most = most
        self._ready = threading.Condition()
        self._queue: list[bytes] = []
        self._queued = 0
        self._over = False
        self.problem: str | None = None
        """Why it ended early."""

    def put(self, record: bytes) -> None:
        """Have `record` written; nothing, once it is over."""
        with self._ready:
            if self._over:
                return
            if self._queued + len(record) > self._most:
                self._queue.clear()
                self._give_up("the disk does not keep up")
            else:
                self._queue.append(record)
                self._queued += len(record)
            self._ready.notify()

    def finish(self) -> None:
        """Take no more; the thread ends once all of it is written."""
        with self._ready:
            self._over = True
            self._ready.notify()

    def _give_up(self, problem: str) -> None:
        self._over = True
        self.problem = problem
        structlog.get_logger().error("recording.stopped", file=str(self._path), problem=problem)

    def run(self) -> None:
        """Write until it is over."""
        try:
            while batch := self._next():
                append_whole(self._descriptor, [batch])
                with self._ready:
                    self._queued -= len(batch)
            os.fsync(self._descriptor)
        except OSError as error:
            with self._ready:
                if self.problem is None:
                    self._give_up(error.strerror or "the disk failed")
        finally:
            os.close(self._descriptor)

    def _next(self) -> bytes:
        """All that waits; nothing once it is over."""
        with self._ready:
            while not self._queue and not self._over:
                self._ready.wait()
            batch = b"".join(self._queue)
            self._queue.clear()
            return batch


class Recorder:
    """A taker that records what it hands on to another."""

    def __init__(
        self, taker: Taker, path: Path, clock: Clock | None = None, most: int = _MOST
    ) -> None:
        """Record to `path`, a new file, what comes for `taker`; `most` bytes wait for the disk.

        Raises:
            SetupError: there is such a file, or it cannot be made.
        """
        self._taker = taker
        self._there = False
        # A clock that is set while it records must not move what was recorded.
        self._began = (clock or SystemClock()).now()
        self._since = monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o644)
        except FileExistsError:
            raise SetupError(f"{path} exists: a recording starts with nothing") from None
        except OSError as error:
            raise SetupError(f"{path}: {error.strerror}") from error
        self._writer = _Writer(descriptor, path, most)
        self._writer.put(MAGIC)
        self._writer.start()
        self.connections = 0
        """How many there were."""
        self.size = 0
        """Bytes that came."""

    @property
    def problem(self) -> str | None:
        """Why the recording ended early, if it did."""
        return self._writer.problem

    def connected(self, container: Container, peer: str) -> None:
        """Somebody begins to send."""
        self._leave("another came")
        self._there = True
        self.connections += 1
        self._note(Connected(self._now(), container, peer))
        self._taker.connected(container, peer)

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._there:
            self.size += len(data)
            self._note(Received(self._now(), data))
        self._taker.received(data)

    def disconnected(self, reason: str) -> None:
        """The connection is over."""
        self._leave(reason)
        self._taker.disconnected(reason)

    def trouble(self, problem: str) -> None:
        """Something is wrong with the line itself: that is not recorded."""
        self._taker.trouble(problem)

    def _leave(self, reason: str) -> None:
        if self._there:
            self._there = False
            self._note(Disconnected(self._now(), reason))

    def _note(self, event: Event) -> None:
        self._writer.put(encode(event))

    def _now(self) -> int:
        return self._began + int((monotonic() - self._since) * MICROS)

    async def stopped(self) -> None:
        """Wait until nothing is recorded any more."""
        await asyncio.to_thread(self._writer.join)

    async def close(self) -> None:
        """End the recording; what came is on the disk then, if that takes it in time."""
        self._leave("the recording was ended")
        self._writer.finish()
        await asyncio.to_thread(self._writer.join, _PATIENCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
