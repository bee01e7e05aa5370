"""Decodes a feed to find what its bytes do not show: black or frozen video, silent audio."""

import asyncio
from collections.abc import Iterable, Sequence

from packager.config.sources import LossConfig
from packager.feed.content_check import ContentCheck
from packager.feed.report import Container
from packager.ffmpeg.probe import SourceInfo
from packager.runtime.ffmpeg.session import FfmpegSession, SessionOutputs
from packager.runtime.ffmpeg.stdin_pipe import StdinPipe
from packager.timing.clock import monotonic_micros

_ANALYSED = "1000000"
"""Microseconds of media that ffmpeg analyses before it decodes."""


class ContentMonitor:
    """Monitors the feed of one connection until it is closed."""

    def __init__(
        self,
        config: LossConfig,
        container: Container,
        streams: tuple[int, int | None],
        program: str,
    ) -> None:
        """Check a video stream and, if there is one, an audio stream, given by index.

        `config` has the thresholds; ffmpeg is `program`.
        """
        self.check = ContentCheck(config)
        self._stdin = StdinPipe()
        self._command = _command(program, container, streams, self.check.filters())
        self.done = asyncio.create_task(self._watch())
        """Ends with ffmpeg."""

    def write(self, data: bytes) -> None:
        """Check more bytes of the feed."""
        self._stdin.write(data)

    async def _watch(self) -> None:
        outputs = SessionOutputs(on_line=lambda line: self.check.line(line, monotonic_micros()))
        session = FfmpegSession(lambda _: self._command, 0, outputs, stdin=self._stdin)
        async with session:
            try:
                await session.ended()
            finally:
                self.check.forget()  # an unmonitored feed has no problem

    def close(self) -> None:
        """Stop."""
        self.done.cancel()
        self._stdin.close()


class ContentWatch:
    """Monitors the content of a source, one connection after the other."""

    def __init__(self, config: LossConfig, program: str) -> None:
        """Use the ffmpeg `program`, if `config` has thresholds for the content."""
        self._config = config
        self._program = program
        self._monitor: ContentMonitor | None = None

    @property
    def _is_wanted(self) -> bool:
        config = self._config
        return not (config.black is None and config.frozen is None and config.silent is None)

    def open(self, container: Container, info: SourceInfo, beginning: Iterable[bytes]) -> None:
        """Monitor a connection from `beginning` on: its prelude and a keyframe."""
        self.close()
        if not self._is_wanted:
            return
        streams = info.video[0].index, info.audio[0].index if info.audio else None
        self._monitor = ContentMonitor(self._config, container, streams, self._program)
        for data in beginning:
            self._monitor.write(data)

    def write(self, data: bytes) -> None:
        """Check more bytes of the connection."""
        if self._monitor is not None:
            self._monitor.write(data)

    def problem(self, now: int) -> str:
        """Why the content counts as lost at `now`, monotonic microseconds; empty if it does not."""
        return "" if self._monitor is None else self._monitor.check.problem(now)

    def close(self) -> None:
        """Stop monitoring."""
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None


def _command(
    program: str,
    container: Container,
    streams: tuple[int, int | None],
    filters: tuple[str, str],
) -> Sequence[str]:
    video, audio = streams
    video_filter, audio_filter = filters
    command = [program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
    command += ["-f", container.value, "-analyzeduration", _ANALYSED, "-i", "pipe:0"]
    if video_filter:
        command += ["-map", f"0:{video}", "-vf", video_filter]
    if audio_filter and audio is not None:
        command += ["-map", f"0:{audio}", "-af", audio_filter]
    return [*command, "-f", "null", "-"]
