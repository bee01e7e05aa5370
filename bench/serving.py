"""The origin beside nginx and a bare C server, on one core, in turns.

    python bench/serving.py [--quick] [--only playlist,1MB] [--servers nginx,origin]

The channel is on air on tmpfs (`bench/live_channel.py`). Each server runs on core 0, the load on
core 1: wrk, or `bench/pull.c` for large bodies, which does not copy the data. `--wrk` shows that
wrk's copying limits large bodies for every server. The other servers idle meanwhile: an origin that
was stopped would be behind its journal, and defer requests. A round measures all servers one
after the other for each kind of response and number of connections, so that compared numbers are
seconds apart. Ratios are to nginx in the same round; printed is the median of the rounds.

1. A rolling playlist, a gzipped playlist of twelve hours, 304, and mixes of distinct segments.
2. `workers`: requests per CPU-second of two origin processes, beside one.
3. `idle`: memory and CPU of ten thousand open connections, at the origin and at nginx.
"""

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import tables
from live_channel import SETS, LiveChannel
from load import Found, Load, measure, renewed
from media import OUT
from server_process import Client, Page, Server
from servers import LOAD_CORE, PLAYLIST, Refused, Site
from tables import Cell, Idle, Results, Scale

from packager.timing.clock import SystemClock

CASES = ("playlist", "gzip", "304", *SETS)
PARTS = (*CASES, "workers", "idle")
CONNECTIONS = (64, 1000)
IDLE = 10_000
ADDRESSES = 8
"""Loopback network of the idle connections: each address has 28 000 ports."""

FULL = {"workers": 1, "memory": "512M", "access_log": "sampled"}
ORIGINS: dict[str, tuple[dict[str, object], bool]] = {
    "origin": ({**FULL}, True),
    "origin-open": ({**FULL}, False),
    "origin-full-log": ({**FULL, "access_log": "full"}, True),
    "origin-bare": ({}, False),
}
"""Settings of the origin, and whether it requires tokens."""
SERVERS = ("nginx", "c", "nginx-guarded", *ORIGINS)
INFORMATION = ("nginx-guarded", "origin-full-log", "origin-bare")
"""Variants that are measured in every other round."""


@dataclass
class Bench:
    """The running servers and the results."""

    site: Site
    seconds: int
    rounds: int
    results: Results
    wrk_only: bool = False
    servers: list[Server] = field(default_factory=list[Server])

    def start(self, names: list[str]) -> None:
        """Start all servers that can be started."""
        for name in names:
            try:
                server = self._start(name)
            except Refused as refused:
                self.results.refused[name] = str(refused)
                say(f"{name}: not supported: {refused}")
            else:
                self.servers.append(server)

    def _start(self, name: str) -> Server:
        if name == "c":
            return self.site.limit()
        if name in ORIGINS:
            settings, tokens = ORIGINS[name]
            return self.site.origin(name, settings, tokens=tokens)
        return self.site.nginx(guarded=name == "nginx-guarded")

    def stop(self) -> None:
        """End all servers."""
        while self.servers:
            self.servers.pop().stop()

    def compare(self, cases: list[str]) -> None:
        """Measure part 1."""
        for turn in range(self.rounds):
            for server in self.servers:
                server.renew()
            for case in cases:
                for connections in CONNECTIONS:
                    self._cell(Cell(case, connections), turn)

    def _cell(self, cell: Cell, turn: int) -> None:
        shift = turn % len(self.servers)
        for server in self.servers[shift:] + self.servers[:shift]:
            if server.name in INFORMATION and turn % 2:
                continue
            self.site.channel.check()
            server.check()
            found = self._measured(server, cell)
            server.empty_logs()
            self.results.add(cell, server.name, turn, found)
            say(
                f"round {turn + 1}: {cell.case} x {cell.connections}: {server.name}: "
                f"{found.rate:.0f}/s, {found.size * 8 / 1e9:.2f} Gbit/s, "
                f"p99 {found.p99:.1f} ms, {found.each:.0f} B, "
                f"core {found.own:.0%} + {found.kernel:.0%} of {found.core:.0%}"
            )

    def _measured(self, server: Server, cell: Cell) -> Found:
        touch(server, self.site, cell.case)
        with asked(server, self.site, cell.case, wrk_only=self.wrk_only) as load:
            # A thousand responses of 4 MB take seconds.
            longer = 2 if cell == Cell("4MB", CONNECTIONS[-1]) else 1
            return measure(server, load, cell.connections, self.seconds * longer)

    def scale(self, rounds: int) -> None:
        """Measure part 2."""
        for pinned in (True, False):
            with ExitStack() as stack:
                try:
                    pair = [self._workers(stack, count, pinned=pinned) for count in (1, 2)]
                except Refused as refused:
                    self.results.refused["workers"] = str(refused)
                    return
                counts = [len(server.processes()) for server in pair]
                if counts[0] >= counts[1]:
                    arguments = (
                        f"processes of `workers: 1` and `workers: 2`: {counts[0]}, {counts[1]}"
                    )
                    self.results.refused["workers"] = arguments
                    return
                for case in ("playlist", "200KB") * rounds:
                    one, two = (self._asked_of(server, case, pinned=pinned) for server in pair)
                    self.results.scales.append(Scale(case, one, two, pinned))

    def _workers(self, stack: ExitStack, count: int, *, pinned: bool) -> Server:
        settings, tokens = self._best()
        server = self.site.origin(
            f"workers: {count}",
            {**settings, "workers": count},
            tokens=tokens,
            pinned=pinned,
            supervised=True,
        )
        stack.callback(server.stop)
        return server

    def _asked_of(self, server: Server, case: str, *, pinned: bool) -> Found:
        touch(server, self.site, case)
        with asked(server, self.site, case, wrk_only=self.wrk_only) as load:
            found = measure(server, load, CONNECTIONS[0], self.seconds, pinned=pinned)
        server.empty_logs()
        arguments = [f"{seconds:.2f}" for seconds in found.by_process]
        say(f"{server.name}: {case}: {found.rate:.0f}/s, CPU-seconds by process {arguments}")
        return found

    def idle(self) -> None:
        """Measure part 3."""
        settings, tokens = self._best()
        for name in ("nginx", "origin"):
            if name == "nginx":
                server = self.site.nginx()
            else:
                server = self.site.origin(name, settings, tokens=tokens)
            try:
                self.results.idle[name] = held_open(server, min(IDLE, self.site.files - 1000))
            finally:
                server.stop()
            say(f"{name}: {self.results.idle[name]}")

    def _best(self) -> tuple[dict[str, object], bool]:
        """Start the origin with all features."""
        try:
            self.site.origin("trial", *ORIGINS["origin"][:1], tokens=True).stop()
        except Refused:
            return ORIGINS["origin-bare"]
        return ORIGINS["origin"]


def touch(server: Server, site: Site, case: str) -> None:
    """Request everything once: check the bodies, and warm the caches.

    Raises:
        SystemExit: a body is missing or wrong.
    """
    client = Client(server.port)
    wanted = {"Accept-Encoding": "gzip"} if case == "gzip" else {}
    for path in site.sets.get(case, [site.start_over if case == "gzip" else PLAYLIST]):
        page = _got(client, server, path, wanted)
        if case in site.sets:
            file = site.folder / "data" / path.removeprefix("/live/")
            right = page.body == file.read_bytes()
        else:
            right = page.headers.get("content-encoding", "") == wanted.get("Accept-Encoding", "")
        if not right:
            raise SystemExit(f"{server.name}: {path}: another body than the origin's")
    client.close()


def _got(client: Client, server: Server, path: str, wanted: dict[str, str]) -> Page:
    """A response with status 200; a server may defer requests after a thousand connections."""
    deadline = time.monotonic() + 5
    while (page := client.get(server.url(path), wanted)).status == 503:
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    if page.status != 200:
        raise SystemExit(f"{server.name}: {path}: {page.status} {page.body[:200]!r}")
    return page


@contextmanager
def asked(server: Server, site: Site, case: str, *, wrk_only: bool = False) -> Iterator[Load]:
    """Run the load of a case for its duration."""
    path = server.url(PLAYLIST)
    if case == "playlist":
        yield Load(path, {})
    elif case == "304":
        file = site.folder / "renewed"
        with renewed(server, PLAYLIST, file):
            yield Load(path, {}, ("renewed", str(file)))
    else:
        file = site.folder / "mix"
        paths = site.sets.get(case, [site.start_over])
        file.write_text("".join(f"{server.url(one)}\n" for one in paths))
        pull = None if wrk_only else (site.compiled("pull"), file)
        headers = {"Accept-Encoding": "gzip"} if case == "gzip" else {}
        yield Load(path, headers, ("mix", str(file)), pull)


def held_open(server: Server, count: int) -> Idle:
    """The cost of `count` connections that made one request and stay open."""
    client = Client(server.port)
    client.get(server.url(PLAYLIST))
    before = server.memory()
    request = f"GET {server.url(PLAYLIST)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    held = []
    try:
        for index in range(count):
            source = (f"127.0.0.{2 + index % ADDRESSES}", 0)
            held.append(socket.create_connection(("127.0.0.1", server.port), 30, source))
            held[-1].sendall(request)
            _read_answer(held[-1])
        after = server.memory()
        still = sum(map(_is_open, held))
    finally:
        for one in held:
            # With a reset, so that no connection lingers.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            one.close()
        client.close()
    return Idle(count, still, before, after)


def _read_answer(connection: socket.socket) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise SystemExit(f"an idle connection got {head[:100]!r}")
    fields = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    left = next(int(value) for name, _, value in fields if name == b"content-length") - len(body)
    while left > 0:
        left -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise SystemExit("an idle connection was closed")
    return data


def _is_open(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


def say(text: str) -> None:
    """Print the progress."""
    print(text, file=sys.stderr, flush=True)


def _chosen(text: str, known: tuple[str, ...]) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(known):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not of {', '.join(known)}")
    return [name for name in known if name in names]


def options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of a second each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument(
        "--only", type=lambda t: _chosen(t, PARTS), default=list(PARTS), help=", ".join(PARTS)
    )
    parser.add_argument(
        "--servers", type=lambda t: _chosen(t, SERVERS), default=None, help=", ".join(SERVERS)
    )
    parser.add_argument("--wrk", action="store_true", help="ask by wrk for large bodies too")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of origin.md and origin.json")
    return parser.parse_args()


def _end(*_: object) -> NoReturn:
    raise SystemExit("interrupted")


def run(arguments: argparse.Namespace, folder: Path) -> Results:
    """Measure the requested parts."""
    rounds, seconds = (1, 1) if arguments.quick else (arguments.rounds, arguments.seconds)
    names = arguments.servers or [name for name in SERVERS if name != "origin-bare"]
    cases = [case for case in CASES if case in arguments.only]
    with LiveChannel(folder / "data", SystemClock()) as channel:
        site = Site(folder, channel)
        results = Results(
            rounds,
            seconds,
            len(site.playlist.body),
            len(site.start_over_page.body),
            wrk_only=arguments.wrk,
        )
        bench = Bench(site, seconds, rounds, results, arguments.wrk)
        try:
            if cases:
                bench.start(names)
                if arguments.servers is None and "origin-open" in results.refused:
                    bench.start(["origin-bare"])
                bench.compare(cases)
            bench.stop()
            if "workers" in arguments.only:
                bench.scale(min(rounds, 3))
            if "idle" in arguments.only:
                bench.idle()
        finally:
            bench.stop()
    return results


def main() -> None:
    """Measure, print and store the results."""
    arguments = options()
    if (os.cpu_count() or 1) <= LOAD_CORE:
        raise SystemExit("two cores are needed: one of the servers, one of the load")
    signal.signal(signal.SIGTERM, _end)
    folder = Path(tempfile.mkdtemp(prefix="ringside-bench-", dir="/dev/shm"))
    folder.chmod(0o755)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        results = run(arguments, folder)
    finally:
        shutil.rmtree(folder)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "origin.json").write_text(tables.as_json(results))
    text = tables.as_markdown(results)
    (arguments.out / "origin.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
