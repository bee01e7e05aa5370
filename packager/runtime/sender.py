"""Sends a schedule to a target in real time, as the encoder did that it came from."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from packager.feed.schedule import Connected, Event, Received
from packager.runtime.targets import Target
from packager.ticks import MICROS


@dataclass(slots=True)
class Sent:
    """What was sent so far."""

    connections: int = 0
    size: int = 0
    """Bytes."""


_GO = Fraction(1)


async def send(
    schedule: Iterable[Event],
    target: Target,
    *,
    speed: Fraction = _GO,
    sent: Sent | None = None,
) -> None:
    """Send each event when its time has come, `speed` times as fast as it was; `sent` counts.

    A target that is slower gets what is late at once. Where it is left early, by an error or by
    being cancelled, the connection breaks as that of an encoder that lost its power.

    Raises:
        FeedError: the target cannot be reached, or went away.
        SetupError: it cannot take such a feed.
    """
    clock = asyncio.get_running_loop().time
    sent = sent or Sent()
    base: tuple[float, int] | None = None
    try:
        for event in schedule:
            if base is None:
                base = clock(), event.at
            due = base[0] + float((event.at - base[1]) / speed) / MICROS
            # Also where it is late, so that others have their turn.
            await asyncio.sleep(max(0.0, due - clock()))
            await _do(event, target, sent)
    except BaseException:
        await target.abort()
        raise


async def _do(event: Event, target: Target, sent: Sent) -> None:
    if isinstance(event, Connected):
        await target.begin(event.container)
        sent.connections += 1
    elif isinstance(event, Received):
        await target.write(event.data, event.at)
        sent.size += len(event.data)
    else:
        await target.end()
