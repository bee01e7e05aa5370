"""Delay from a frame's arrival at ffmpeg to its finished chunk, and the price of low latency.

    python bench/chunk_out.py [--seconds 20] [--ladders demo ...] [--feed FILE]

1. Camera footage without B-frames is written to ffmpeg's standard input in real time, frame by
   frame (FLV, 8 Mbit/s at 1080p). ffmpeg runs with the arguments of a channel, for `latency: low`
   and for standard latency. The delay of a frame is the time from its last byte written to the last
   byte of its chunk read. A ladder that this machine cannot encode in real time is measured
   rendition by rendition. A rendition that is too slow alone is left out.
2. The same footage is encoded as each rendition, low and standard, at the same bit rate. SSIM and
   PSNR of the luma compare the result with the source, by ffmpeg's filters.
"""

import argparse
import json
import os
import re
import select
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

from imageio_ffmpeg import get_ffmpeg_exe
from media import OUT
from msgspec.structs import replace

from packager.cmaf.demuxer import Demuxer, Init
from packager.cmaf.samples import SampleRun
from packager.config.ladder import EncodeLadder, Latency, VideoRendition
from packager.config.parse import parse_ladder
from packager.feed.report import Container
from packager.ffmpeg.command import arguments
from packager.ffmpeg.encoders import encoder_options
from packager.ffmpeg.inputs import PipeFeed
from packager.ffmpeg.probe import AudioStream, SourceInfo, VideoStream
from packager.ffmpeg.tracks import track_specs
from tests.support import footage

_LADDERS = Path(__file__).parent.parent / "profiles/ladders"
_SHIPPED = ("demo", "mobile-360p", "sports-1080p25", "sports-1080p50")
_LATENCIES: tuple[Latency, ...] = ("standard", "low")
_SETTLED = 6.0
"""Seconds until ffmpeg has caught up with the media that it probed."""
_BEHIND = 0.1
"""Seconds that the feed may be late at its end; a later feed shows that ffmpeg is too slow."""
_AGAIN = "3"
"""Repetitions of the footage for the quality: rate control needs time to settle."""
_MEMORY = "/dev/shm"  # noqa: S108 - so that no disk is measured
_FLV_HEADER = 13
"""Bytes before the first tag (FLV 10.1, annex E.2 and E.3)."""
_VIDEO_TAG = 9


@dataclass(frozen=True)
class Delay:
    """Milliseconds from a frame's arrival to its finished chunk."""

    ladder: str
    renditions: str
    latency: str
    chunk: float
    """Milliseconds of a chunk."""
    p50: float
    p95: float
    last: float
    """Median of the last frame of each chunk: the delay of the encoder."""
    first: float
    """Median of the first frame of each chunk."""
    keeps_up: bool


@dataclass(frozen=True)
class Quality:
    """Similarity of a rendition to its source."""

    ladder: str
    rendition: str
    latency: str
    bitrate: float
    """Bit/s of the encoded rendition."""
    ssim: float
    psnr: float
    """dB."""


def read_ladder(name: str, latency: Latency) -> EncodeLadder:
    """A shipped ladder."""
    path = _LADDERS / f"{name}.yaml"
    ladder = parse_ladder(path.read_text(), str(path), name)
    assert isinstance(ladder, EncodeLadder)  # noqa: S101 - it is ours
    return replace(ladder, latency=latency)


def film(folder: Path, source: Path, ladder: EncodeLadder, seconds: float) -> Path:
    """The footage as an encoder sends it, as large as the largest rendition, without B-frames."""
    top = ladder.video[0]
    out = folder / f"{top.height}-{ladder.frame_rate}.flv"
    if out.exists():
        return out
    rate = f"{max(2000, top.width * top.height * 8000 // (1920 * 1080))}k"
    command = [get_ffmpeg_exe(), "-v", "error", "-nostdin", "-stream_loop", "-1", "-i", str(source)]
    command += [
        "-vf",
        f"scale={top.width}:{top.height},fps={ladder.frame_rate}",
        "-t",
        str(seconds),
    ]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "50", "-b:v", rate]
    command += ["-maxrate", rate, "-bufsize", rate, "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-ar", "48000", "-ac", "2", str(out)]
    subprocess.run(command, check=True)
    return out


def tags(flv: bytes) -> Iterator[tuple[float, bool, bytes]]:
    """Each tag's time in seconds, whether it is video, and its bytes."""
    at = _FLV_HEADER
    while at < len(flv):
        size = int.from_bytes(flv[at + 1 : at + 4])
        stamp = int.from_bytes(flv[at + 4 : at + 7]) | flv[at + 7] << 24
        end = at + 11 + size + 4
        # The second byte of AVC video is 1 before a frame, 0 before the decoder configuration.
        picture = flv[at] == _VIDEO_TAG and size > 5 and flv[at + 12] == 1
        yield stamp / 1000, picture, flv[at:end]
        at = end


def write(flv: bytes, pipe: int, arrived: list[float]) -> None:
    """Write the feed in real time; record when each frame was written."""
    began = time.monotonic()
    os.write(pipe, flv[:_FLV_HEADER])
    with os.fdopen(pipe, "wb", buffering=0) as out:
        for at, picture, tag in tags(flv):
            time.sleep(max(0.0, began + at - time.monotonic()))
            view = memoryview(tag)
            try:
                while view:
                    view = view[cast("int", out.write(view)) :]
            except BrokenPipeError:
                return
            if picture:
                arrived.append(time.monotonic())


Chunk = tuple[float, int, tuple[int, ...]]
"""Time of completion, rendition, and the numbers of the frames."""


def chunks_of(ladder: EncodeLadder, flv: Path) -> tuple[list[float], list[Chunk]]:
    """Arrival times of all frames, and the chunks of all renditions."""
    top = ladder.video[0]
    video = VideoStream("h264", top.width, top.height, ladder.frame_rate, 0)
    info = SourceInfo((video,), (AudioStream("aac", "und", 1, 48_000, "stereo"),))
    feed = PipeFeed(Container.FLV)
    count = len(track_specs(ladder, info))
    ends = [os.pipe() for _ in range(count)]
    outs = [out for _, out in ends]
    command = arguments(feed, ladder, ladder.segment, info, outs, real_time=True)
    arrived: list[float] = []
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        process = stack.enter_context(
            subprocess.Popen(
                [get_ffmpeg_exe(), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=outs,
            )
        )
        stack.callback(process.kill)
        for out in outs:
            os.close(out)
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        pipe = os.dup(process.stdin.fileno())
        process.stdin.close()
        writer = threading.Thread(target=write, args=(flv.read_bytes(), pipe, arrived))
        writer.start()
        found = list(_read([end for end, _ in ends], len(ladder.video), ladder.frame_rate))
        writer.join()
        if process.wait():
            log.seek(0)
            raise SystemExit(log.read().decode())
    return arrived, found


def _read(pipes: Sequence[int], videos: int, frame_rate: Fraction) -> Iterator[Chunk]:
    """The finished chunks of all renditions; the first `videos` tracks are video."""
    demuxers = [Demuxer(watch_parameters=False) for _ in pipes]
    timescales: dict[int, int] = {}
    begins: dict[int, int] = {}
    tracks = {pipe: track for track, pipe in enumerate(pipes)}
    waiting = select.poll()
    for pipe in pipes:
        waiting.register(pipe, select.POLLIN | select.POLLHUP)
    while tracks:
        for pipe, _ in waiting.poll():
            data, now = os.read(pipe, 1 << 20), time.monotonic()
            track = tracks[pipe]
            if not data:
                waiting.unregister(pipe)
                os.close(pipe)
                del tracks[pipe]
            for event in demuxers[track].feed(data) if track < videos else ():
                if isinstance(event, Init):
                    timescales[track] = event.facts.timescale
                    continue
                times = _times(event)
                begin = begins.setdefault(track, times[0])
                frames = (Fraction(at - begin, timescales[track]) * frame_rate for at in times)
                yield now, track, tuple(sorted(map(round, frames)))


def _times(run: SampleRun) -> list[int]:
    """Presentation time of each sample in ticks, in decoding order."""
    times, at = list[int](), run.start
    for duration, composition in zip(run.durations, run.compositions, strict=True):
        times.append(at + composition)
        at += duration
    return times


def delay(name: str, ladder: EncodeLadder, flv: Path, what: str) -> Delay:
    """The renditions of a ladder that are measured together."""
    arrived, chunks = chunks_of(ladder, flv)
    settled = arrived[0] + _SETTLED
    last = len(arrived) - round(2 * ladder.frame_rate)
    kept = [c for c in chunks if arrived[c[2][0]] > settled and c[2][-1] < last]
    every = [(now - arrived[frame]) * 1000 for now, _, frames in kept for frame in frames]
    cuts = statistics.quantiles(every, n=20)
    lasts = [(now - arrived[frames[-1]]) * 1000 for now, _, frames in kept]
    firsts = [(now - arrived[frames[0]]) * 1000 for now, _, frames in kept]
    # A full pipe delays the feed, so the feed shows whether ffmpeg is too slow.
    late = arrived[-1] - arrived[0] - float((len(arrived) - 1) / ladder.frame_rate)
    length = statistics.median(len(frames) for _, _, frames in kept) / ladder.frame_rate
    return Delay(
        ladder=name,
        renditions=what,
        latency=ladder.latency,
        chunk=float(length) * 1000,
        p50=cuts[9],
        p95=cuts[18],
        last=statistics.median(lasts),
        first=statistics.median(firsts),
        keeps_up=late < _BEHIND,
    )


def quality(name: str, rendition: VideoRendition, ladder: EncodeLadder, source: Path) -> Quality:
    """A rendition beside its source, scaled alike."""
    frames = round(ladder.segment * ladder.frame_rate)
    encoder = encoder_options("x264", rendition, frames, rendition.threads, ladder.latency)
    size = f"{rendition.width}:{rendition.height}"
    scale = f"scale={size}:flags=bicubic,fps={ladder.frame_rate},format=yuv420p"
    quiet = [get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    with tempfile.TemporaryDirectory(dir=_MEMORY) as made:
        raw, out = Path(made) / "raw.mkv", Path(made) / "out.mp4"
        command = [*quiet, "-stream_loop", _AGAIN, "-i", str(source), "-an", "-vf", scale]
        command += ["-c:v", "ffv1", str(raw)]
        subprocess.run(command, check=True)
        options = [str(part) for key, value in encoder.items() for part in (f"-{key}", value)]
        subprocess.run([*quiet, "-i", str(raw), *options, str(out)], check=True)
        both = "[0:v]split[a][b];[1:v]split[c][d];[a][c]ssim;[b][d]psnr"
        command = [get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-i", str(out), "-i", str(raw)]
        done = subprocess.run(
            [*command, "-lavfi", both, "-f", "null", "-"],
            check=True,
            capture_output=True,
            text=True,
        )
        length = _number(r"Duration: 00:00:([\d.]+)", done.stderr)
        return Quality(
            ladder=name,
            rendition=rendition.id,
            latency=ladder.latency,
            bitrate=out.stat().st_size * 8 / length,
            ssim=_number(r"SSIM Y:([\d.]+)", done.stderr),
            psnr=_number(r"PSNR y:([\d.]+)", done.stderr),
        )


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"ffmpeg says no {pattern}:\n{text}")
    return float(found[1])


def delays(name: str, source: Path, folder: Path, seconds: float) -> Iterator[Delay]:
    """A shipped ladder: measured whole if this machine keeps up, otherwise by rendition."""
    ladders = [read_ladder(name, latency) for latency in _LATENCIES]
    flv = film(folder, source, ladders[0], _SETTLED + seconds + 2)
    whole = [delay(name, ladder, flv, "all") for ladder in ladders]
    yield from whole
    if all(one.keeps_up for one in whole):
        return
    for number, rendition in enumerate(ladders[0].video):
        for ladder in ladders:
            alone = replace(ladder, video=(ladder.video[number],))
            yield delay(
                name, alone, film(folder, source, alone, _SETTLED + seconds + 2), rendition.id
            )


def tables(found: Sequence[Delay], costs: Sequence[Quality]) -> str:
    """Print the tables."""
    lines = [
        "| ladder | video | latency | chunk, ms | p50, ms | p95, ms | first frame | last frame |"
    ]
    lines += ["| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for one in found:
        numbers = " | ".join(f"{n:.0f}" for n in (one.p50, one.p95, one.first, one.last))
        if not one.keeps_up:
            numbers = "not in real time here | | | "
        lines.append(
            f"| {one.ladder} | {one.renditions} | {one.latency} | {one.chunk:.0f} | {numbers} |"
        )
    lines += ["", "| ladder | rendition | latency | kbit/s | SSIM | PSNR, dB |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    lines += [
        f"| {c.ladder} | {c.rendition} | {c.latency} | {c.bitrate / 1000:.0f} | {c.ssim:.4f} |"
        f" {c.psnr:.2f} |"
        for c in costs
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print and store the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--feed", type=Path, help="footage to encode")
    parser.add_argument("--ladders", nargs="*", choices=_SHIPPED, default=_SHIPPED)
    options = parser.parse_args()
    feed = options.feed or footage.harbour()
    found: list[Delay] = []
    costs: list[Quality] = []
    with tempfile.TemporaryDirectory(dir=_MEMORY) as made:
        for name in options.ladders:
            for one in delays(name, feed, Path(made), options.seconds):
                print(one, flush=True)
                found.append(one)
    for name in options.ladders:
        for latency in _LATENCIES:
            ladder = read_ladder(name, latency)
            for rendition in ladder.video:
                costs.append(quality(name, rendition, ladder, feed))
                print(costs[-1], flush=True)
    OUT.mkdir(exist_ok=True)
    result = {"delays": [asdict(one) for one in found], "quality": [asdict(one) for one in costs]}
    (OUT / "chunk_out.json").write_text(json.dumps(result, indent=1))
    print(tables(found, costs))


if __name__ == "__main__":
    main()
