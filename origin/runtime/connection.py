"""One connection of the public port.

It is what aiohttp takes for its transport, and what the hot path sends on. Nothing is copied: what
the kernel does not take at once stays where it is, and the rest of it is sent later.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol

_READ = 1 << 16
"""Bytes read at once."""
_PENDING = 1 << 16
"""Bytes of requests that wait behind the one that is being answered."""
_JOINED = 1 << 14
"""A body up to so many bytes is sent in one piece with its head."""
_HIGH = 1 << 16
"""Bytes that wait to be sent from which on whoever makes more is asked to pause."""


class Owner(Protocol):
    """Who looks after the connections."""

    @property
    def tick(self) -> float:
        """Monotonic seconds, at the last batch."""
        ...

    def requests(self, connection: "Connection", data: bytes) -> None:
        """Bytes of requests have come, and none is being answered."""
        ...

    def forget(self, connection: "Connection") -> None:
        """The connection is closed."""
        ...


class Connection(asyncio.Transport):
    """A socket, what came in that is not answered, what is to go out."""

    __slots__ = (
        *("_closed", "_owner", "_paused", "_shut", "_sock", "_unread", "_waiting"),
        *(
            "busy",
            "closing",
            "fd",
            "odd",
            "out",
            "pending",
            "progress",
            "protocol",
            "since",
            "size",
        ),
    )

    def __init__(self, sock: socket.socket, peer: object, owner: Owner) -> None:
        """Take over a socket that does not block."""
        super().__init__({"peername": peer, "socket": sock})
        self._sock = sock
        self._owner = owner
        self.fd = sock.fileno()
        self.protocol: asyncio.Protocol | None = None
        """aiohttp's, once a request was handed to it."""
        self.busy = False
        """aiohttp is at work on a request."""
        self.odd = False
        """All that comes is aiohttp's to read."""
        self.closing = False
        """No request is answered any more."""
        self.pending = b""
        """What came of requests that are not being answered."""
        self.out: deque[memoryview] = deque()
        """What is to be sent."""
        self.since = owner.tick
        """When it was last idle, or the first bytes of a request came."""
        self.progress = owner.tick
        """When the client last took something of what waits."""
        self.size = 0
        """Bytes that wait to be sent."""
        self._paused = False
        """aiohttp wants to read no more for now."""
        self._waiting = False
        """aiohttp has been asked to write no more for now."""
        self._unread = False
        """The kernel may have more that was not read."""
        self._closed = False
        self._shut = False
        """All was sent, and the client was told that no more comes."""

    # What comes in.

    def readable(self) -> None:
        """The kernel has bytes, or the end."""
        if self._paused or len(self.pending) > _PENDING:
            self._unread = True
            return
        try:
            data = self._sock.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        if not data:
            self._ended()
            return
        if len(data) == _READ:
            # The kernel tells of what comes, not of what is there: ask again.
            self._unread = True
            asyncio.get_running_loop().call_soon(self._read_on)
        self.received(data)

    def received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._shut or (self.closing and not self.odd):
            return
        if self.odd:
            if self.protocol is not None:
                self.protocol.data_received(data)
        elif self.busy or self.out:
            self.pending += data
        elif self.pending:
            data, self.pending = self.pending + data, b""
            self._owner.requests(self, data)
        else:
            self._owner.requests(self, data)

    def _read_on(self) -> None:
        if self._unread and not self._closed and not self._paused:
            self._unread = False
            self.readable()

    def answered(self, *, last: bool) -> None:
        """Aiohttp has answered a request; after the last it hangs up by itself."""
        self.busy = False
        self.closing = self.closing or last
        if not (self.odd or last):
            asyncio.get_running_loop().call_soon(self.go_on)

    def go_on(self) -> None:
        """What was being answered is: look at what came meanwhile."""
        if self._closed or self.busy or self.out:
            return
        self.since = self._owner.tick
        if self.pending:
            data, self.pending = self.pending, b""
            self.received(data)
        self._read_on()

    def _ended(self) -> None:
        """The client sends no more."""
        if self._shut or self.protocol is None or not (self.busy or self.odd):
            self.close()
        else:
            self.protocol.eof_received()
            self.close()

    # What goes out.

    def send(self, head: bytes, body: bytes) -> None:
        """Send an answer while nothing waits to be sent."""
        size = len(body)
        try:
            if size <= _JOINED:
                data = head + body if size else head
                sent = self._sock.send(data)
                if sent == len(data):
                    return
                self._wait(memoryview(data)[sent:])
                return
            sent = self._sock.sendmsg((head, body))
        except (BlockingIOError, InterruptedError):
            sent = 0
            if size <= _JOINED:
                self._wait(memoryview(head + body))
                return
        except OSError:
            self.abort()
            return
        ahead = len(head)
        if sent < ahead:
            self._wait(memoryview(head)[sent:])
            sent = ahead
        if sent - ahead < size:
            self._wait(memoryview(body)[sent - ahead :])

    def _wait(self, rest: memoryview) -> None:
        self.out.append(rest)
        self.size += len(rest)
        self.progress = self._owner.tick

    def writable(self) -> None:
        """The kernel takes more."""
        out = self.out
        while out:
            first = out[0]
            try:
                sent = self._sock.send(first)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.abort()
                return
            self.size -= sent
            self.progress = self._owner.tick
            if sent < len(first):
                out[0] = first[sent:]
            else:
                out.popleft()
        self._emptied()

    def _emptied(self) -> None:
        if self._waiting and self.protocol is not None:
            self._waiting = False
            self.protocol.resume_writing()
        if self.closing and not self.busy:
            self._shut_down()
        elif not self.busy:
            self.go_on()

    # What aiohttp wants of a transport.

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send it after all that waits."""
        if self._closed or self._shut or not data:
            return
        view = memoryview(data if isinstance(data, bytes) else bytes(data))
        if not self.out:
            try:
                sent = self._sock.send(view)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.abort()
                return
            if sent == len(view):
                return
            view = view[sent:]
        self._wait(view)
        if self.size > _HIGH and not self._waiting and self.protocol is not None:
            self._waiting = True
            self.protocol.pause_writing()

    def writelines(self, list_of_data: "Iterable[bytes | bytearray | memoryview[Any]]") -> None:
        """Send one after the other."""
        for data in list_of_data:
            self.write(data)

    def pause_reading(self) -> None:
        """Hand aiohttp nothing for now."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand aiohttp again what comes."""
        self._paused = False
        if self._unread:
            asyncio.get_running_loop().call_soon(self._read_on)

    def is_reading(self) -> bool:
        """Whether it is handed what comes."""
        return not self._paused

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
        return self.size

    def can_write_eof(self) -> bool:
        """Nobody ends an answer so."""
        return False

    def is_closing(self) -> bool:
        """Whether it is closed, or will be once all is sent."""
        return self.closing or self._closed

    def close(self) -> None:
        """Close it once all is sent."""
        self.closing = True
        self.busy = False
        if not self.out:
            self._shut_down()

    def _shut_down(self) -> None:
        """Say that no more comes, and wait for the client to hang up.

        To close while bytes of the client are unread would take from it what it has not read yet.
        """
        if self._shut or self._closed:
            self.abort()
            return
        self._shut = True
        self.since = self._owner.tick
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        self._lose(None)

    @property
    def is_shut(self) -> bool:
        """Whether all that is left is that the client hangs up."""
        return self._shut

    def abort(self) -> None:
        """Close it at once."""
        if self._closed:
            return
        self._closed = self.closing = True
        self.out.clear()
        self.size = 0
        self._owner.forget(self)
        self._sock.close()
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, error)
