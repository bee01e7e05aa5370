"""Brings to the disk what a power loss would take, while everything else goes on."""

import os
from queue import Full, Queue
from threading import Thread

import structlog

_MOST = 64
"""Files that wait to be flushed: a disk slower than the media is not made slower yet."""


class Flusher:
    """Flushes files one after the other, in a thread of its own.

    Those that there are too many of are left to the kernel, which writes them within half a minute.
    """

    def __init__(self, channel: str) -> None:
        """Flush the files of `channel` until closed."""
        self._waiting: Queue[int | None] = Queue(_MOST)
        self._thread = Thread(target=self._work, name=f"flush-{channel}", daemon=True)
        self._log = structlog.get_logger().bind(channel=channel)
        self._thread.start()

    def flush(self, descriptor: int) -> None:
        """Flush an open file some time soon, then close it."""
        try:
            self._waiting.put_nowait(descriptor)
        except Full:
            os.close(descriptor)

    def _work(self) -> None:
        while (descriptor := self._waiting.get()) is not None:
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                # What that costs is known at the start after a power loss.
                self._log.warning("store.unflushed", problem=str(error))
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Return once all that waits is on the disk."""
        self._waiting.put(None)
        self._thread.join()
