"""A child process ends with whoever waits for it."""

import asyncio
import sys

import psutil
import pytest

from packager.runtime.process import Child

DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


async def deaf(grace: float) -> Child:
    """A running child that no request to end it reaches."""
    child = Child([sys.executable, "-c", DEAF], [], grace)
    await child.__aenter__()
    assert child.process.stdout is not None
    assert await child.process.stdout.readline() == b"deaf\n"
    return child


async def test_one_that_does_not_end_when_asked_to_is_killed() -> None:
    child = await deaf(grace=0.05)
    await child.__aexit__()
    assert child.process.returncode == -9


async def test_who_is_cancelled_meanwhile_leaves_none_behind() -> None:
    child = await deaf(grace=60)
    leaving = asyncio.create_task(child.__aexit__())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert child.process.returncode == -9
    assert not psutil.pid_exists(child.process.pid)
