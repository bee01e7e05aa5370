"""A load on a server, and what it found."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import HERE, LOAD_CORE, SERVER_CORE, Client, Server, busy, kernel_cpu

_SCRIPT = HERE / "wrk.lua"
_LOOK = 0.02
"""Seconds between two looks whether a manifest has changed."""


@dataclass(frozen=True)
class Found:
    """One measurement."""

    rate: float
    """Answers a second."""
    octets: float
    """Bytes a second, headers too."""
    p50: float
    """Milliseconds."""
    p99: float
    cpu: float
    """Microseconds of the server's CPU an answer, with that of the kernel's thread beside it."""
    own: float
    """Share of the time that the server was at work."""
    kernel: float
    """The same of the kernel's thread that takes over from it where much is sent."""
    core: float
    """Share of the time that its core was at work, for whomever."""
    refused: int
    """Answers of 400 and above."""
    failed: int
    """Connections that broke, requests that got no answer in time."""
    each: float
    """Bytes an answer, headers too."""
    by_process: tuple[float, ...]
    """CPU-seconds of each of its processes that was at work."""


@dataclass(frozen=True)
class Load:
    """What is asked for."""

    path: str
    headers: Mapping[str, str]
    script: tuple[str, ...] = ()
    """Arguments of wrk's script."""
    pull: tuple[Path, Path] | None = None
    """In place of wrk: the program of `pull.c`, which takes one header, and the list of paths."""

    def command(self, port: int, connections: int, seconds: int) -> list[str]:
        """The program and its arguments."""
        if self.pull is not None:
            program, paths = map(str, self.pull)
            said = [f"{name}: {value}" for name, value in self.headers.items()]
            return [program, str(port), str(connections), str(seconds), paths, *said]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
        for name, value in self.headers.items():
            command += ["-H", f"{name}: {value}"]
        url = f"http://127.0.0.1:{port}{self.path}"
        return [*command, "-s", str(_SCRIPT), url, "--", *self.script]


def measure(
    server: Server, load: Load, connections: int, seconds: int, *, pinned: bool = True
) -> Found:
    """Put `load` on a server for so long."""
    cores = str(LOAD_CORE) if pinned else f"{SERVER_CORE},{LOAD_CORE}"
    command = ["taskset", "-c", cores, *load.command(server.port, connections, seconds)]
    before, core, kernel = server.cpu(), busy(SERVER_CORE), kernel_cpu(SERVER_CORE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after, core_after = server.cpu(), busy(SERVER_CORE)
    kernel = kernel_cpu(SERVER_CORE) - kernel
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise SystemExit(f"{command[3]}: {done.returncode}: {done.stdout}{done.stderr}")
    said = json.loads(lines[-1])
    spent = [after[pid] - before.get(pid, 0.0) for pid in after]
    length = said["micros"] / 1e6
    asked = max(1, said["requests"])
    return Found(
        rate=said["requests"] / length,
        octets=said["bytes"] / length,
        p50=said["p50"] / 1000,
        p99=said["p99"] / 1000,
        cpu=(sum(spent) + (kernel if pinned else 0.0)) * 1e6 / asked,
        own=sum(spent) / length,
        kernel=kernel / length,
        core=(core_after[0] - core[0]) / max(1, core_after[1] - core[1]),
        refused=said["refused"],
        failed=said["failed"],
        each=said["bytes"] / asked,
        by_process=tuple(sorted((some for some in spent if some), reverse=True)),
    )


@contextmanager
def renewed(server: Server, path: str, file: Path) -> Iterator[None]:
    """While in it `file` has a request for `path` under the condition that it has changed.

    Its tag is that of the newest answer: as that changes with the live edge, some requests between
    the change and the next look get a whole answer, as in life.
    """
    client, over = Client(server.port), threading.Event()
    target = server.url(path)

    def look(tag: str) -> str:
        page = client.get(target, {"If-None-Match": tag} if tag else {})
        if page.status == 304 or (tag and page.status == 503):
            return tag
        if page.status != 200:
            raise SystemExit(f"{server.name}: {target}: {page.status}")
        found = page.headers["etag"]
        request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        partial = file.with_suffix(".partial")
        partial.write_text(f"{request}If-None-Match: {found}\r\n\r\n", newline="")
        partial.replace(file)
        return found

    def keep(tag: str) -> None:
        while not over.wait(_LOOK):
            tag = look(tag)

    thread = threading.Thread(target=keep, args=(look(""),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        client.close()
