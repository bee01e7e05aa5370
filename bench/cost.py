"""Cost of the packager, beside ffmpeg's own dash muxer on the same input in the same run.

    python bench/cost.py [--seconds 60] [--channels 10]

1. One channel of five renditions and audio: 12 Mbit/s, pre-encoded, passthrough, real time.
   Results: CPU-seconds per stream-second of the packager and of its ffmpeg, and their memory.
   ffmpeg's dash muxer runs at the same time with `-hls_playlist 1`.
2. Ten channels and the origin. Results: CPU, memory, and the delay of a chunk: from the
   packager's read of its last bytes to the end of its response.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import aiohttp
import psutil
from media import FFMPEG, OUT, SEGMENT, ladder

from packager.ffmpeg.outputs import CHUNKS

_HERE = Path(__file__).parent
_MEMORY = "/dev/shm"  # noqa: S108 - so that no disk is measured


@dataclass
class Cost:
    """The resources that a process used during the measurement."""

    cpu: float
    """CPU-seconds per second."""
    rss: float
    """Resident memory in MiB."""
    unique: float
    """MiB that the machine would have free without the process."""


def cpu_of(process: psutil.Process) -> float:
    """CPU-seconds so far."""
    times = process.cpu_times()
    return times.user + times.system


def config(folder: Path, source: Path, channels: int, port: int) -> Path:
    """A configuration of equal passthrough channels."""
    lines = [
        f"data: {folder / 'data'}",
        "origin:",
        f"  port: {port}",
        f"  control_port: {port + 1}",
    ]
    lines.append("channels:")
    for index in range(channels):
        lines += [
            f"  c{index}:",
            "    source:",
            "      type: file",
            f"      file: {source}",
            "      loop: true",
            "    ladder: passthrough",
            "    window: 60s",
            "    retention: 90s",
        ]
    path = folder / "bench.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def start_packager(path: Path, arrivals: Path) -> subprocess.Popen[bytes]:
    """Start the packager alone, with the probe."""
    command = [sys.executable, str(_HERE / "probed_packager.py"), str(arrivals)]
    return subprocess.Popen(
        [*command, "packager", "-c", str(path)], stderr=(path.parent / "packager.log").open("wb")
    )


def start_peer(folder: Path, source: Path) -> subprocess.Popen[bytes]:
    """Start ffmpeg's dash muxer, which writes HLS playlists too."""
    folder.mkdir()
    command = [FFMPEG, "-v", "error", "-nostdin", "-re", "-stream_loop", "-1", "-i", str(source)]
    command += ["-map", "0", "-c", "copy", "-f", "dash", "-seg_duration", SEGMENT]
    command += ["-window_size", "31", "-extra_window_size", "5", "-hls_playlist", "1"]
    command += ["-use_timeline", "1", "-use_template", "1", str(folder / "index.mpd")]
    return subprocess.Popen(command)


def wait_for(condition: object, seconds: float = 30) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > end:
            raise SystemExit("nothing came: see the logs")
        time.sleep(0.05)


class Watch:
    """CPU time of some processes between two moments."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.processes = processes
        self.start = time.monotonic()
        self.before = [cpu_of(process) for process in processes]

    def costs(self) -> list[Cost]:
        """The usage of each process since the start."""
        length = time.monotonic() - self.start
        result = []
        for process, before in zip(self.processes, self.before, strict=True):
            memory = process.memory_full_info()
            cpu = (cpu_of(process) - before) / length
            result.append(Cost(cpu, memory.rss / 2**20, memory.uss / 2**20))
        return result


def total(costs: list[Cost]) -> Cost:
    """The usage of several processes together."""
    return Cost(*(sum(getattr(c, name) for c in costs) for name in ("cpu", "rss", "unique")))


def one_channel(seconds: float) -> dict[str, object]:
    """Measure part 1."""
    source = ladder()
    folder = Path(tempfile.mkdtemp(dir=_MEMORY))
    packager = start_packager(config(folder, source, 1, 18080), folder / "arrivals")
    peer = start_peer(folder / "peer", source)
    try:
        journal = folder / "data/c0/journal"
        wait_for(lambda: journal.exists() and b'["s"' in journal.read_bytes())
        process = psutil.Process(packager.pid)
        ffmpeg = process.children()[0]
        watch = Watch([process, ffmpeg, psutil.Process(peer.pid)])
        time.sleep(seconds)
        ours, child, theirs = watch.costs()
    finally:
        for running in (packager, peer):
            running.terminate()
            running.wait()
        shutil.rmtree(folder)
    return {
        "packager": asdict(ours),
        "its ffmpeg": asdict(child),
        "together": asdict(total([ours, child])),
        "ffmpeg dash muxer": asdict(theirs),
    }


Seen = dict[tuple[str, str, int, int], tuple[int, int]]
"""By channel, track, number and chunk: time of the request and end of the response, in ns."""


async def _watch_chunks(
    session: aiohttp.ClientSession,
    base: str,
    seen: Seen,
    end: float,
) -> None:
    """Request each next chunk of one track before it exists; record when its response ended."""
    channel, track = base.split("/")[-2:]
    playlist = ""
    while "#EXTINF" not in playlist:
        async with session.get(f"{base}/index.m3u8") as response:
            playlist = await response.text()
        await asyncio.sleep(0.1)
    number = int(playlist.strip().splitlines()[-1].removesuffix(".m4s")) + 1
    chunk = 0
    while time.monotonic() < end:
        asked = time.monotonic_ns()
        async with session.get(f"{base}/{number}.{chunk}.m4s") as response:
            await response.read()
            now = time.monotonic_ns()
            status = response.status
        if status != 200:
            raise SystemExit(f"{base}/{number}.{chunk}.m4s: {status}")
        seen[channel, track, number, chunk] = asked, now
        number, chunk = (number, chunk + 1) if chunk + 1 < CHUNKS else (number + 1, 0)


async def _latencies(port: int, channels: int, seconds: float) -> Seen:
    seen: Seen = {}
    end = time.monotonic() + seconds
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for index in range(channels):
            base = f"http://127.0.0.1:{port}/live/c{index}/v0"
            tasks.create_task(_watch_chunks(session, base, seen, end))
    return seen


def _serves(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def many_channels(seconds: float, channels: int) -> dict[str, object]:
    """Measure part 2."""
    source = ladder()
    folder = Path(tempfile.mkdtemp(dir=_MEMORY))
    path = config(folder, source, channels, 18080)
    arrivals = folder / "arrivals"
    packager = start_packager(path, arrivals)
    origin = subprocess.Popen(
        [sys.executable, "-m", "origin", "-c", str(path)], stderr=(folder / "origin.log").open("wb")
    )
    try:
        journals = [folder / f"data/c{index}/journal" for index in range(channels)]
        wait_for(lambda: all(j.exists() and b'["s","v0"' in j.read_bytes() for j in journals))
        wait_for(lambda: _serves(18080))
        process = psutil.Process(packager.pid)
        children = process.children()
        watch = Watch([process, psutil.Process(origin.pid), *children])
        seen = asyncio.run(_latencies(18080, channels, seconds))
        ours, serving, *ffmpegs = watch.costs()
    finally:
        for running in (packager, origin):
            running.terminate()
            running.wait()
    arrived = {}
    for line in arrivals.read_text().splitlines():
        channel, track, number, chunk, instant = line.split()
        arrived[channel, track, int(number), int(chunk)] = int(instant)
    shutil.rmtree(folder)
    # A chunk that existed before the request shows no delay.
    millis = sorted(
        (at - arrived[key]) / 1e6
        for key, (asked, at) in seen.items()
        if key in arrived and asked < arrived[key]
    )
    cuts = statistics.quantiles(millis, n=1000)
    return {
        "channels": channels,
        "packager": asdict(ours),
        "packager a channel": ours.cpu / channels,
        "origin": asdict(serving),
        "all ffmpeg": asdict(total(ffmpegs)),
        "chunks": len(millis),
        "arrival to fetched, ms": {
            "p50": cuts[499],
            "p90": cuts[899],
            "p99": cuts[989],
            "max": millis[-1],
        },
    }


def main() -> None:
    """Measure, print and store the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rounds = [one_channel(arguments.seconds) for _ in range(arguments.rounds)]
    print(json.dumps(rounds, indent=2))
    result = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "one channel": rounds,
        "many channels": many_channels(arguments.seconds, arguments.channels),
    }
    OUT.mkdir(exist_ok=True)
    (OUT / "cost.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))
    for name in ("packager", "its ffmpeg", "together", "ffmpeg dash muxer"):
        cpu = [part[name]["cpu"] for part in rounds]  # type: ignore[index]
        rss = [part[name]["rss"] for part in rounds]  # type: ignore[index]
        print(f"{name:20} {statistics.median(cpu):.4f} CPU-s/s  {statistics.median(rss):.0f} MiB")


if __name__ == "__main__":
    main()
