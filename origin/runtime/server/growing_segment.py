"""A segment that is sent while the packager writes it: read once for all its viewers."""

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from origin.caching.counters import RequestCounters
from origin.decision.plan import ServeGrowing
from origin.runtime.journal.follower import FollowedChannel
from packager.timeline.segment_table import Chunk
from packager.timing.clock import monotonic

_END = b"0\r\n\r\n"
"""The last chunk of a chunked body (RFC 9112 section 7.1)."""


class SegmentFollower(Protocol):
    """A response that gets the bytes of a growing segment."""

    @property
    def is_gone(self) -> bool:
        """Whether its client has left."""
        ...

    def write(self, data: bytes) -> None:
        """Send a chunk, framed for a chunked body."""
        ...

    def abort(self) -> None:
        """Close the connection, so that the client sees that the body is not complete."""
        ...

    def request_done(self) -> None:
        """The body is complete, or the connection was aborted."""
        ...


class SegmentState(Enum):
    """The states of a `ChunkedSegment`: it leaves `GROWING` once."""

    GROWING = auto()
    COMPLETE = auto()
    """All bytes were sent."""
    ABANDONED = auto()
    """It stopped growing, or its file does not match its records: the followers were cut."""


class ChunkedSegment:
    """The bytes of one segment so far, framed once for all followers."""

    def __init__(
        self,
        channel: FollowedChannel,
        plan: ServeGrowing,
        path: Path,
        counters: RequestCounters,
    ) -> None:
        """Read the segment at `path`; count its bytes in `counters`."""
        self.channel = channel
        self.longest_pause = float(plan.whole.at_most)
        """Seconds without new bytes after which it is abandoned."""
        self.state = SegmentState.GROWING
        self.grew_at = monotonic()
        self._plan = plan
        self._path = path
        self._counters = counters
        self._followers: list[SegmentFollower] = []
        self._size = 0
        self._frames: list[bytes] = []
        self._descriptor = -1

    def __len__(self) -> int:
        """Number of followers."""
        return len(self._followers)

    def join(self, follower: SegmentFollower) -> Sequence[bytes]:
        """Add a follower; returns the chunks so far, which the caller sends to it."""
        self._counters.body_bytes += self._size
        self._followers.append(follower)
        return self._frames

    @contextmanager
    def followed_by(self, follower: SegmentFollower) -> Generator[None]:
        """Send the chunks to `follower` from the first one on, as long as the context lasts."""
        for frame in self.join(follower):
            follower.write(frame)
        self.settle(follower)
        try:
            yield
        finally:
            self._followers = [one for one in self._followers if one is not follower]

    def settle(self, follower: SegmentFollower) -> None:
        """End the response of a follower that has joined a segment that does not grow any more."""
        match self.state:
            case SegmentState.GROWING:
                return
            case SegmentState.COMPLETE:
                follower.request_done()
            case SegmentState.ABANDONED:
                follower.abort()

    def grow(self) -> None:
        """Send the bytes that the records have added."""
        track = self.channel.timeline.tracks.get(self._plan.track)
        number = self._plan.file.number
        whole = track and track.segments.numbered(number)
        if whole:
            self._send_up_to(whole.size, _END)
            if self.state is SegmentState.GROWING:
                self._finish(SegmentState.COMPLETE)
        elif track and track.open_number == number and track.open:
            self._send_up_to(_end(track.open[-1]))
        else:
            self.abandon()

    def _send_up_to(self, size: int, end: bytes = b"") -> None:
        if size <= self._size and not end:
            return
        data = self._read(size - self._size)
        if len(data) != size - self._size:
            self.abandon()
            return
        self._size, self.grew_at = size, monotonic()
        # The end goes with the last chunk: a write of its own would cost as much as a part.
        frame = b"%x\r\n%b\r\n%b" % (len(data), data, end) if data else end
        self._frames.append(frame)
        self._drop_gone()
        self._counters.body_bytes += len(data) * len(self._followers)
        for follower in self._followers:
            follower.write(frame)

    def _drop_gone(self) -> None:
        if gone := [one for one in self._followers if one.is_gone]:
            self._followers = [one for one in self._followers if not one.is_gone]
            for follower in gone:
                follower.request_done()

    def _read(self, size: int) -> bytes:
        """The next `size` bytes; fewer if they cannot be read."""
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._descriptor, size, self._size)
        except OSError:
            return b""

    def abandon(self) -> None:
        """Cut all followers, so that no cache keeps a part of the segment as the whole."""
        for follower in self._followers:
            follower.abort()
        self._finish(SegmentState.ABANDONED)

    def _finish(self, state: SegmentState) -> None:
        self.state = state
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        for follower in self._followers:
            follower.request_done()


def unframed(frame: bytes) -> memoryview:
    """The data of a chunk that `ChunkedSegment` has framed."""
    digits, _, _ = frame.partition(b"\r\n")
    start = len(digits) + 2
    return memoryview(frame)[start : start + int(digits, 16)]


def _end(chunk: Chunk) -> int:
    return chunk.offset + chunk.size
