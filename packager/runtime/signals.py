"""Signals that end a command."""

import asyncio
import signal
from collections.abc import Coroutine


async def until_signal(work: Coroutine[None, None, None]) -> None:
    """Do `work`, or what can be done of it until SIGINT or SIGTERM."""
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
