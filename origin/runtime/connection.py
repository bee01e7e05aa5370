"""One connection of the public port.

It is what aiohttp takes for its transport, and what the hot path sends on. Nothing is copied: what
the kernel does not take at once stays where it is, and the rest of it is sent later.
"""

import asyncio
import os
import select
import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol, cast

from origin.answer import Slice

READ = 1 << 16
"""Bytes read at once."""
_PENDING = 1 << 16
"""Bytes of requests that wait behind the one that is being answered."""
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
        *("_closed", "_owner", "_paused", "_peer", "_shut", "_sock", "_unread", "_waiting"),
        *("begun", "busy", "closing", "fd", "idle", "odd", "out", "owed", "pending"),
        *("progress", "protocol", "recv", "since", "size"),
    )

    def __init__(self, sock: socket.socket, peer: object, owner: Owner) -> None:
        """Take over a socket that does not block."""
        super().__init__({"peername": peer, "socket": sock})
        self._sock = sock
        self._peer = peer
        self._owner = owner
        self.recv = sock.recv
        self.fd = sock.fileno()
        self.idle = True
        """All that matters is the next request."""
        self.protocol: asyncio.Protocol | None = None
        """aiohttp's, once a request was handed to it."""
        self.busy = False
        """aiohttp is at work on a request."""
        self.odd = False
        """All that comes is aiohttp's to read."""
        self.begun = False
        """aiohttp has bytes of a request that it has not begun to answer."""
        self.closing = False
        """No request is answered any more."""
        self.pending = b""
        """What came of requests that are not being answered."""
        self.out: deque[memoryview | Slice] = deque()
        """What is to be sent."""
        self.since = owner.tick
        """When it was last idle, or the first bytes of a request came, or of an answer waited."""
        self.progress = owner.tick
        """When the client last took something of what waits."""
        self.size = 0
        """Bytes that wait to be sent."""
        self.owed = 0
        """Bytes that had to wait since all was sent."""
        self._paused = False
        """aiohttp wants to read no more for now."""
        self._waiting = False
        """aiohttp has been asked to write no more for now."""
        self._unread = False
        """The kernel may have more that was not read."""
        self._closed = False
        self._shut = False
        """All was sent, and the client was told that no more comes."""

    @property
    def client(self) -> str:
        """The address of who is at the other end."""
        peer = self._peer
        return str(cast("tuple[object, ...]", peer)[0]) if isinstance(peer, tuple) else ""

    # What comes in.

    def ready(self, event: int) -> None:
        """The kernel has bytes, takes more, or has something to say."""
        if event & select.EPOLLOUT and self.out:
            self._writable()
        if event & ~select.EPOLLOUT:
            self._readable()
        if event & select.EPOLLRDHUP and not self._closed:
            # Behind what was read there is the end, of which the kernel tells once.
            self._unread = True
            asyncio.get_running_loop().call_soon(self._read_on)

    def _readable(self) -> None:
        """The kernel has bytes, or the end."""
        if self._closed:
            return
        if self._paused or len(self.pending) > _PENDING:
            self._unread = True
            return
        try:
            data = self.recv(READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        self.took(data)

    def took(self, data: bytes) -> None:
        """Bytes were received, or the end if there are none."""
        if not data:
            self._ended()
            return
        if len(data) == READ:
            # The kernel tells of what comes, not of what is there: ask again.
            self._unread = True
            asyncio.get_running_loop().call_soon(self._read_on)
        self._received(data)
        self._settle()

    def _received(self, data: bytes) -> None:
        if self._shut or (self.closing and not self.odd):
            return
        if self.odd:
            if not (self.begun or self.busy):
                self.begun, self.since = True, self._owner.tick
            if self.protocol is not None:
                self.protocol.data_received(data)
        elif self.busy or self.out:
            self.pending += data
        else:
            if self.pending:
                data, self.pending = self.pending + data, b""
            self._owner.requests(self, data)

    def _settle(self) -> None:
        """See whether all that matters now is the next request."""
        self.idle = not (
            self.pending or self.out or self.busy or self.odd or self.closing or self._paused
        )

    def _read_on(self) -> None:
        if self._unread and not self._closed and not self._paused:
            self._unread = False
            self._readable()

    def asked(self) -> None:
        """Aiohttp has read a request, and answers it."""
        self.busy, self.begun = True, False

    def answered(self, *, last: bool) -> None:
        """Aiohttp has answered a request; after the last it hangs up by itself."""
        self.busy = False
        self.since = self._owner.tick
        self.closing = self.closing or last
        if not (self.odd or last):
            asyncio.get_running_loop().call_soon(self._go_on)

    def freed(self) -> None:
        """What was held is answered, as far as it goes: look at what came meanwhile."""
        self.busy = False
        self.since = self._owner.tick
        if self._closed or self.out:
            return
        if self.closing:
            self._shut_down()
        elif self.pending or self._unread:
            asyncio.get_running_loop().call_soon(self._go_on)
        else:
            self._settle()

    def _go_on(self) -> None:
        """What was being answered is: look at what came meanwhile."""
        if self._closed or self.busy or self.out:
            return
        self.since = self._owner.tick
        if self.pending:
            data, self.pending = self.pending, b""
            self._received(data)
        self._settle()
        self._read_on()

    def _ended(self) -> None:
        """The client sends no more."""
        if self._shut:
            self.abort()
            return
        if self.protocol is not None and (self.busy or self.odd):
            self.protocol.eof_received()
        self.close()

    # What goes out.

    def send(self, data: bytes) -> None:
        """Send an answer while nothing waits to be sent."""
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        if sent != len(data):
            self._wait(memoryview(data)[sent:], len(data) - sent)

    def send_piece(self, head: bytes, piece: Slice) -> None:
        """Send an answer whose body is a piece of an open file, while nothing waits to be sent."""
        try:
            # The first bytes of the body go into the same packet.
            sent = self._sock.send(head, socket.MSG_MORE)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        if sent != len(head):
            self._wait(memoryview(head)[sent:], len(head) - sent)
            self._wait(piece, piece.size)
        elif (rest := self._send_file(piece)) is not None:
            self._wait(rest, rest.size)

    def _send_file(self, piece: Slice) -> Slice | None:
        """Send as much of a piece as the kernel takes; what is left, if anything."""
        file, offset, left = piece.file, piece.offset, piece.size
        if file is None:
            raise TypeError
        try:
            while left:
                sent = os.sendfile(self.fd, file.descriptor, offset, left)
                if not sent:
                    # Shorter than it was: a client that is not hung up on would wait for ever.
                    file.short = True
                    self.abort()
                    return None
                offset += sent
                left -= sent
        except (BlockingIOError, InterruptedError):
            return replace(piece, offset=offset, size=left)
        except OSError:
            self.abort()
        return None

    def _wait(self, rest: "memoryview | Slice", size: int) -> None:
        """Send the rest of something, of `size` bytes, once the kernel takes more."""
        self.owed = self.owed + size if self.out else size
        self.out.append(rest)
        self.size += size
        self.progress = self._owner.tick
        self.idle = False

    def _writable(self) -> None:
        """The kernel takes more."""
        self.progress = self._owner.tick
        while self.out:
            first = self.out.popleft()
            before = first.size if isinstance(first, Slice) else len(first)
            rest = self._send_some(first)
            if self._closed:
                return
            left = 0 if rest is None else rest.size if isinstance(rest, Slice) else len(rest)
            self.size -= before - left
            if rest is not None:
                self.out.appendleft(rest)
                return
        self._emptied()

    def _send_some(self, what: "memoryview | Slice") -> "memoryview | Slice | None":
        """Send as much as the kernel takes; what is left, if anything."""
        if isinstance(what, Slice):
            return self._send_file(what)
        try:
            sent = self._sock.send(what)
        except (BlockingIOError, InterruptedError):
            return what
        except OSError:
            self.abort()
            return None
        return what[sent:] if sent < len(what) else None

    def _emptied(self) -> None:
        if self._waiting and self.protocol is not None:
            self._waiting = False
            self.protocol.resume_writing()
        if self.busy:
            return
        if self.closing:
            self._shut_down()
        else:
            self._go_on()

    # What aiohttp wants of a transport.

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        """Send it after all that waits."""
        if self.is_gone or not data:
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
            # Of a long answer aiohttp sends a piece at a time: each has its own.
            self.since = self._owner.tick
        self._wait(view, len(view))
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
        self.idle = False

    def resume_reading(self) -> None:
        """Hand aiohttp again what comes."""
        self._paused = False
        self._settle()
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

    @property
    def is_gone(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closed or self._shut

    def is_closing(self) -> bool:
        """Whether it is closed, or will be once all is sent."""
        return self.closing or self._closed

    def close(self) -> None:
        """Close it once all is sent."""
        self.closing = True
        self.idle = False
        self.busy = False
        if not self.out:
            self._shut_down()

    def _shut_down(self) -> None:
        """Say that no more comes, and wait for the client to hang up.

        To close while bytes of the client are unread would take from it what it has not read yet.
        """
        if self._shut or self._closed:
            return  # aiohttp closes more than once
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
        self.idle = False
        self.out.clear()
        self.size = 0
        self._owner.forget(self)
        self._sock.close()
        self._lose(None)

    def _lose(self, error: Exception | None) -> None:
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            asyncio.get_running_loop().call_soon(protocol.connection_lost, error)
