"""Parts of a channel that a test runs by itself."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from packager.config.parse import parse_ladder
from packager.config.schema.channel import ChannelEntry, resolve
from packager.config.sources import UdpSource
from packager.diagnostics.status import ChannelState, ChannelStatus
from packager.errors import FeedError
from packager.ffmpeg.inputs import Pace
from packager.runtime.channel.maintenance import StorageMaintenance
from packager.runtime.channel.program import ChannelContext
from packager.runtime.channel.reporter import FfmpegWarnings, StatusReporter
from packager.runtime.ffmpeg.local import LocalFfmpeg, StartPlaces
from packager.runtime.ingest.receiver import FeedSink
from packager.timing.clock import SystemClock
from tests.support.channel_view import TINY
from tests.support.receivers import FFMPEG


class NoLine:
    """A receiver that never runs: the test sends the feed."""

    async def run(self, sink: FeedSink) -> None:
        raise FeedError(f"not wanted by {sink}")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def tiny_context(folder: Path) -> ChannelContext:
    """A channel in `folder` with a tiny ladder."""
    return context(folder, Path(TINY).read_text())


def context(folder: Path, text: str) -> ChannelContext:
    """A channel in `folder` with the ladder of `text`."""
    ladder = parse_ladder(text, "ladder.yaml", "ladder")
    entry = ChannelEntry(source=UdpSource(port=9), ladder="ladder.yaml")
    config = resolve("tv", entry, ladder)
    clock = SystemClock()
    status = ChannelStatus(state=ChannelState.STARTING, since=clock.now(), source="", ladder="")
    reporter = StatusReporter("tv", folder, status, clock)
    return ChannelContext(
        config=config,
        folder=folder,
        ffmpeg=LocalFfmpeg(FFMPEG, pace=Pace.REAL_TIME, starts=StartPlaces(1)),
        clock=clock,
        reporter=reporter,
        maintenance=StorageMaintenance(config, reporter),
        warnings=FfmpegWarnings("tv", reporter),
    )
