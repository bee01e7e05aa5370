"""The packager process: every channel of a configuration."""

import asyncio
import gc
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

import structlog

from packager.clock import Clock
from packager.errors import RingsideError, SetupError
from packager.layout import CONTROL
from packager.runtime.channel import Channel
from packager.runtime.config_file import LoadedChannel, LoadedConfig
from packager.runtime.control import Control, listen
from packager.source import FileSource, PatternSource, Source

if TYPE_CHECKING:
    from packager.runtime.ingest import Ingest


async def serve(config: LoadedConfig, program: str, clock: Clock) -> None:
    """Keep all channels going until cancelled; one that fails touches no other.

    Raises:
        SetupError: no orders can be taken, or a port cannot be used.
    """
    gc.freeze()  # what is there now stays: the collector need not walk it again and again
    at_work: dict[str, Channel] = {}
    try:
        control = await listen(Control(at_work), config.data)
    except OSError as error:
        raise SetupError(f"{config.data / CONTROL}: {error.strerror or error}") from error
    sources = [source for channel in config.channels.values() for source in channel.sources]
    try:
        async with _ingest(config, sources, program) as ingest, asyncio.TaskGroup() as tasks:
            for channel in config.channels.values():
                tasks.create_task(_guarded(channel, config, program, clock, at_work, ingest))
    finally:
        await control.cleanup()


def _ingest(
    config: LoadedConfig, sources: Sequence[Source], program: str
) -> "AbstractAsyncContextManager[Ingest | None]":
    """The ways of encoders; none where no source needs them: a packager is back sooner so."""
    if all(isinstance(source, PatternSource | FileSource) for source in sources):
        return nullcontext()
    from packager.runtime.ingest import Ingest  # noqa: PLC0415 - as said above

    return Ingest(config.ingest, sources, program)


async def _guarded(
    channel: LoadedChannel,
    config: LoadedConfig,
    program: str,
    clock: Clock,
    at_work: dict[str, Channel],
    ingest: "Ingest | None",
) -> None:
    log = structlog.get_logger().bind(channel=channel.name)
    wait = 1.0
    while True:
        worker = at_work[channel.name] = Channel(channel, config.data, program, clock, ingest)
        try:
            await worker.run()
        except RingsideError as error:
            log.error("channel.unusable", problem=str(error), retry_seconds=wait)  # noqa: TRY400
        except Exception:
            log.exception("channel.crashed", retry_seconds=wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, 30.0)
