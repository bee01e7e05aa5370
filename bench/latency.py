"""Latency from glass to glass: from the creation of a frame to its display in a browser.

    python bench/latency.py [--seconds 60] [--latency low] [--warm-up 10]

The test pattern burns the UTC clock into each frame. The clock is read from Chromium's display and
compared with the clock of that instant (tests/browser/page/clock.js). hls.js, dash.js and Shaka
Player play one after the other, from the origin and through nginx with the shipped configuration.
ffmpeg's own low-latency DASH output (`-ldash 1`) runs all the time beside them, with the same
ladder and pattern, and dash.js plays it too. All processes share this machine.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import ffmpeg
import font_roboto
from growing_files import growing_files
from imageio_ffmpeg import get_ffmpeg_exe
from media import OUT
from playwright.async_api import BrowserContext

from packager.config.ladder import EncodeLadder
from packager.config.parse import parse_ladder
from packager.ffmpeg.encoders import encoder_options
from packager.ffmpeg.filters import scaled as scaled_video
from packager.ffmpeg.inputs import PatternFeed, open_inputs
from packager.ffmpeg.outputs import chunks_of
from tests.browser.stage import chromium, page_server
from tests.browser.viewer import LOW_LATENCY, Viewer
from tests.support.caches import cache
from tests.support.service import Service, fetch, free_port, service

LADDER = Path(__file__).parent.parent / "tests/browser/ladder.yaml"
CHANNEL = "glass"
WIDTH, HEIGHT = 640, 360
SEEN = 80
"""Milliseconds; a viewer notices no shorter stall."""
_MEMORY = "/dev/shm"  # noqa: S108 - so that no disk is measured


@dataclass(frozen=True)
class Found:
    """The measurement of one viewer, in milliseconds."""

    player: str
    path: str
    p50: float
    p95: float
    least: float
    most: float
    stalls: int
    stalled: float
    own: float | None
    """Latency as the player reports it, at the end."""
    started: float
    """From the start of playback to the first moving frame."""
    seeks: int
    dropped: int
    decoded: int
    heights: list[int]
    readings: int
    unread: int
    refused: list[str]
    errors: list[str]


@dataclass(frozen=True)
class Turn:
    """A player and the stream that it plays."""

    player: str
    path: str
    channel: str
    """Address of the stream."""


def read_ladder(latency: str) -> EncodeLadder:
    """The ladder of the browser tests."""
    text = f"{LADDER.read_text()}latency: {latency}\n"
    ladder = parse_ladder(text, str(LADDER), "ladder")
    assert isinstance(ladder, EncodeLadder)  # noqa: S101 - it is ours
    return ladder


def peer_arguments(folder: Path, ladder: EncodeLadder, target: float, clock: str) -> list[str]:
    """Arguments of an ffmpeg with its own muxer: the same pattern, encoders and chunk length."""
    pattern = PatternFeed(WIDTH, HEIGHT, ladder.frame_rate, font_roboto.RobotoMedium)
    video, audio = open_inputs(pattern, real_time=True)
    even = video.filter("fps", fps=str(ladder.frame_rate), round="near")
    parts = even.filter_multi_output("split", len(ladder.video))
    frames = int(ladder.segment * ladder.frame_rate)
    streams, options = [], dict[str, object]()
    for index, rendition in enumerate(ladder.video):
        scaled = scaled_video(parts.stream(index), rendition, "x264")
        streams.append(scaled)
        encoder = encoder_options("x264", rendition, frames, rendition.threads, ladder.latency)
        for name, value in encoder.items():
            options[f"{name.removesuffix(':v')}:v:{index}"] = value
        options[f"force_key_frames:v:{index}"] = f"expr:gte(t,n_forced*{float(ladder.segment)})"
    chunk = chunks_of(ladder, ladder.segment).video
    output = ffmpeg.output(
        *streams,
        audio.audio,
        str(folder / "index.mpd"),
        **options,
        **{"c:a": "aac", "b:a": ladder.audio.bitrate, "ar": ladder.audio.sample_rate},
        f="dash",
        ldash=1,
        streaming=1,
        use_template=1,
        use_timeline=0,
        seg_duration=float(ladder.segment),
        frag_type="duration",
        frag_duration=float(chunk),
        target_latency=target,
        min_playback_rate=0.9,
        max_playback_rate=1.1,
        write_prft=1,
        utc_timing_url=clock,
        adaptation_sets="id=0,streams=v id=1,streams=a",
        window_size=10,
        extra_window_size=5,
    ).global_args("-hide_banner", "-nostdin", "-v", "error", "-y")
    return [get_ffmpeg_exe(), *map(str, output.get_args())]


@asynccontextmanager
async def peer(folder: Path, ladder: EncodeLadder, target: float) -> AsyncIterator[str]:
    """Run ffmpeg alone with a file server; give its address."""
    folder.mkdir()
    port = free_port()
    async with growing_files(folder, port) as address:
        arguments = peer_arguments(folder, ladder, target, f"{address}/time")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log)
        try:
            for _ in range(600):
                if len(list(folder.glob("chunk-stream0-*.m4s"))) >= 5:
                    break
                if process.poll() is not None:
                    raise SystemExit((folder / "log").read_text())
                await asyncio.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait()


def target_of(running: Service) -> float:
    """Target latency of our MPD in seconds; three if it has none."""
    text = fetch(f"{running.live(CHANNEL)}/index.mpd").text
    found = re.search(r'<Latency[^>]* target="(\d+)"', text)
    return int(found[1]) / 1000 if found else 3.0


async def watched(
    context: BrowserContext, page: str, turn: Turn, seconds: float, warm_up: float
) -> Found:
    """Play and measure."""
    viewer = await Viewer.open(context, page, turn.player)
    await viewer.read_clock(HEIGHT)
    await viewer.load(turn.channel, low=True, recovers=True)
    if not await viewer.started(30):
        print((await viewer.report()).seen, *viewer.refused, sep="\n")
        raise SystemExit(f"{turn.player}, {turn.path}: it does not start")
    await asyncio.sleep(warm_up)
    before = await viewer.report()
    await asyncio.sleep(seconds)
    readings = await viewer.readings(seconds)
    report = await viewer.report()
    await viewer.page.close()
    latencies = sorted(reading.latency for reading in readings if reading.latency is not None)
    cuts = statistics.quantiles(latencies, n=20)
    since = [s for s in report.stalls if s.at + s.ms >= before.at and s.ms >= SEEN]
    return Found(
        player=turn.player,
        path=turn.path,
        p50=cuts[9],
        p95=cuts[18],
        least=latencies[0],
        most=latencies[-1],
        stalls=len(since),
        stalled=sum(stall.ms for stall in since),
        own=None if report.own_latency is None else report.own_latency * 1000,
        started=report.started_at or 0,
        seeks=report.seeks - before.seeks,
        dropped=report.dropped - before.dropped,
        decoded=report.decoded - before.decoded,
        heights=report.heights,
        readings=len(readings),
        unread=len(readings) - len(latencies),
        refused=viewer.refused,
        errors=[fault.text for fault in report.errors],
    )


def table(founds: Sequence[Found]) -> str:
    """Print the table."""
    heads = ("player", "path", "p50, ms", "p95, ms", "least", "most", "stalls", "stalled, ms")
    heads += ("player says, ms", "start, ms", "seeks", "dropped")
    lines = [heads, ("---",) * len(heads)]
    for one in founds:
        numbers = (one.p50, one.p95, one.least, one.most, one.stalls, one.stalled)
        own = "" if one.own is None else f"{one.own:.0f}"
        rest = (own, f"{one.started:.0f}", str(one.seeks), f"{one.dropped} of {one.decoded}")
        lines.append((one.player, one.path, *(f"{n:.0f}" for n in numbers), *rest))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


async def measure(options: argparse.Namespace) -> list[Found]:
    """Measure all turns."""
    ladder = read_ladder(options.latency)
    source = f"{{type: pattern, width: {WIDTH}, height: {HEIGHT}}}"
    channel = f"  {CHANNEL}: {{source: {source}, ladder: {LADDER}, latency: {options.latency}}}\n"
    founds: list[Found] = []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY)))
        running = stack.enter_context(service(folder, channel))
        running.wait_for_segments(CHANNEL, 5)
        edge = stack.enter_context(cache("nginx", folder / "edge", [running.port], "15s", "503"))
        target = options.target or target_of(running)
        theirs = await stack.enter_async_context(peer(folder / "peer", ladder, target))
        page = stack.enter_context(page_server())
        context = await stack.enter_async_context(chromium(folder / "chromium"))
        paths = {"origin": running.port, "nginx": edge}
        turns = [
            Turn(player, path, f"http://127.0.0.1:{port}/live/{CHANNEL}")
            for player in options.players
            for path, port in paths.items()
            if path in options.paths
        ]
        if "peer" in options.paths:
            turns.append(Turn("dash", f"ffmpeg -ldash, {target:g} s wanted", theirs))
        for turn in turns:
            found = await watched(context, page, turn, options.seconds, options.warm_up)
            print(json.dumps(asdict(found)), flush=True)
            founds.append(found)
    return founds


def main() -> None:
    """Measure, print and store the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--warm-up", type=float, default=10, help="seconds before that")
    parser.add_argument("--latency", choices=("low", "standard"), default="low")
    parser.add_argument("--target", type=float, default=0, help="that the peer asks for: ours")
    parser.add_argument("--players", nargs="*", choices=LOW_LATENCY, default=LOW_LATENCY)
    every = ("origin", "nginx", "peer")
    parser.add_argument("--paths", nargs="*", choices=every, default=every)
    options = parser.parse_args()
    founds = asyncio.run(measure(options))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    result = {
        "machine": machine,
        "latency": options.latency,
        "seconds": options.seconds,
        "found": [asdict(found) for found in founds],
    }
    OUT.mkdir(exist_ok=True)
    (OUT / "latency.json").write_text(json.dumps(result, indent=1))
    print(table(founds))


if __name__ == "__main__":
    main()
