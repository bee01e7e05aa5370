"""Flushes written files to the disk, so that a power loss takes little; no writer waits for it."""

import os
from queue import Full, Queue
from threading import Thread

import structlog

LONGEST_QUEUE = 64
"""Files that wait to be flushed. More would only slow down a disk that is too slow already."""


class FsyncQueue:
    """Flushes files one after the other, in a thread of its own.

    Files beyond the limit are left to the kernel, which writes them within half a minute.
    """

    def __init__(self, channel: str) -> None:
        """Flush the files of `channel` until closed."""
        self._waiting: Queue[int | None] = Queue(LONGEST_QUEUE)
        self._thread = Thread(target=self._work, name=f"flush-{channel}", daemon=True)
        self._log = structlog.get_logger().bind(channel=channel)
        self._thread.start()

    def flush(self, descriptor: int) -> None:
        """Flush an open file soon, then close it."""
        try:
            self._waiting.put_nowait(descriptor)
        except Full:
            os.close(descriptor)

    def _work(self) -> None:
        while (descriptor := self._waiting.get()) is not None:
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                # After a power loss, the next start finds the missing bytes.
                self._log.warning("store.flush_failed", problem=str(error))
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Return once all waiting files are on the disk."""
        self._waiting.put(None)
        self._thread.join()
