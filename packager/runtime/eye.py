"""Decodes a feed to see what its bytes do not tell: black and frozen pictures, silent sound."""

import asyncio

from packager.clock import monotonic_micros
from packager.feed.container import Container
from packager.feed.sight import Sight
from packager.runtime.inlet import Inlet
from packager.runtime.process import Child, drained, lines
from packager.source import LossConfig

_ANALYSED = "1000000"
"""Microseconds of media that ffmpeg looks at before it begins."""


class Eye:
    """Watches one connection's feed, as long as it is open."""

    def __init__(
        self,
        config: LossConfig,
        container: Container,
        streams: tuple[int, int | None],
        program: str,
    ) -> None:
        """Look for what `config` has thresholds for, at a picture and, if there is one, a sound."""
        self.sight = Sight(config)
        self._inlet = Inlet()
        picture, sound = self.sight.filters()
        video, audio = streams
        command = [program, "-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"]
        command += ["-f", container.value, "-analyzeduration", _ANALYSED, "-i", "pipe:0"]
        if picture:
            command += ["-map", f"0:{video}", "-vf", picture]
        if sound and audio is not None:
            command += ["-map", f"0:{audio}", "-af", sound]
        self._command = [*command, "-f", "null", "-"]
        self.done = asyncio.create_task(self._watch())
        """It looks no longer."""

    @staticmethod
    def is_wanted(config: LossConfig) -> bool:
        """Whether there is anything to look for."""
        return not (config.black is None and config.frozen is None and config.silent is None)

    def write(self, data: bytes) -> None:
        """Show it what came."""
        self._inlet.write(data)

    async def _watch(self) -> None:
        async with Child(self._command, [], inlet=self._inlet) as child:
            quiet = asyncio.create_task(drained(child.process.stdout))
            try:
                async for line in lines(child.process.stderr):
                    self.sight.line(line, monotonic_micros())
            finally:
                quiet.cancel()
                self.sight.forget()  # who sees nothing says nothing

    def close(self) -> None:
        """Look no longer."""
        self.done.cancel()
        self._inlet.close()
