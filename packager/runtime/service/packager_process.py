"""The packager process: every channel of a configuration."""

import asyncio
import gc
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

import structlog

from packager.config.schema.channel import ChannelConfig
from packager.config.sources import FileSource, PatternSource, Source
from packager.errors import RingsideError, SetupError
from packager.host.config_file import LoadedConfig
from packager.layout import CONTROL
from packager.runtime.channel.channel import Channel
from packager.runtime.ffmpeg.local import LocalFfmpeg
from packager.runtime.ingest.listeners import IngestPorts
from packager.runtime.service.control_api import ControlSocket, EventOrders, listen
from packager.timing.backoff import Backoff
from packager.timing.clock import Clock

_SHORTEST_WAIT = 1.0
_LONGEST_WAIT = 30.0
"""Seconds before a channel whose journal or store is unusable is tried again."""


class PackagerProcess:
    """Runs all channels; one that fails touches no other."""

    def __init__(self, config: LoadedConfig, ffmpeg: str, clock: Clock) -> None:
        self._config = config
        self._ffmpeg = ffmpeg
        self._clock = clock
        self._events: dict[str, EventOrders] = {}
        """Of the channels that run."""

    async def serve(self) -> None:
        """Run until cancelled.

        Raises:
            SetupError: the control socket, a port or ffmpeg cannot be used.
        """
        ffmpeg = await asyncio.to_thread(LocalFfmpeg.of, self._ffmpeg)
        gc.freeze()  # the collector need not walk what lives as long as the process
        try:
            control = await listen(ControlSocket(self._events), self._config.data)
        except OSError as error:
            reason = error.strerror or error
            raise SetupError(f"{self._config.data / CONTROL}: {reason}") from error
        channels = self._config.channels.values()
        sources = [source for channel in channels for source in channel.sources]
        try:
            async with self._ingest(sources) as ingest, asyncio.TaskGroup() as tasks:
                for channel in channels:
                    tasks.create_task(self._keep_running(channel, ffmpeg, ingest))
        finally:
            await control.cleanup()

    def _ingest(self, sources: Sequence[Source]) -> AbstractAsyncContextManager[IngestPorts | None]:
        """The ports for encoders; none if no source needs one."""
        if all(isinstance(source, PatternSource | FileSource) for source in sources):
            return nullcontext()
        return IngestPorts(self._config.ingest, sources, self._ffmpeg)

    async def _keep_running(
        self, channel: ChannelConfig, ffmpeg: LocalFfmpeg, ingest: IngestPorts | None
    ) -> None:
        log = structlog.get_logger().bind(channel=channel.name)
        backoff = Backoff(_SHORTEST_WAIT, _LONGEST_WAIT)
        while True:
            worker = Channel(channel, self._config.data, ffmpeg, self._clock, ingest)
            self._events[channel.name] = worker.events
            wait = backoff.step()
            try:
                await worker.run()
            except RingsideError as error:
                log.error("channel.config_rejected", problem=str(error), retry_seconds=wait)  # noqa: TRY400
            except Exception:
                log.exception("channel.crashed", retry_seconds=wait)
            await asyncio.sleep(wait)
