"""A running server of a benchmark: its processes with their usage, and a client for it."""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Page:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One connection to a server; no redirects, no decoding."""

    def __init__(self, port: int) -> None:
        """Connect to the server on `port`."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """The response to a GET."""
        self._connection.request("GET", path, headers=dict(headers or {}))
        answer = self._connection.getresponse()
        return Page(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@dataclass
class Server:
    """A running server: a process and its children."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    logs: tuple[Path, ...]
    """Files that are emptied after each measurement."""
    query: Callable[[str], str] = lambda _: ""
    """Query that each path needs."""
    renew: Callable[[], None] = lambda: None
    """Called before each round, because tokens expire."""
    after: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    def url(self, path: str) -> str:
        """`path` with the query of this server."""
        return path + self.query(path)

    def processes(self) -> list[int]:
        """The processes of the server."""
        return list(self._family())

    def cpu(self) -> dict[int, float]:
        """CPU-seconds so far, by process."""
        return {
            pid: (int(fields[11]) + int(fields[12])) / _TICK
            for pid, fields in self._family().items()
        }

    def _family(self) -> dict[int, list[str]]:
        """/proc/PID/stat of the started process and of all its descendants."""
        known = dict(_processes())
        found = {self.process.pid} & known.keys()
        more = found
        while more := {pid for pid, fields in known.items() if int(fields[1]) in more}:
            found |= more
        return {pid: known[pid] for pid in sorted(found)}

    def memory(self) -> dict[str, int]:
        """Bytes of all processes of the server: `rss` and `pss`."""
        total = {"rss": 0, "pss": 0}
        for pid in self.processes():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, value = line.partition(":")
                if name.lower() in total:
                    total[name.lower()] += int(value.split()[0]) * 1024
        return total

    def check(self) -> None:
        """Check that the server runs."""
        if (code := self.process.poll()) is not None:
            raise SystemExit(
                f"{self.name} has ended with {code}: {self.logs[0].read_text()[-2000:]}"
            )

    def empty_logs(self) -> int:
        """Empty the logs; return their size."""
        size = 0
        for log in self.logs:
            with suppress(FileNotFoundError):
                size += log.stat().st_size
                os.truncate(log, 0)
        return size

    def stop(self) -> None:
        """End the server."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for work in self.after:
            work()


def _processes() -> list[tuple[int, list[str]]]:
    """Process ids, and the fields of their stat from the state on (proc(5): field 3)."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            with suppress(OSError):
                text = Path(f"/proc/{entry.name}/stat").read_text()
                found.append((int(entry.name), text.rpartition(")")[2].split()))
    return found


def busy(core: int) -> tuple[int, int]:
    """Ticks that a core was busy, and all its ticks."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            ticks = [int(value) for value in line.split()[1:9]]
            return sum(ticks) - ticks[3] - ticks[4], sum(ticks)
    raise LookupError(core)


def kernel_cpu(core: int) -> float:
    """CPU-seconds of the kernel's thread that sends and receives for the programs of a core."""
    for pid, fields in _processes():
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == f"ksoftirqd/{core}":
                return (int(fields[11]) + int(fields[12])) / _TICK
    return 0.0  # a container does not see it
