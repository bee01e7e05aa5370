"""A segment that is sent while it is written, to all who asked for it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from origin.plan import ServeGrowing
from origin.runtime.connection import Connection
from origin.runtime.follow import FollowedChannel
from origin.tally import Tally
from packager.clock import monotonic
from packager.columns import Chunk

_END = b"0\r\n\r\n"
"""Of a body in chunks (RFC 9112 section 7.1)."""


@dataclass(slots=True)
class Growing:
    """What there is of one segment, read and framed once for everybody."""

    channel: FollowedChannel
    plan: ServeGrowing
    path: Path
    tally: Tally
    """What its bytes are counted in."""
    followers: list[Connection] = field(default_factory=list[Connection])
    size: int = 0
    """Bytes that were read."""
    grew: float = field(default_factory=monotonic)
    """When it last did, on the monotonic clock."""
    over: bool = False
    """All of it was sent; or it is not what its records say, and its followers are hung up on."""
    _framed: list[bytes] = field(default_factory=list[bytes])
    _descriptor: int = -1

    def join(self, connection: Connection, head: bytes) -> None:
        """Send it to one more, from its beginning on."""
        connection.write(head + b"".join(self._framed))
        self.tally.octets += self.size
        self.followers.append(connection)

    def grow(self) -> None:
        """Send what it has gained to all."""
        track = self.channel.timeline.tracks.get(self.plan.track)
        whole = track and track.segments.numbered(self.plan.file.number)
        if whole:
            self._send_up_to(whole.size, _END)
            if not self.over:
                self._finish()
        elif track and track.open_number == self.plan.file.number and track.open:
            self._send_up_to(_end(track.open[-1]))
        else:
            self.give_up()

    def _send_up_to(self, size: int, end: bytes = b"") -> None:
        if size <= self.size and not end:
            return
        data = self._read(size - self.size)
        if len(data) != size - self.size:
            self.give_up()
            return
        self.size, self.grew = size, monotonic()
        # What ends the body goes with the last of it: each write costs as much as a part does.
        framed = b"%x\r\n%b\r\n%b" % (len(data), data, end) if data else end
        self._framed.append(framed)
        self.followers = [one for one in self.followers if not one.is_gone]
        self.tally.octets += len(data) * len(self.followers)
        for connection in self.followers:
            connection.write(framed)

    def _read(self, octets: int) -> bytes:
        """What follows what was read; less than was asked for where it cannot be had."""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._descriptor, octets, self.size)
        except OSError:
            return b""

    def give_up(self) -> None:
        """Hang up, so that nobody takes what was sent for all of it."""
        for connection in self.followers:
            connection.abort()
        self._finish()

    def _finish(self) -> None:
        self.over = True
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        for connection in self.followers:
            connection.freed()


def _end(chunk: Chunk) -> int:
    return chunk.offset + chunk.size
