"""Reads many connections together, a hundred times a second.

A stream of 6 Mbit/s arrives in five hundred packets a second. An event loop that wakes for each
packet spends more time on waking than on the bytes. Bytes therefore wait for the next batch, 5 ms
on average.
"""

import asyncio
import os
from collections.abc import Callable

_INTERVAL = 0.01
"""Seconds between two batches."""


class BatchedReader:
    """Reads the added connections in batches."""

    def __init__(self, buffer: memoryview) -> None:
        """Read into `buffer`, one connection after the other."""
        self._buffers = [buffer]
        self._connections: dict[asyncio.Transport, tuple[int, Callable[[int], None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.Transport, read: Callable[[int], None]) -> None:
        """Read `transport` in batches; the transport itself stops reading.

        `read` gets the number of bytes in the buffer. It must not raise an exception, since that
        would skip the other connections.
        """
        transport.pause_reading()
        self._connections[transport] = transport.get_extra_info("socket").fileno(), read
        self._schedule()

    def remove(self, transport: asyncio.Transport) -> None:
        """Let an added transport read for itself again. Call this before closing it."""
        if self._connections.pop(transport, None) is not None:
            transport.resume_reading()

    def _schedule(self) -> None:
        if self._connections and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._read_all)

    def _read_all(self) -> None:
        for transport, (descriptor, read) in list(self._connections.items()):
            if transport in self._connections:  # the bytes of another connection may close it
                self._read(transport, descriptor, read)
        self._timer = None
        self._schedule()

    def _read(
        self, transport: asyncio.Transport, descriptor: int, read: Callable[[int], None]
    ) -> None:
        try:
            count = os.readv(descriptor, self._buffers)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if count:
            read(count)
        else:
            self.remove(transport)  # the transport reads the end of the stream itself
