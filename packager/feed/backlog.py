"""The last seconds of a feed, from a keyframe on: what a decoder that comes late begins with."""

from collections import deque
from dataclasses import dataclass

from packager.feed.container import Piece

_SPAN = 8_000_000
"""Microseconds that are kept, from the last keyframe before them on."""
_MOST = 64 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a feed."""

    came: int
    """Monotonic microseconds at which its first byte, a keyframe's, came."""
    data: tuple[bytes, ...]


class Backlog:
    """Keeps what came lately."""

    def __init__(self) -> None:
        """Nothing has come."""
        self._pieces: deque[tuple[int, Piece]] = deque()
        self._size = 0
        self._starts: deque[int] = deque()
        """When those pieces came that start."""

    def add(self, piece: Piece, now: int) -> None:
        """A piece has come at `now`, monotonic microseconds."""
        if piece.starts:
            self._starts.append(now)
        elif not self._starts:
            return
        self._pieces.append((now, piece))
        self._size += len(piece.data)
        while len(self._starts) > 1 and (self._starts[1] <= now - _SPAN or self._size > _MOST):
            self._drop()
        if self._size > _MOST:
            self.clear()

    def _drop(self) -> None:
        """Let go of all before the second keyframe."""
        self._starts.popleft()
        self._size -= len(self._pieces.popleft()[1].data)
        while not self._pieces[0][1].starts:
            self._size -= len(self._pieces.popleft()[1].data)

    def clear(self) -> None:
        """Let go of everything, until the next keyframe."""
        self._pieces.clear()
        self._starts.clear()
        self._size = 0

    @property
    def first(self) -> int | None:
        """When the oldest keyframe came that is kept."""
        return self._starts[0] if self._starts else None

    def since(self, instant: int) -> Tail | None:
        """From the newest keyframe that came at `instant` or before it, or the first after it.

        None where no keyframe is kept.
        """
        if not self._starts:
            return None
        came = max((at for at in self._starts if at <= instant), default=self._starts[0])
        pieces = iter(self._pieces)
        for at, piece in pieces:
            if at == came and piece.starts:
                return Tail(came, (piece.data, *(later.data for _, later in pieces)))
        raise AssertionError
