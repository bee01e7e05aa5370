"""Cost of a Smooth fragment on request, beside the cost of making it on arrival.

    python bench/smooth.py [--rounds 200]

Prints medians in microseconds, for a segment of the largest rendition of the benchmark's ladder
(5.2 Mbit/s, 1.92 s) in memory-backed files. Three cases: reading the segment, as for CMAF; reading
it and making the fragment; making the fragment and writing a second copy.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from media import ladder

from packager.cmaf.smooth_fragment import smooth_fragment
from packager.journal.format import JournalReader
from packager.timeline.apply import fold
from packager.timing.smooth_time import span


def median_of(work: Callable[[], object], rounds: int) -> float:
    """Microseconds of one call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(dir="/dev/shm") as out:
        command = [sys.executable, "-m", "packager", "replay", str(ladder()), "--channel", "bench"]
        command += ["--start", "2026-01-01T00:00:00Z", "--out", out]
        subprocess.run(command, check=True, capture_output=True)
        folder = Path(out) / "bench"
        timeline = fold(JournalReader().feed((folder / "journal").read_bytes()))
        segments = timeline.tracks["v0"].segments
        timescale = timeline.track("v0", segments[0].period).timescale
        here, *following = (span(segment, timescale) for segment in segments[1:3])
        path = folder / "v0" / f"{segments[1].number}.m4s"

        def read() -> bytes:
            return path.read_bytes()

        def make() -> bytes:
            return smooth_fragment(read(), timescale, here, following)

        def keep() -> None:
            (folder / "copy").write_bytes(make())

        print(f"segment of {path.stat().st_size} bytes, {rounds} rounds, medians in microseconds")
        for name, work in (("read", read), ("read, make", make), ("read, make, write", keep)):
            print(f"{name:20} {median_of(work, rounds):7.0f}")


if __name__ == "__main__":
    main()
