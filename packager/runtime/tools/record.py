"""Records the bytes of a feed with their arrival times to a file, without delaying the feed.

A thread of its own writes the records from a bounded queue. If the disk is full or too slow, the
recording ends with one log line, and the feed continues.
"""

import asyncio
import contextlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import structlog

from packager.errors import SetupError, StoreError
from packager.feed.report import Container
from packager.impairment.recording import MAGIC, encode
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from packager.runtime.ingest.receiver import FeedSink, Receiver
from packager.runtime.storage.disk import append_whole
from packager.runtime.tools.progress import TransferCount
from packager.timing.clock import Clock, SystemClock, monotonic
from packager.timing.ticks import MICROS

_MAX_QUEUED = 32 << 20
"""Bytes that wait for the disk: half a minute of 8 Mbit/s."""
_CLOSE_TIMEOUT = 10.0
"""Seconds that the end of a recording waits for the disk."""


class _Writer(threading.Thread):
    """Appends the queued records to the file."""

    def __init__(self, descriptor: int, path: Path, max_queued: int) -> None:
        super().__init__(name="recorder", daemon=True)
        self._descriptor = descriptor
        self._path = path
        self._max_queued = max_queued
        self._changed = threading.Condition()
        self._queue: list[bytes] = []
        self._queued = 0
        self._finished = False
        self.problem: str | None = None
        """Why the recording ended early; None if it did not."""

    def put(self, record: bytes) -> None:
        """Queue `record`; a finished writer ignores it."""
        with self._changed:
            if self._finished:
                return
            if self._queued + len(record) > self._max_queued:
                self._queue.clear()
                self._give_up("the disk is too slow")
            else:
                self._queue.append(record)
                self._queued += len(record)
            self._changed.notify()

    def finish(self) -> None:
        """Accept no more records; the thread ends after it wrote the queue."""
        with self._changed:
            self._finished = True
            self._changed.notify()

    def _give_up(self, problem: str) -> None:
        self._finished = True
        self.problem = problem
        structlog.get_logger().error("recording.stopped", file=str(self._path), problem=problem)

    def run(self) -> None:
        """Write until the writer is finished and the queue is empty."""
        try:
            while batch := self._next():
                append_whole(self._descriptor, [batch])
                with self._changed:
                    self._queued -= len(batch)
            os.fsync(self._descriptor)
        except OSError as error:
            with self._changed:
                if self.problem is None:
                    self._give_up(error.strerror or "the disk failed")
        finally:
            os.close(self._descriptor)

    def _next(self) -> bytes:
        """All queued records; empty once the writer is finished."""
        with self._changed:
            while not self._queue and not self._finished:
                self._changed.wait()
            batch = b"".join(self._queue)
            self._queue.clear()
            return batch


class Recorder:
    """A FeedSink that records and forwards to another sink."""

    def __init__(
        self,
        sink: FeedSink,
        path: Path,
        clock: Clock | None = None,
        *,
        count: TransferCount | None = None,
        max_queued: int = _MAX_QUEUED,
    ) -> None:
        """Record to `path`, a new file; keep `count` up to date.

        Args:
            sink: receives the feed as well.
            path: of the recording.
            clock: read once, so that a step of the system clock does not move arrival times.
            count: connections and bytes of the recording.
            max_queued: bytes that may wait for the disk.

        Raises:
            SetupError: the file exists or cannot be made.
        """
        self._sink = sink
        self._is_connected = False
        self._began = (clock or SystemClock()).now()
        self._since = monotonic()
        self._writer = _Writer(_new_file(path), path, max_queued)
        self._writer.put(MAGIC)
        self._writer.start()
        self._count = count or TransferCount()

    @property
    def problem(self) -> str | None:
        """Why the recording ended early; None if it did not."""
        return self._writer.problem

    def connected(self, container: Container, peer: str) -> None:
        """See `FeedSink`; a connection that is still open ends."""
        self._end_connection("another connection began")
        self._is_connected = True
        self._count.connections += 1
        self._put(Connected(self._now(), container, peer))
        self._sink.connected(container, peer)

    def received(self, data: bytes) -> None:
        """See `FeedSink`."""
        if self._is_connected:
            self._count.size += len(data)
            self._put(Received(self._now(), data))
        self._sink.received(data)

    def disconnected(self, reason: str) -> None:
        """See `FeedSink`."""
        self._end_connection(reason)
        self._sink.disconnected(reason)

    def problem_reported(self, problem: str) -> None:
        """See `FeedSink`; a recording has no record for it."""
        self._sink.problem_reported(problem)

    def _end_connection(self, reason: str) -> None:
        if self._is_connected:
            self._is_connected = False
            self._put(Disconnected(self._now(), reason))

    def _put(self, event: Event) -> None:
        self._writer.put(encode(event))

    def _now(self) -> int:
        return self._began + int((monotonic() - self._since) * MICROS)

    async def stopped(self) -> None:
        """Wait until the recording has ended."""
        await asyncio.to_thread(self._writer.join)

    async def close(self) -> None:
        """End the recording and wait until the disk has it, at most for some seconds."""
        self._end_connection("the recording was ended")
        self._writer.finish()
        await asyncio.to_thread(self._writer.join, _CLOSE_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _new_file(path: Path) -> int:
    """The descriptor of a new file.

    Raises:
        SetupError: the file exists or cannot be made.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o644)
    except FileExistsError:
        raise SetupError(f"{path} exists: name a new file") from None
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error


class _LoggingSink:
    """A FeedSink that logs connections and ignores the bytes."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def connected(self, container: Container, peer: str) -> None:
        self._log.info("feed.connected", container=str(container), peer=peer)

    def received(self, data: bytes) -> None:
        """Log nothing."""

    def disconnected(self, reason: str) -> None:
        self._log.info("feed.disconnected", reason=reason)

    def problem_reported(self, problem: str) -> None:
        self._log.warning("feed.problem_reported", problem=problem)


@dataclass(frozen=True, slots=True)
class RecordingJob:
    """The file of a recording and its length."""

    out: Path
    seconds: float | None
    """None: until the recording is cancelled."""


async def record(receiver: Receiver, job: RecordingJob, count: TransferCount) -> None:
    """Record a feed; `count` is kept up to date. A recording without a connection is removed.

    Raises:
        SetupError: the file cannot be made.
        StoreError: the disk is full or too slow; the file has everything before that.
    """
    async with Recorder(_LoggingSink(), job.out, count=count) as recorder:
        receiving = asyncio.create_task(receiver.run(recorder))
        stopped = asyncio.create_task(recorder.stopped())
        try:
            await asyncio.wait(
                {receiving, stopped}, timeout=job.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await receiving
            await recorder.close()
            await stopped
            if not count.connections:
                await asyncio.to_thread(job.out.unlink, missing_ok=True)
    if recorder.problem is not None:
        raise StoreError(f"{job.out}: the recording stopped: {recorder.problem}")
