"""A disk that is full for a while: what was named stays, and it goes on by itself."""

import resource
from pathlib import Path

import psutil
import pytest

from tests.fault.test_processes import CHANNELS, NAMES, published, went_on
from tests.support.service import Service, service, wait_until

pytestmark = pytest.mark.fault

NO_ROOM = (20_000, resource.RLIM_INFINITY)
"""Bytes: the log and the journal still go on."""
ROOM = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_a_full_disk_is_named_and_costs_a_period(tmp_path: Path) -> None:
    with service(tmp_path, CHANNELS) as running:
        for name in NAMES:
            running.wait_for_segments(name, 2)
        fill_and_free(running)


def fill_and_free(running: Service) -> None:
    before = {name: published(running, name) for name in NAMES}
    packager = psutil.Process(running.pid_of("packager"))
    packager.rlimit(psutil.RLIMIT_FSIZE, NO_ROOM)
    wait_until(lambda: len(running.events("channel.failed")) >= len(NAMES), "a full disk")
    packager.rlimit(psutil.RLIMIT_FSIZE, ROOM)
    assert "File too large" in str(running.events("channel.failed")[0]["problem"])
    for name in NAMES:
        went_on(running, name, before[name], periods=1)
    assert running.events("process.died") == []
    assert running.events("channel.crashed") == []
