"""Sends a live feed to the ffmpeg that has it on air, from a keyframe of its last seconds on."""

from packager.feed.gop_buffer import GopBuffer
from packager.feed.report import FeedPiece
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe


class FeedTap:
    """The last seconds of one feed, and the ffmpeg that reads it, if there is one."""

    def __init__(self) -> None:
        self.backlog = GopBuffer()
        self._stdin: StdinPipe | None = None

    def add(self, piece: FeedPiece, now: int) -> None:
        """Keep and send a piece that arrived at `now`, monotonic microseconds."""
        self.backlog.add(piece, now)
        if self._stdin is not None:
            self._stdin.write(piece.data)

    def attach(self, stdin: StdinPipe, prelude: bytes, arrived_at: int) -> bool:
        """Send the feed to `stdin`: its prelude, then all from the keyframe that arrived then.

        False if that keyframe is no longer kept: `stdin` is at its end.
        """
        tail = self.backlog.since(arrived_at)
        if tail is None or tail.arrived_at != arrived_at:
            stdin.end()
            return False
        stdin.write(prelude)
        for data in tail.data:
            stdin.write(data)
        self._stdin = stdin
        return True

    def detach(self) -> None:
        """Send the feed to ffmpeg no more; ffmpeg reads the end of its input."""
        if self._stdin is not None:
            self._stdin.end()
            self._stdin = None
