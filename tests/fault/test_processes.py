"""After the death of a process, no process or listed media is lost, and the others go on."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support.service import Service, fetch, service, wait_until
from tests.support.two_channels import (
    CHANNELS,
    NAMES,
    SMALL,
    no_process_left,
    published,
    went_on,
)

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service that the tests of this file share."""
    with service(tmp_path_factory.mktemp("processes"), CHANNELS) as started:
        for name in NAMES:
            started.wait_for_segments(name, 2)
        started.children()
        yield started


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Service]:
    """A service of its own, for a test that ends it."""
    with service(tmp_path, CHANNELS) as started:
        for name in NAMES:
            started.wait_for_segments(name, 1)
        started.children()
        yield started


def encoders(running: Service) -> list[psutil.Process]:
    return [child for child in running.children() if "-progress" in child.cmdline()]


def test_killed_encoder(running: Service) -> None:
    known = len(running.events("channel.failed"))
    before = {name: published(running, name) for name in NAMES}
    victim = next(child for child in encoders(running) if "testsrc2" in " ".join(child.cmdline()))
    victim.kill()
    went_on(running, "bars", before["bars"], periods=1)
    went_on(running, "train", before["train"], periods=0)
    assert [event["channel"] for event in running.events("channel.failed")[known:]] == ["bars"]


@pytest.mark.extended
def test_encoder_that_stands_still(running: Service) -> None:
    before = published(running, "bars")
    victim = next(child for child in encoders(running) if "testsrc2" in " ".join(child.cmdline()))
    victim.suspend()
    wait_until(lambda: not victim.is_running(), "the end of the encoder", 30)
    assert "no media from ffmpeg" in str(running.events("media.delayed")[-1]["problem"])
    went_on(running, "bars", before, periods=1)
    assert "no media for" in str(running.events("channel.failed")[-1]["problem"])


@pytest.mark.extended
def test_encoder_that_is_too_slow(running: Service) -> None:
    before = published(running, "bars")
    victim = next(child for child in encoders(running) if "testsrc2" in " ".join(child.cmdline()))

    def edge_age() -> float:
        return float(running.status("bars")["live_edge_age"])

    def until(condition: Callable[[], bool], what: str) -> None:
        wait_until(lambda: condition() or not victim.is_running(), what)

    with suppress(psutil.NoSuchProcess):
        while victim.is_running():
            age = edge_age()
            victim.suspend()
            until(lambda age=age: edge_age() > age + 3, "a pause")
            victim.resume()
            paused = edge_age()
            until(lambda paused=paused: edge_age() < paused, "new media")
    went_on(running, "bars", before, periods=1)
    assert "too slow: media trails" in str(running.events("channel.failed")[-1]["problem"])


@pytest.mark.extended
def test_a_journal_of_another_grid_is_in_the_status(tmp_path: Path) -> None:
    with service(tmp_path, CHANNELS) as first:
        first.wait_for_segments("bars", 1)
    other = Path(SMALL).read_text().replace("segment: 1.92s", "segment: 2s")
    (tmp_path / "other.yaml").write_text(other)
    with service(tmp_path, CHANNELS.replace(SMALL, "other.yaml")) as second:
        second.wait_for_segments("train", 1)
        wait_until(lambda: "segments last" in second.status("bars")["problem"], "the problem")
        assert second.status("bars")["state"] == "stopped"


def test_killed_packager_takes_its_encoders_along(running: Service) -> None:
    before = {name: published(running, name) for name in NAMES}
    old = encoders(running)
    assert len(old) == 2
    running.kill("packager")
    wait_until(lambda: not any(child.is_running() for child in old), "the end of the encoders", 5)
    for name in NAMES:
        went_on(running, name, before[name], periods=1)


def test_killed_origin_serves_the_same_again(running: Service) -> None:
    known = len(running.events("channel.failed"))
    before = {name: published(running, name) for name in NAMES}
    running.kill("origin")
    for name in NAMES:
        went_on(running, name, before[name], periods=0)
    assert len(running.events("channel.failed")) == known


def test_requests_wait_while_the_origin_restarts(running: Service) -> None:
    origin = psutil.Process(running.pid_of("origin"))
    for _ in range(3):
        origin.kill()
        wait_until(lambda origin=origin: not origin.is_running(), "the end of the origin")
        assert fetch(f"{running.base}/healthz").status == 200
        origin = psutil.Process(running.pid_of("origin"))


def test_the_origin_takes_all_the_connections_that_the_machine_lets_it(running: Service) -> None:
    soft, hard = psutil.Process(running.pid_of("origin")).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.extended
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_nothing_outlives_the_command(fresh: Service, number: signal.Signals) -> None:
    os.kill(fresh.process.pid, number)
    fresh.process.wait(timeout=20)
    no_process_left(fresh)


def test_a_stop_is_no_error(fresh: Service) -> None:
    fresh.stop()
    assert fresh.process.returncode == 0
    for line in fresh.log.splitlines()[1:]:
        assert '"level": "error"' not in line
        assert "Traceback" not in line


@pytest.mark.extended
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_new_start_goes_on_where_the_old_one_ended(
    tmp_path: Path, number: signal.Signals
) -> None:
    with service(tmp_path, CHANNELS) as first:
        for name in NAMES:
            first.wait_for_segments(name, 2)
        before = {name: published(first, name) for name in NAMES}
        first.children()
        os.kill(first.process.pid, number)
        first.process.wait(timeout=20)
        no_process_left(first)
    with service(tmp_path, CHANNELS) as second:
        for name in NAMES:
            went_on(second, name, before[name], periods=1)
