"""Where the processes of a service keep their metrics, and how they find it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from packager.errors import SetupError
from packager.host.metrics_folder import VARIABLE, clear, metrics_folder, with_metrics_folder
from packager.runtime.telemetry.restarts import OriginRestarts
from tests.paths import ROOT

STANDALONE = """
import sys
from pathlib import Path
from prometheus_client import Counter
from packager.host.metrics_folder import restart_with_metrics_folder
print("started", flush=True)
restart_with_metrics_folder(Path(sys.argv[1]))
Counter("fights", "Fights").inc()
"""
READER = """
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def ran(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def without_folder() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != VARIABLE}


def test_the_folder_is_for_this_user_alone_and_the_same_each_time(tmp_path: Path) -> None:
    folder = metrics_folder(tmp_path, {})
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IRWXU
    assert metrics_folder(tmp_path, {}) == folder
    clear(tmp_path)
    assert not folder.exists()


def test_a_folder_of_the_environment_is_used_and_made(tmp_path: Path) -> None:
    wanted = {VARIABLE: str(tmp_path / "shared" / "metrics")}
    assert with_metrics_folder(tmp_path, {"HOME": "/"} | wanted) == {"HOME": "/"} | wanted
    assert (tmp_path / "shared" / "metrics").is_dir()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"metrics folder of .*: Not a directory"):
        metrics_folder(tmp_path, {VARIABLE: str(tmp_path / "file" / "below")})


def test_a_process_without_a_supervisor_restarts_once_to_share_its_metrics(tmp_path: Path) -> None:
    environment = without_folder()
    try:
        for _ in range(2):
            assert ran(environment, "-c", STANDALONE, str(tmp_path)) == "started\nstarted\n"
        shared = with_metrics_folder(tmp_path, environment)
        assert ran(shared, "-c", STANDALONE, str(tmp_path)) == "started\n"
        assert "fights_total 3.0" in ran(shared, "-c", READER).splitlines()
    finally:
        clear(tmp_path)


def test_the_supervisor_counts_restarts_for_the_readers_of_the_folder(tmp_path: Path) -> None:
    restarts = OriginRestarts(tmp_path)
    environment = {**os.environ, VARIABLE: str(tmp_path)}
    assert "ringside_origin_restarts_total 0.0" in ran(environment, "-c", READER).splitlines()
    restarts.inc()
    restarts.inc()
    restarts.close()
    assert "ringside_origin_restarts_total 2.0" in ran(environment, "-c", READER).splitlines()
