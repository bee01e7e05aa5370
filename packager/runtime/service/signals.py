"""Signals that end a command."""

import asyncio
import signal
import sys
from collections.abc import Coroutine


async def until_signal(work: Coroutine[None, None, None]) -> None:
    """Do `work`; SIGINT and SIGTERM cancel it."""
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def leave_on_signals() -> None:
    """Exit on SIGTERM and SIGHUP with all clean-up, as on an interrupt from the keyboard."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP
            signal.signal(number, _leave)


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)
