"""Loads for a server, and their results."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server_process import Client, Server, busy, kernel_cpu
from servers import HERE, LOAD_CORE, SERVER_CORE

_SCRIPT = HERE / "wrk.lua"
_LOOK = 0.02
"""Seconds between two checks whether a manifest has changed."""


@dataclass(frozen=True)
class Found:
    """One measurement."""

    rate: float
    """Responses per second."""
    size: float
    """Bytes per second, with headers."""
    p50: float
    """Milliseconds."""
    p99: float
    cpu: float
    """Microseconds of CPU per response: the server's, and its kernel thread's."""
    own: float
    """Share of the time that the server was busy."""
    kernel: float
    """The same of the kernel thread that sends for the server under high load."""
    core: float
    """Share of the time that the core was busy, with any process."""
    refused: int
    """Responses with status 400 and above."""
    failed: int
    """Broken connections, and requests without a response in time."""
    each: float
    """Bytes per response, with headers."""
    by_process: tuple[float, ...]
    """CPU-seconds of each busy process of the server."""


@dataclass(frozen=True)
class Load:
    """The requests of a load."""

    path: str
    headers: Mapping[str, str]
    script: tuple[str, ...] = ()
    """Arguments of wrk's script."""
    pull: tuple[Path, Path] | None = None
    """Program of `pull.c`, which replaces wrk: it takes one header and a list of paths."""

    def command(self, port: int, connections: int, seconds: int) -> list[str]:
        """The program and its arguments."""
        if self.pull is not None:
            program, paths = map(str, self.pull)
            headers = [f"{name}: {value}" for name, value in self.headers.items()]
            return [program, str(port), str(connections), str(seconds), paths, *headers]
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
        for name, value in self.headers.items():
            command += ["-H", f"{name}: {value}"]
        url = f"http://127.0.0.1:{port}{self.path}"
        return [*command, "-s", str(_SCRIPT), url, "--", *self.script]


def measure(
    server: Server, load: Load, connections: int, seconds: int, *, pinned: bool = True
) -> Found:
    """Run `load` against a server for some seconds."""
    cores = str(LOAD_CORE) if pinned else f"{SERVER_CORE},{LOAD_CORE}"
    command = ["taskset", "-c", cores, *load.command(server.port, connections, seconds)]
    before, core, kernel = server.cpu(), busy(SERVER_CORE), kernel_cpu(SERVER_CORE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    after, core_after = server.cpu(), busy(SERVER_CORE)
    kernel = kernel_cpu(SERVER_CORE) - kernel
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise SystemExit(f"{command[3]}: {done.returncode}: {done.stdout}{done.stderr}")
    report = json.loads(lines[-1])
    spent = [after[pid] - before.get(pid, 0.0) for pid in after]
    length = report["micros"] / 1e6
    asked = max(1, report["requests"])
    return Found(
        rate=report["requests"] / length,
        size=report["bytes"] / length,
        p50=report["p50"] / 1000,
        p99=report["p99"] / 1000,
        cpu=(sum(spent) + (kernel if pinned else 0.0)) * 1e6 / asked,
        own=sum(spent) / length,
        kernel=kernel / length,
        core=(core_after[0] - core[0]) / max(1, core_after[1] - core[1]),
        refused=report["refused"],
        failed=report["failed"],
        each=report["bytes"] / asked,
        by_process=tuple(sorted((some for some in spent if some), reverse=True)),
    )


@contextmanager
def renewed(server: Server, path: str, file: Path) -> Iterator[None]:
    """Keep in `file` a conditional request for `path`, while the block runs.

    The tag is that of the newest response. It changes with the live edge, so the requests between a
    change and the next check get a full response, as real players do.
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
