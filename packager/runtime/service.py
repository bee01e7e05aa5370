"""The packager process: every channel of a configuration."""

import asyncio
import gc

import structlog

from packager.clock import Clock
from packager.errors import RingsideError
from packager.runtime.channel import Channel
from packager.runtime.config_file import LoadedChannel, LoadedConfig


async def serve(config: LoadedConfig, program: str, clock: Clock) -> None:
    """Keep all channels going until cancelled; one that fails touches no other."""
    gc.freeze()  # what is there now stays: the collector need not walk it again and again
    async with asyncio.TaskGroup() as tasks:
        for channel in config.channels.values():
            tasks.create_task(_guarded(channel, config, program, clock))


async def _guarded(
    channel: LoadedChannel, config: LoadedConfig, program: str, clock: Clock
) -> None:
    log = structlog.get_logger().bind(channel=channel.name)
    wait = 1.0
    while True:
        try:
            await Channel(channel, config.data, program, clock).run()
        except RingsideError as error:
            log.error("channel.unusable", problem=str(error), retry_seconds=wait)  # noqa: TRY400
        except Exception:
            log.exception("channel.crashed", retry_seconds=wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, 30.0)
