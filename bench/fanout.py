"""Cost of an origin that answers ten thousand viewers at once.

    python bench/fanout.py [--held 10000] [--rounds 10] [--followers 500]

One low-latency channel of the test pattern. The origin has core 0; everything else shares core 1.
Held: many connections each request a playlist with a part that is a second in the future. Measured
is the time from the first response to the last. Following: many connections read segments that
still grow. Measured are the origin's CPU-seconds, beside those of a process that only writes the
same bytes to as many sockets.
"""

import argparse
import os
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import psutil

ROOT = Path(__file__).parent.parent
ORIGIN, CONTROL = 22_080, 22_081
BASE = f"http://127.0.0.1:{ORIGIN}/live/tv"
TRACK = "360p"
LADDER = f"""
mode: encode
frame_rate: 25
segment: 1.92s
latency: low
video:
  - {{id: {TRACK}, width: 640, height: 360, bitrate: 800k, preset: ultrafast, threads: 1}}
audio: {{bitrate: 64k}}
"""
_AHEAD = 3
"""Parts from the newest to the requested one."""
_PARTS = 6
"""Bytes of a segment."""
_ASKED = 0.5
"""Seconds within which the origin has read all requests."""
_PAUSE = 0.1
"""Seconds between two written parts; the reader has read by then."""


def fetch(path: str) -> str:
    """A text, or nothing."""
    try:
        with urllib.request.urlopen(f"{BASE}/{path}", timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


@contextmanager
def channel(folder: Path) -> Iterator[psutil.Process]:
    """Run the channel; give its origin."""
    (folder / "low.yaml").write_text(LADDER)
    config = folder / "bench.yaml"
    origin = f"origin: {{host: 127.0.0.1, port: {ORIGIN}, control_port: {CONTROL}"
    config.write_text(
        f"data: data\n{origin}, connections: 20000, access_log: sampled}}\nchannels:\n"
        "  tv: {source: {type: pattern, width: 640, height: 360}, ladder: low.yaml}\n"
    )
    command = [sys.executable, "-m", "packager", "run", "-c", str(config)]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            ["taskset", "-c", "1", *command], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        while "#EXT-X-PART:" not in fetch(f"{TRACK}/index.m3u8"):
            time.sleep(0.2)
        children = psutil.Process(running.pid).children(recursive=True)
        found = next(child for child in children if "origin" in child.cmdline())
        found.cpu_affinity([0])
        yield found
    finally:
        running.terminate()
        running.wait(20)


def spent(origin: psutil.Process) -> float:
    """CPU-seconds so far."""
    times = origin.cpu_times()
    return times.user + times.system


def connected(count: int) -> dict[int, socket.socket]:
    """Open connections to the origin; give their descriptors."""
    made: dict[int, socket.socket] = {}
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", ORIGIN))
        sock.setblocking(False)  # noqa: FBT003
        made[sock.fileno()] = sock
    return made


def next_part() -> tuple[int, int]:
    """Segment and part of the playlist's preload hint."""
    found = re.search(r'HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"', fetch(f"{TRACK}/index.m3u8"))
    if found is None:
        raise SystemExit("no part is hinted at")
    return int(found[1]), int(found[2])


def held(origin: psutil.Process, count: int, rounds: int) -> None:
    """Measure how fast all held requests are answered."""
    clients = connected(count)
    poll = select.epoll()
    for descriptor in clients:
        poll.register(descriptor, select.EPOLLIN | select.EPOLLET)
    spans: list[float] = []
    cpu: list[float] = []
    for _ in range(rounds):
        number, part = next_part()
        number, part = (number + 1, 0) if part + _AHEAD >= _PARTS else (number, part + _AHEAD)
        query = f"_HLS_msn={number}&_HLS_part={part}"
        ask = f"GET /live/tv/{TRACK}/index.m3u8?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        for sock in clients.values():
            sock.send(ask)
        asked, before = time.perf_counter(), spent(origin)
        left, first, last = count, 0.0, 0.0
        while left:
            for descriptor, _ in poll.poll(10, count):
                data = clients[descriptor].recv(1 << 16)
                if b" 200 OK" not in data[:20]:
                    raise SystemExit(f"refused: {data[:200]!r}")
                left -= 1
            last = time.perf_counter()
            first = first or last
        spans.append(last - first)
        cpu.append(spent(origin) - before)
        within = spans[-1] * 1000
        print(f"  asked for {first - asked:.2f} s before, all told within {within:.0f} ms")
    print(
        f"{count} held requests: the last is answered {median(spans) * 1000:.0f} ms (median) and "
        f"{max(spans) * 1000:.0f} ms (at most) after the first; origin {median(cpu):.3f} CPU-s"
    )
    for sock in clients.values():
        sock.close()


def following(origin: psutil.Process, count: int, segments: int = 4) -> None:
    """Measure the cost of a growing segment for many connections."""
    clients = connected(count)
    poll = select.epoll()
    for descriptor in clients:
        poll.register(descriptor, select.EPOLLIN | select.EPOLLET)
    before, began = spent(origin), time.perf_counter()
    time.sleep(5)
    idle = (spent(origin) - before) / (time.perf_counter() - began)
    size, asking, cost = 0, 0.0, 0.0
    for _ in range(segments):
        number = next_part()[0] + 1
        # So late in a segment that the requests for the next one are held.
        fetch(f"{TRACK}/index.m3u8?_HLS_msn={number}&_HLS_part=1")
        ask = f"GET /live/tv/{TRACK}/{number + 1}.m4s HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        before, began = spent(origin), time.perf_counter()
        for sock in clients.values():
            sock.send(ask)
        time.sleep(_ASKED)
        asked = spent(origin)
        left = set(clients)
        while left:
            for descriptor, _ in poll.poll(10, count):
                data = b""
                while True:
                    try:
                        more = clients[descriptor].recv(1 << 20)
                    except BlockingIOError:
                        break
                    size += len(more)
                    data = (data + more)[-5:]
                if data.endswith(b"0\r\n\r\n"):
                    left.discard(descriptor)
        asking += asked - before - idle * _ASKED
        cost += spent(origin) - asked - idle * (time.perf_counter() - began - _ASKED)
    for sock in clients.values():
        sock.close()
    alone = written(count, size // count, segments * _PARTS)
    print(
        f"{count} followers of {segments} growing segments, {size / 1e6:.0f} MB: origin "
        f"{cost:.3f} CPU-s to send them, {asking:.3f} to take the requests (without what it takes "
        f"with no client, {idle:.3f} CPU-s a second); writing alone {alone:.3f} CPU-s"
    )


def written(count: int, size: int, parts: int) -> float:
    """CPU-seconds for writing the bytes to each of the sockets, part by part.

    Runs on the origin's core. The reader is a process like the one that reads from the origin: to
    wake it is part of the cost of a write.
    """
    piece = bytes(size // parts)
    with socket.create_server(("127.0.0.1", 0), backlog=count) as server:
        address = server.getsockname()
        pairs = [(socket.create_connection(address), server.accept()[0]) for _ in range(count)]
    reader = os.fork()
    if not reader:
        read_all([receiver for _, receiver in pairs], len(piece) * parts)
        os._exit(0)
    here = psutil.Process()
    here.cpu_affinity([0])
    own = time.process_time()
    for _ in range(parts):
        for sender, _ in pairs:
            sender.sendall(piece)
        time.sleep(_PAUSE)
    spent_here = time.process_time() - own
    os.waitpid(reader, 0)
    here.cpu_affinity([1])
    for pair in pairs:
        for sock in pair:
            sock.close()
    return spent_here


def read_all(socks: list[socket.socket], size: int) -> None:
    """Read a number of bytes of each socket."""
    poll, left = select.epoll(), {sock.fileno(): size for sock in socks}
    receivers = {sock.fileno(): sock for sock in socks}
    for descriptor, sock in receivers.items():
        sock.setblocking(False)  # noqa: FBT003
        poll.register(descriptor, select.EPOLLIN)
    while left:
        for descriptor, _ in poll.poll(10, len(socks)):
            left[descriptor] -= len(receivers[descriptor].recv(1 << 20))
            if not left[descriptor]:
                poll.unregister(descriptor)
                del left[descriptor]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--followers", type=int, default=500)
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    psutil.Process().cpu_affinity([1])
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made, channel(Path(made)) as origin:
        held(origin, arguments.held, arguments.rounds)
        following(origin, arguments.followers)


if __name__ == "__main__":
    main()
