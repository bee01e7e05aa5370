"""A child process does not outlive the task that runs it."""

import asyncio
import os
import signal
import subprocess
import sys

import psutil
import pytest

from packager.runtime.ffmpeg.process import FfmpegProcess, signal_child
from tests.support.service import wait_until

DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


async def deaf(grace: float) -> FfmpegProcess:
    """A running child that no request to end it reaches."""
    child = FfmpegProcess([sys.executable, "-c", DEAF], [], grace)
    await child.__aenter__()
    assert child.process.stdout is not None
    assert await child.process.stdout.readline() == b"deaf\n"
    return child


async def test_a_child_that_ignores_sigterm_is_killed() -> None:
    child = await deaf(grace=0.05)
    await child.__aexit__()
    assert child.process.returncode == -9


async def test_a_child_is_killed_if_its_task_is_cancelled_meanwhile() -> None:
    child = await deaf(grace=60)
    leaving = asyncio.create_task(child.__aexit__())
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert child.process.returncode == -9
    assert not psutil.pid_exists(child.process.pid)


def test_a_signal_leaves_the_exit_status_of_a_child_that_has_ended() -> None:
    """The watcher of asyncio reads the status; if it is gone, it logs "Unknown child process"."""
    child = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    zombie = psutil.STATUS_ZOMBIE
    wait_until(lambda: psutil.Process(child.pid).status() == zombie, "the end of the child")
    signal_child(child, signal.SIGTERM)
    assert child.returncode is None
    assert os.waitstatus_to_exitcode(os.waitpid(child.pid, 0)[1]) == 3
    child.returncode = 3
