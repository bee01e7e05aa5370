"""A command that cannot start: one line, exit code 2, nothing started."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.paths import ROOT
from tests.support.service import free_port, wait_until

pytestmark = pytest.mark.e2e


def ringside(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "packager", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def config(folder: Path, **changes: str) -> Path:
    """A configuration that would run, but for `changes`: a key of the top level to its YAML."""
    values = {
        "data": "data",
        "origin": f"{{host: 127.0.0.1, port: {free_port()}, control_port: {free_port()}}}",
        "channels": "{bars: {source: {type: pattern}, ladder: demo}}",
    }
    path = folder / "ringside.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in (values | changes).items()))
    return path


def refused(path: Path, command: str = "run") -> str:
    """The only line of `command` before exit code 2."""
    done = ringside(command, "-c", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    line, end, more = done.stderr.partition("\n")
    assert (end, more) == ("\n", "")
    return line


@contextmanager
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("key", ["port", "control_port"])
def test_a_port_in_use(tmp_path: Path, key: str) -> None:
    with taken() as port:
        other = "control_port" if key == "port" else "port"
        ports = f"{key}: {port}, {other}: {free_port()}"
        path = config(tmp_path, origin=f"{{host: 127.0.0.1, {ports}}}")
        remedy = "stop the program that uses it, or configure another port"
        reason = f"port {port} on 127.0.0.1: Address already in use: {remedy}"
        assert refused(path) == f"ringside: {reason}"


def test_an_unknown_host_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path, origin="{host: nobody.invalid, port: 8080}")
    assert refused(path).startswith("ringside: port 8080 on nobody.invalid: ")


def test_an_origin_alone_on_a_port_in_use(tmp_path: Path) -> None:
    with taken() as port:
        path = config(tmp_path, origin=f"{{host: 127.0.0.1, port: {port}}}")
        assert refused(path, "origin").startswith("ringside: port ")


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = config(tmp_path, data="file/below")
    for command in ("run", "packager", "origin"):
        line = refused(path, command)
        assert line == f"ringside: data directory {tmp_path}/file/below: Not a directory"


def test_a_data_directory_that_cannot_be_written(tmp_path: Path) -> None:
    # /proc refuses root too.
    path = config(tmp_path, data="/proc/self")
    assert refused(path).startswith("ringside: data directory /proc/")


def test_a_data_directory_that_another_packager_works_in(tmp_path: Path) -> None:
    path = config(tmp_path)
    with (tmp_path / "log").open("wb") as log:
        first = subprocess.Popen(
            [sys.executable, "-m", "packager", "packager", "-c", str(path)], cwd=ROOT, stderr=log
        )
    try:
        wait_until(lambda: b"ffmpeg.started" in (tmp_path / "log").read_bytes(), "the first")
        for command in ("run", "packager"):
            line = refused(path, command)
            assert line.endswith("/data: another packager uses it")
    finally:
        first.terminate()
        first.wait(timeout=20)


def test_an_unknown_ladder(tmp_path: Path) -> None:
    path = config(tmp_path, channels="{bars: {source: {type: pattern}, ladder: nosuch}}")
    for command in ("run", "check", "packager"):
        line = refused(path, command)
        assert line.startswith(f"{path}:3:52: channels.bars.ladder: no ladder 'nosuch'")
        assert "sports-1080p50" in line


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    for command in ("run", "check", "packager", "origin"):
        path = tmp_path / "none.yaml"
        assert refused(path, command).startswith(f"{path}: No such file or directory: ")


def test_a_ffmpeg_that_is_missing(tmp_path: Path) -> None:
    path = config(tmp_path, ffmpeg="/nowhere/ffmpeg")
    for command in ("run", "check", "packager"):
        line = refused(path, command)
        assert line.startswith("ringside: ffmpeg: /nowhere/ffmpeg is missing or cannot be run: ")


def script(folder: Path, text: str) -> Path:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_ffmpeg_that_is_too_old(tmp_path: Path) -> None:
    program = script(tmp_path, "echo ffmpeg version 4.3.6-0+deb11u1 Copyright")
    line = refused(config(tmp_path, ffmpeg=str(program)))
    assert line.startswith(f"ringside: ffmpeg: {program} is version 4.3, at least 5.1 is needed: ")


def test_a_ffmpeg_that_is_something_else(tmp_path: Path) -> None:
    program = script(tmp_path, "echo hello")
    line = refused(config(tmp_path, ffmpeg=str(program)))
    assert line.startswith(f"ringside: ffmpeg: {program} is not ffmpeg: ")


def test_check_accepts_a_valid_configuration(tmp_path: Path) -> None:
    path = config(tmp_path)
    done = ringside("check", "-c", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: 1 channel, all right\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_shipped_configurations_are_right() -> None:
    for path in (ROOT / "profiles").glob("*.yaml"):
        assert ringside("check", "-c", str(path)).returncode == 0


def test_ringside_without_a_command_shows_its_usage() -> None:
    done = ringside()
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ringside")
    assert done.stderr.endswith("ringside: no command given\n")
    assert ringside("--version").stdout.strip().count(".") == 2
