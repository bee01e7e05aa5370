"""Sends the events of a schedule to a target in real time."""

import asyncio
from collections.abc import Iterable
from fractions import Fraction

from packager.impairment.schedule import Connected, Event, Received
from packager.runtime.tools.progress import TransferCount
from packager.runtime.tools.sending.target import SendTarget
from packager.timing.ticks import MICROS

_REAL_TIME = Fraction(1)


async def send(
    schedule: Iterable[Event],
    target: SendTarget,
    *,
    speed: Fraction = _REAL_TIME,
    count: TransferCount | None = None,
) -> None:
    """Send each event at its time, `speed` times as fast as recorded; `count` is kept up to date.

    A target that is too slow receives late events immediately. An error or a cancellation breaks
    the connection, like the power loss of an encoder.

    Raises:
        FeedError: the target cannot be reached, or the connection broke.
        SetupError: the target cannot take such a feed.
    """
    clock = asyncio.get_running_loop().time
    count = count or TransferCount()
    base: tuple[float, int] | None = None
    try:
        for event in schedule:
            if base is None:
                base = clock(), event.at
            due = base[0] + float((event.at - base[1]) / speed) / MICROS
            # A late event sleeps too, so that other tasks run.
            await asyncio.sleep(max(0.0, due - clock()))
            await _send_event(event, target, count)
    except BaseException:
        await target.abort()
        raise


async def _send_event(event: Event, target: SendTarget, count: TransferCount) -> None:
    if isinstance(event, Connected):
        await target.begin(event.container)
        count.connections += 1
    elif isinstance(event, Received):
        await target.write(event.data, event.at)
        count.size += len(event.data)
    else:
        await target.end()
