"""Several workers on one port: what one of them costs when it dies, stands still or is renewed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from packager.host.metrics_folder import clear
from packager.timeline.records import SourceEnded
from packager.timing.ticks import UtcMicros
from tests.paths import ROOT
from tests.support.channel import FIRST, WHOLE, channel
from tests.support.service import fetch, free_port, wait_until
from tests.support.site import read_answer, request

pytestmark = [pytest.mark.e2e, pytest.mark.extended]

PATHS = (f"/live/tv/v0/{FIRST}.m4s", "/live/tv/v0/index.m3u8", "/live/tv/index.mpd")


@dataclass
class Origin:
    """A running `ringside origin`."""

    port: int
    control_port: int
    process: "subprocess.Popen[bytes]"

    def workers(self) -> list[int]:
        """Those that listen, the oldest first."""
        children = psutil.Process(self.process.pid).children()
        return sorted(child.pid for child in children if _is_at_work(child))

    def clients_of(self, worker: int) -> set[int]:
        """The ports of the clients that are connected to a worker."""
        connections = psutil.Process(worker).net_connections("tcp")
        return {c.raddr.port for c in connections if c.raddr and c.laddr.port == self.port}


def _is_at_work(child: psutil.Process) -> bool:
    try:
        return "origin" in child.cmdline()
    except psutil.Error:
        return False  # it has ended


@contextmanager
def an_origin(folder: Path, workers: int = 2) -> Iterator[Origin]:
    made = channel(folder / "data")
    made.note(SourceEnded(UtcMicros(made.grid.micros(made.journal.timeline.edge + 1))))
    port, control_port = free_port(), free_port()
    config = folder / "ringside.yaml"
    config.write_text(
        f"data: data\norigin: {{host: 127.0.0.1, port: {port}, control_port: {control_port}, "
        f"workers: {workers}}}\nchannels:\n  tv: {{source: {{type: pattern}}, ladder: demo}}\n"
    )
    log = folder / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "packager", "origin", "-c", str(config)], cwd=ROOT, stderr=said
        )
    origin = Origin(port, control_port, process)
    try:
        wait_until(lambda: log.read_text().count("origin.started") == workers, "all workers")
        yield origin
    finally:
        process.terminate()
        process.wait(20)
        clear(folder / "data")


@dataclass
class Crowd:
    """Viewers that ask on and on, each on a connection of its own."""

    port: int
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    answers: int = 0
    renewed: int = 0
    """Connections that a response closed."""
    broken: set[int] = field(default_factory=set)
    """Local ports of connections that broke in the middle of a request."""

    async def viewer(self, number: int) -> None:
        while not self.stop.is_set():
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            local = writer.get_extra_info("sockname")[1]
            try:
                await self._ask_on(reader, writer, number)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.broken.add(local)
            finally:
                writer.close()

    async def _ask_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        while not self.stop.is_set():
            path = PATHS[(number + self.answers) % len(PATHS)]
            writer.write(request(f"GET {path}"))
            async with asyncio.timeout(20):
                answer = await read_answer(reader, bare=False)
            assert answer.status == 200
            assert not path.endswith("m4s") or answer.body == WHOLE
            self.answers += 1
            if answer.headers.get("Connection") == "close":
                self.renewed += 1
                return
            await asyncio.sleep(0)

    async def gone_on(self, more: int) -> None:
        """Wait for so many more responses."""
        until = self.answers + more
        async with asyncio.timeout(30):
            while self.answers < until:
                await asyncio.sleep(0.01)


async def test_a_killed_worker_costs_its_own_connections_and_is_replaced(tmp_path: Path) -> None:
    with an_origin(tmp_path) as origin:
        crowd = Crowd(origin.port)
        async with asyncio.TaskGroup() as tasks:
            for number in range(24):
                tasks.create_task(crowd.viewer(number))
            await crowd.gone_on(500)
            killed, other = origin.workers()
            lost, kept = origin.clients_of(killed), origin.clients_of(other)
            assert lost
            assert kept
            os.kill(killed, signal.SIGKILL)
            await crowd.gone_on(2000)
            assert crowd.broken <= lost
            await asyncio.to_thread(
                wait_until, lambda: len({*origin.workers()} - {killed}) == 2, "a new worker"
            )
            await crowd.gone_on(2000)
            crowd.stop.set()
        assert crowd.broken <= lost


async def test_requests_to_a_stopped_worker_are_served_by_another(
    tmp_path: Path,
) -> None:
    with an_origin(tmp_path) as origin:
        still = origin.workers()[0]
        os.kill(still, signal.SIGSTOP)
        try:
            for _ in range(20):
                reader, writer = await asyncio.open_connection("127.0.0.1", origin.port)
                writer.write(request(f"GET {PATHS[0]}"))
                async with asyncio.timeout(20):
                    assert (await read_answer(reader, bare=False)).body == WHOLE
                writer.close()
        finally:
            os.kill(still, signal.SIGCONT)


async def test_workers_are_renewed_without_a_failed_request(tmp_path: Path) -> None:
    with an_origin(tmp_path) as origin:
        before = {*origin.workers()}
        crowd = Crowd(origin.port)
        async with asyncio.TaskGroup() as tasks:
            for number in range(24):
                tasks.create_task(crowd.viewer(number))
            await crowd.gone_on(200)
            origin.process.send_signal(signal.SIGHUP)
            await asyncio.to_thread(
                wait_until,
                lambda: len(now := {*origin.workers()}) == 2 and not now & before,
                "two new workers",
                90,
            )
            await crowd.gone_on(500)
            crowd.stop.set()
        assert not crowd.broken
        assert crowd.renewed >= 24
        text = fetch(f"http://127.0.0.1:{origin.control_port}/metrics").text
        assert 'ringside_requests_total{channel="tv",kind="segment",status="200"}' in text


async def test_workers_are_as_many_as_before_when_renewed_while_one_is_away(
    tmp_path: Path,
) -> None:
    with an_origin(tmp_path) as origin:
        for _ in range(3):
            # Each time the restart waits longer.
            os.kill(origin.workers()[-1], signal.SIGKILL)
            wait_until(lambda: len(origin.workers()) == 2, "the worker")
        before = {*origin.workers()}
        os.kill(origin.workers()[-1], signal.SIGKILL)
        origin.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(origin.workers()) >= 2 and not before & {*origin.workers()}, "new")
        log = tmp_path / "log"
        wait_until(lambda: log.read_text().count("process.renewed") >= 1, "the end of it", 60)
        # The one that was away may be on its way still.
        wait_until(lambda: len(origin.workers()) == 2, "as many as before")
