"""Connections that are read one after the other, a hundred times a second.

A stream of 6 Mbit/s comes in five hundred packets a second, and an event loop that is woken for
each of them spends more on waking than on all that is done with the bytes. So they wait for the
next round: half a hundredth of a second on the average.
"""

import asyncio
import os
from collections.abc import Callable

_PAUSE = 0.01
"""Seconds between two rounds."""


class Rounds:
    """Reads for all who are in."""

    def __init__(self, buffer: memoryview) -> None:
        """Read into `buffer`, for one after the other."""
        self._buffers = [buffer]
        self._in: dict[asyncio.Transport, tuple[int, Callable[[int], None]]] = {}
        self._next: asyncio.TimerHandle | None = None

    def enter(self, transport: asyncio.Transport, read: Callable[[int], None]) -> None:
        """Read what comes at `transport`, which does so no more itself.

        `read` is called with the number of bytes in the buffer. It must not raise: the others wait.
        """
        transport.pause_reading()
        self._in[transport] = transport.get_extra_info("socket").fileno(), read
        self._go_on()

    def leave(self, transport: asyncio.Transport) -> None:
        """Let it read for itself again, if it was in. To be done before it is closed."""
        if self._in.pop(transport, None) is not None:
            transport.resume_reading()

    def _go_on(self) -> None:
        if self._in and self._next is None:
            self._next = asyncio.get_running_loop().call_later(_PAUSE, self._round)

    def _round(self) -> None:
        for transport, (descriptor, read) in list(self._in.items()):
            if transport in self._in:  # what another said may have ended it
                self._read(transport, descriptor, read)
        self._next = None
        self._go_on()

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
            self.leave(transport)  # it sees the end itself then
