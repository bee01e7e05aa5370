"""`ringside run` as a real process, for tests that watch it from outside."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from packager.host.metrics_folder import clear
from tests.paths import ROOT

T = TypeVar("T")


_PORTS = range(10_000, 32_000)
"""The kernel gives none of them to a connection, which could hold one while a server restarts."""


def free_port() -> int:
    """A port without a listener."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port


def wait_until(condition: Callable[[], T], what: str, seconds: float = 30) -> T:
    """The first truthy value of `condition()`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return value


@dataclass
class Answer:
    """The response to an HTTP request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def fetch(url: str, method: str = "GET", **headers: str) -> Answer:
    """Request `url`; an error status is a response too. Header names: `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=named)
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            return Answer(response.status, response.headers, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


@dataclass
class Service:
    """A running `ringside run`."""

    folder: Path
    port: int
    control_port: int
    process: "subprocess.Popen[bytes]"
    log_path: Path
    seen: set[int] = field(default_factory=set)
    """All process ids seen so far."""

    @property
    def base(self) -> str:
        """URL of the public port."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def control(self) -> str:
        """URL of the control port."""
        return f"http://127.0.0.1:{self.control_port}"

    @property
    def log(self) -> str:
        """The log of the process so far."""
        return self.log_path.read_text(errors="replace")

    def events(self, name: str) -> list[dict[str, object]]:
        """The log events of this name."""
        lines = (line for line in self.log.splitlines() if line.startswith("{"))
        return [event for event in map(json.loads, lines) if event.get("event") == name]

    def children(self) -> list[psutil.Process]:
        """All processes below the supervisor."""
        try:
            found = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        self.seen.update(child.pid for child in found)
        return found

    def pid_of(self, name: str) -> int:
        """The process `packager`, `origin` or `ffmpeg` that runs now."""
        return wait_until(lambda: self._find(name), f"a process {name}")

    def _find(self, name: str) -> int:
        for child in self.children():
            try:
                command = child.cmdline()
            except psutil.Error:
                continue
            if name == "ffmpeg" and "-progress" in command:
                return child.pid
            if command[1:3] == ["-m", name]:
                return child.pid
        return 0

    def kill(self, *names: str) -> None:
        """Kill -9, all at once."""
        for pid in [self.pid_of(name) for name in names]:
            os.kill(pid, signal.SIGKILL)

    def live(self, channel: str) -> str:
        """URL of a channel."""
        return f"{self.base}/live/{channel}"

    def segments(self, channel: str) -> int:
        """The number of segments in the playlist of a channel's first rendition."""
        try:
            top = fetch(f"{self.live(channel)}/index.m3u8")
            if top.status != 200:
                return 0
            media = next(line for line in top.text.splitlines() if not line.startswith("#"))
            return fetch(f"{self.live(channel)}/{media}").text.count("#EXTINF")
        except OSError:
            return 0

    def wait_for_segments(self, channel: str, count: int = 4, seconds: float = 40) -> None:
        """Wait until the channel lists that many segments."""
        wait_until(lambda: self.segments(channel) >= count, f"{count} segments", seconds)

    def status(self, channel: str) -> dict[str, Any]:
        """A channel's entry in the status API."""
        answer = json.loads(fetch(f"{self.control}/api/status").body)
        return next(found for found in answer["channels"] if found["name"] == channel)

    def stop(self) -> None:
        """Ask the process to end, and check that no child process is left."""
        self.children()
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)
        wait_until(lambda: not self.left(), "the end of every process", 10)

    def left(self) -> list[int]:
        """Ids of seen processes that still run."""
        return [pid for pid in self.seen if psutil.pid_exists(pid) and not _is_zombie(pid)]


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def service(folder: Path, channels: str, *, data: str = "data") -> Iterator[Service]:
    """Run the channels of a YAML text (the body of `channels:`) below `folder`."""
    port, control_port = free_port(), free_port()
    config = folder / "ringside.yaml"
    config.write_text(
        f"data: {data}\norigin:\n  host: 127.0.0.1\n  port: {port}\n"
        f"  control_port: {control_port}\nchannels:\n{channels}"
    )
    log_path = folder / "log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "packager", "run", "-c", str(config)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    running = Service(folder, port, control_port, process, log_path)
    try:
        yield running
        running.stop()
    except BaseException:
        sys.stdout.write(running.log[-8000:])
        raise
    finally:
        for pid in [process.pid, *running.left()]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        clear(folder / data)
