"""Cost of one more segment in a start-over view, by the length of the view.

    python bench/window.py [--segments 200] [--plot docs/window-cost.svg]

Each length gets a channel of five renditions and audio, without media. The channel continues
segment by segment. After each segment three gzipped manifests of a start-over view are made: the
playlist of one rendition, the MPD and the Smooth manifest. They are made incrementally, and for
comparison from nothing. Each length has its own process, so that its memory can be measured.
"""

import argparse
import gzip
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import psutil

from origin.decision.channel_state import ChannelSnapshot
from origin.decision.decide import decide
from origin.decision.plan import Plan, ServeManifest
from origin.http.render import render
from origin.urls.request import parse
from packager.journal.compaction import records_of
from packager.journal.format import VERSION
from packager.manifest.incremental import ListCaches
from packager.timeline.apply import fold
from packager.timeline.model import Timeline
from packager.timeline.records import (
    Anchor,
    ChunkAdded,
    JournalHeader,
    PeriodStarted,
    Record,
    SegmentEnded,
    TrackAdded,
)
from packager.timing.grid import Grid
from packager.timing.ticks import Ticks, UtcMicros
from packager.track import Track, TrackKind

LENGTHS = {"2 min": 120, "1 h": 3600, "4 h": 14_400, "12 h": 43_200, "24 h": 86_400}
"""Seconds of the view."""
GRIDS = {"25": Fraction(48, 25), "29.97": Fraction(1001, 500)}
"""Segment durations by frame rate. At 29.97 the audio segments differ in length."""
_TIMESCALE = {"25": 12_800, "29.97": 30_000}
_SOUND = 48_000
_CHUNKS = 4
_START = 1_767_225_600


def tracks(rate: str) -> Iterator[Track]:
    """Five renditions and audio."""
    for index in range(5):
        yield Track(
            id=f"v{index}",
            kind=TrackKind.VIDEO,
            version="0" * 8,
            timescale=_TIMESCALE[rate],
            codecs="avc1.64001e",
            codec_private="0000000167",
            bitrate=(5 - index) * 1_000_000,
            width=1920 // (index + 1),
            height=1080 // (index + 1),
        )
    yield Track(
        id="a0",
        kind=TrackKind.AUDIO,
        version="0" * 8,
        timescale=_SOUND,
        codecs="mp4a.40.2",
        codec_private="1190",
        bitrate=128_000,
        sample_rate=_SOUND,
        channels=2,
    )


def boundary(grid: Grid, track: Track, number: int) -> int:
    """Start of a segment in ticks; of audio, to the nearest frame."""
    exact = grid.boundary(number, track.timescale)
    return exact if track.kind is TrackKind.VIDEO else (exact + 512) // 1024 * 1024


def segment(grid: Grid, track: Track, number: int) -> Iterator[Record]:
    """The records of one segment."""
    start, stop = boundary(grid, track, number), boundary(grid, track, number + 1)
    for index in range(_CHUNKS):
        begin, end = (start + (stop - start) * part // _CHUNKS for part in (index, index + 1))
        yield ChunkAdded(track.id, number, Ticks(begin), Ticks(end - begin), 250_000)
    yield SegmentEnded(track.id, number, grid.micros(number + 1))


def channel(grid: Grid, rate: str, first: int, count: int) -> Timeline:
    """A channel with a number of segments, as read from a compacted journal."""
    utc = grid.micros(first)
    records: list[Record] = [
        JournalHeader(VERSION, "tv", grid.duration),
        PeriodStarted(0, first, Anchor(Fraction(0), utc, utc)),
        *map(TrackAdded, tracks(rate)),
    ]
    timeline = fold(records)
    for number in range(first, first + count):
        for track in tracks(rate):
            timeline = fold(segment(grid, track, number), timeline)
    return fold(records_of(timeline, VERSION))


def asked(timeline: Timeline, path: str, query: str = "") -> Plan:
    """The origin's plan, at an instant when the live edge is fresh."""
    now = UtcMicros(timeline.grid.micros(timeline.edge + 1))
    view = ChannelSnapshot(timeline, Fraction(120), Fraction(10**7))
    return decide(parse(f"/live/tv/{path}", query), view, now)


def body(plan: Plan, tapes: ListCaches) -> bytes:
    """The manifest with the usual compression."""
    if not isinstance(plan, ServeManifest):
        raise TypeError(plan)
    return render(plan, tapes).gzipped()


def patch_name(timeline: Timeline, mpd: str, tapes: ListCaches) -> str:
    """Location of the next patch in an MPD."""
    plain = gzip.decompress(body(asked(timeline, mpd), tapes)).decode()
    return plain.partition("<PatchLocation>")[2].partition("<")[0]


T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result of a call, and its milliseconds of CPU."""
    before = time.process_time()
    done = work()
    return done, (time.process_time() - before) * 1000


def grown(timeline: Timeline, rate: str) -> Timeline:
    """The timeline with one more segment of all tracks."""
    number = timeline.edge + 1
    records = [r for track in tracks(rate) for r in segment(timeline.grid, track, number)]
    return fold(records, timeline)


def measure(rate: str, seconds: int, segments: int) -> dict[str, float]:
    """Medians for a view of this length, over some segments."""
    grid, process = Grid(GRIDS[rate]), psutil.Process()
    before = process.memory_info().rss
    first = grid.number_at(_START, 1) + 1
    timeline = channel(grid, rate, first, int(seconds / grid.duration))
    known = process.memory_info().rss
    view = f"from/{-(-first * grid.duration * 1000 // 1) / 1000:.3f}".rstrip("0").rstrip(".")
    files = {
        "HLS": f"{view}/v0/index.m3u8",
        "DASH": f"{view}/index.mpd",
        "Smooth": f"{view}/index.ism/Manifest",
    }
    tapes = ListCaches()
    made = {name: body(asked(timeline, file), tapes) for name, file in files.items()}
    took: dict[str, list[float]] = {name: [] for name in ("fold", "anew", *files)}
    for count in range(segments):
        timeline, milliseconds = timed(partial(grown, timeline, rate))
        took["fold"].append(milliseconds / 6)
        for name, file in files.items():
            made[name], milliseconds = timed(partial(body, asked(timeline, file), tapes))
            took[name].append(milliseconds)
        if count % 20 == 0:
            plans = [asked(timeline, file) for file in files.values()]
            _, milliseconds = timed(lambda plans=plans: [body(p, ListCaches()) for p in plans])
            took["anew"].append(milliseconds)
    found = {name: statistics.median(values) for name, values in took.items()}
    found |= {f"{name} bytes": len(data) for name, data in made.items()}
    found["delta bytes"] = len(body(asked(timeline, files["HLS"], "_HLS_skip=YES"), tapes))
    patch = f"{view}/{patch_name(timeline, files['DASH'], tapes)}"
    found["patch bytes"] = len(body(asked(grown(timeline, rate), patch), tapes))
    for track in tracks(rate):
        body(asked(timeline, f"{view}/{track.id}/index.m3u8"), tapes)
    found["timeline MiB"] = (known - before) / 2**20
    found["process MiB"] = process.memory_info().rss / 2**20
    return found


def alone(rate: str, seconds: int, segments: int) -> dict[str, float]:
    """`measure` in its own process."""
    command = [sys.executable, __file__, "--one", f"{rate},{seconds}", "--segments", str(segments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def row(name: str, found: dict[str, float]) -> str:
    """A line of the table."""
    three = found["fold"] + sum(found[kind] for kind in ("HLS", "DASH", "Smooth"))
    cells = [
        name,
        *(f"{found[kind]:.2f}" for kind in ("fold", "HLS", "DASH", "Smooth")),
        f"{three:.2f}",
        f"{found['anew']:.1f}",
        *(f"{found[f'{kind} bytes'] / 1000:.1f}" for kind in ("HLS", "delta", "DASH", "patch")),
        f"{found['timeline MiB']:.0f}",
        f"{found['process MiB']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


HEAD = """\
| view | segment, ms | HLS, ms | DASH, ms | Smooth, ms | together | anew, ms | HLS, kB | delta, kB \
| MPD, kB | patch, kB | timeline, MiB | process, MiB |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def plot(results: dict[str, dict[str, dict[str, float]]], out: Path) -> None:
    """Plot milliseconds over hours, both logarithmic."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - it has no part in what is measured

    figure, axes = plt.subplots(figsize=(7, 4))
    for rate, found in results.items():
        hours = [LENGTHS[name] / 3600 for name in found]
        ours = [sum(f[kind] for kind in ("HLS", "DASH", "Smooth")) for f in found.values()]
        axes.loglog(hours, ours, marker="o", label=f"{rate} fps")
        naive = [f["anew"] for f in found.values()]
        axes.loglog(hours, naive, marker="x", linestyle="--", label=f"{rate} fps, made anew")
    axes.set_xticks([LENGTHS[name] / 3600 for name in LENGTHS], list(LENGTHS))
    axes.set_xlabel("length of the start-over view")
    axes.set_ylabel("ms of CPU for three manifests")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(out, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measure, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--segments", type=int, default=200, help="that each view grows by")
    parser.add_argument("--plot", type=Path, default=Path(__file__).parent / "out" / "window.svg")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        rate, seconds = options.one.split(",")
        print(json.dumps(measure(rate, int(seconds), options.segments)))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}")
    results: dict[str, dict[str, dict[str, float]]] = {}
    for rate, duration in GRIDS.items():
        print(f"\n{rate} fps, segments of {float(duration):.3f} s\n", HEAD, sep="\n")
        for name, seconds in LENGTHS.items():
            found = alone(rate, seconds, options.segments)
            results.setdefault(rate, {})[name] = found
            print(row(name, found), flush=True)
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    plot(results, options.plot)
    print(f"\nplot: {options.plot}")


if __name__ == "__main__":
    main()
