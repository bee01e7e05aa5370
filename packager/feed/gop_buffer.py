"""The last seconds of a feed from a keyframe on, for a decoder that starts late."""

from collections import deque
from dataclasses import dataclass

from packager.feed.report import FeedPiece

_SPAN = 8_000_000
"""Microseconds that are kept, from the last keyframe before them on."""
_MAX_SIZE = 64 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class GopTail:
    """The end of a feed."""

    arrived_at: int
    """Monotonic microseconds at which its first byte, a keyframe's, arrived."""
    data: tuple[bytes, ...]


class GopBuffer:
    """Keeps the newest groups of pictures."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, FeedPiece]] = deque()
        self._size = 0
        self._keyframes: deque[int] = deque()
        """The arrival times of the pieces with a keyframe."""

    def add(self, piece: FeedPiece, now: int) -> None:
        """Add a piece that arrives at `now`, monotonic microseconds."""
        if piece.starts:
            self._keyframes.append(now)
        elif not self._keyframes:
            return
        self._pieces.append((now, piece))
        self._size += len(piece.data)
        keyframes = self._keyframes
        while len(keyframes) > 1 and (keyframes[1] <= now - _SPAN or self._size > _MAX_SIZE):
            self._drop_first_group()
        if self._size > _MAX_SIZE:
            self.clear()

    def _drop_first_group(self) -> None:
        self._keyframes.popleft()
        self._size -= len(self._pieces.popleft()[1].data)
        while not self._pieces[0][1].starts:
            self._size -= len(self._pieces.popleft()[1].data)

    def clear(self) -> None:
        """Drop all pieces, and those that arrive before the next keyframe."""
        self._pieces.clear()
        self._keyframes.clear()
        self._size = 0

    @property
    def first(self) -> int | None:
        """When the oldest kept keyframe arrived."""
        return self._keyframes[0] if self._keyframes else None

    def since(self, instant: int) -> GopTail | None:
        """The feed from the newest keyframe at or before `instant` on, or from the first after it.

        None if no keyframe is kept.
        """
        if not self._keyframes:
            return None
        keyframe = max((at for at in self._keyframes if at <= instant), default=self._keyframes[0])
        pieces = iter(self._pieces)
        for at, piece in pieces:
            if at == keyframe and piece.starts:
                return GopTail(keyframe, (piece.data, *(later.data for _, later in pieces)))
        raise AssertionError
