"""Cost of encoders for the packager, and the time until they are on air.

    python bench/ingest.py [--publishers 20] [--seconds 20]

Twenty encoders publish 6 Mbit/s each over RTMP to as many passthrough channels. The packager and
its ffmpegs run on core 0, the encoders (ffmpeg, copying a file) on core 1. Results:
CPU-seconds per second of the packager and of its ffmpegs, and whether all channels stayed on air.
The time on air is from the connection to the first listed segment.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import psutil
from imageio_ffmpeg import get_ffmpeg_exe

ROOT = Path(__file__).parent.parent
RTMP, ORIGIN, CONTROL = 21_935, 21_080, 21_081
SEGMENT = 1.92
KEY = "a-key-of-the-bench-{:02}"


def material(folder: Path) -> Path:
    """Make twenty seconds of 6 Mbit/s with a keyframe for each segment."""
    out = folder / "feed.flv"
    command = [get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi"]
    command += ["-i", "testsrc2=size=1280x720:rate=25,noise=c0s=20:c0f=t", "-f", "lavfi"]
    command += ["-i", "sine=sample_rate=48000", "-t", "19.2", "-c:v", "libx264"]
    command += ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "48", "-sc_threshold", "0"]
    command += ["-b:v", "6M", "-minrate", "6M", "-maxrate", "6M", "-bufsize", "6M"]
    command += ["-nal-hrd", "cbr", "-c:a", "aac", str(out)]
    subprocess.run(command, check=True)
    return out


def config(folder: Path, publishers: int) -> Path:
    """A configuration with a channel for each encoder."""
    lines = ["data: data", f"origin: {{host: 127.0.0.1, port: {ORIGIN}, control_port: {CONTROL}}}"]
    lines += [f"ingest: {{host: 127.0.0.1, rtmp_port: {RTMP}}}", "channels:"]
    for number in range(publishers):
        source = f"{{type: rtmp, key: {KEY.format(number)}}}"
        lines.append(f"  c{number}: {{source: {source}, ladder: passthrough}}")
    path = folder / "bench.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def newest(number: int) -> int:
    """The newest segment of a channel; 0 before the first."""
    try:
        url = f"http://127.0.0.1:{ORIGIN}/live/c{number}/v0/index.m3u8"
        with urllib.request.urlopen(url, timeout=5) as answer:
            found = re.findall(r"^(\d+)\.m4s$", answer.read().decode(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[-1]) if found else 0


def spent(packager: psutil.Process) -> tuple[float, float]:
    """CPU-seconds so far: of the packager, and of its ffmpegs."""
    own = packager.cpu_times()
    children = [child.cpu_times() for child in packager.children()]
    return own.user + own.system, sum(times.user + times.system for times in children)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--publishers", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made, ExitStack() as stack:
        folder = Path(made)
        feed, log = material(folder), folder / "log"
        run = [
            sys.executable,
            "-m",
            "packager",
            "run",
            "-c",
            str(config(folder, arguments.publishers)),
        ]
        with log.open("wb") as out:
            service = stack.enter_context(
                subprocess.Popen(["taskset", "-c", "0", *run], cwd=ROOT, stdout=out, stderr=out)
            )
        stack.callback(service.terminate)
        while log.read_text().count('"waiting"') < arguments.publishers:
            time.sleep(0.1)
        started: list[float] = []
        first: dict[int, float] = {}
        for number in range(arguments.publishers):
            url = f"rtmp://127.0.0.1:{RTMP}/live/{KEY.format(number)}"
            command = ["taskset", "-c", "1", get_ffmpeg_exe(), "-loglevel", "error", "-nostdin"]
            command += [
                "-re",
                "-stream_loop",
                "-1",
                "-i",
                str(feed),
                "-c",
                "copy",
                "-f",
                "flv",
                url,
            ]
            encoder = stack.enter_context(subprocess.Popen(command))
            stack.callback(encoder.kill)
            started.append(time.monotonic())
            while number not in first:
                if newest(number):
                    first[number] = time.monotonic() - started[number]
                time.sleep(0.02)
        packager = next(
            child
            for child in psutil.Process(service.pid).children(recursive=True)
            if child.cmdline()[1:4] == ["-m", "packager", "packager"]
        )
        before, begin = spent(packager), time.monotonic()
        edges = [newest(number) for number in range(arguments.publishers)]
        time.sleep(arguments.seconds)
        after, length = spent(packager), time.monotonic() - begin
        grown = [newest(number) - edge for number, edge in enumerate(edges)]
        own, theirs = ((b - a) / length for a, b in zip(before, after, strict=True))
        events = re.findall(r'"event": "(channel.failed|timeline.broken)"', log.read_text())
        problems = sorted(set(events))
        waits = sorted(first.values())
        print(f"{arguments.publishers} publishers, 6 Mbit/s each, {length:.0f} s on one core")
        print(f"packager {own:.3f}, its ffmpegs {theirs:.3f} CPU-seconds a second")
        print(f"segments of each meanwhile: {min(grown)} to {max(grown)} ({length / SEGMENT:.1f})")
        print(f"encoder started to first segment listed: {waits[0]:.2f} to {waits[-1]:.2f} s,")
        print(f"  median {waits[len(waits) // 2]:.2f} s; a segment lasts {SEGMENT} s")
        print(f"problems: {', '.join(problems) or 'none'}")


if __name__ == "__main__":
    main()
