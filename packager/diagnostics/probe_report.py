"""The result of `ringside probe`, as JSON and as a table for a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from rich.console import Console
from rich.table import Table

from packager.feed.report import Report
from packager.ffmpeg.probe import SourceInfo
from packager.track import UNDETERMINED

NO_PROBLEM = "no problems found"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The properties and the problems of a feed."""

    name: str
    """File or URL of the feed, without secrets."""
    info: SourceInfo | None
    """Streams of the feed; None if ffmpeg finds no video."""
    report: Report
    advice: list[str]
    """A sentence for each problem, the most serious first."""


def as_json(result: ProbeResult) -> bytes:
    """The whole result as JSON."""
    values = {
        "source": result.name,
        "streams": result.info,
        "report": msgspec.structs.asdict(result.report),
        "advice": result.advice,
    }
    return msgspec.json.encode(values, enc_hook=str)


def show(result: ProbeResult, console: Console) -> None:
    """Print a table of properties and a line for each problem."""
    table = Table(title=result.name, title_justify="left", show_header=False)
    for name, value in (*_streams(result.info), *_properties(result.report)):
        table.add_row(name, value)
    console.print(table, markup=False, highlight=False)
    for sentence in result.advice:
        console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)
    if not result.advice:
        console.print(NO_PROBLEM, style="green", highlight=False)


def _streams(info: SourceInfo | None) -> Iterator[tuple[str, str]]:
    if info is None:
        return
    for video in info.video:
        rate = "" if video.frame_rate is None else f", {float(video.frame_rate):.5g} frames/s"
        fields = ", interlaced" if video.interlaced else ""
        size = f"{video.width}x{video.height}"
        yield f"stream {video.index}", f"{video.codec}, {size}{rate}{fields}"
    for audio in info.audio:
        language = "" if audio.language == UNDETERMINED else f", {audio.language}"
        properties = f"{audio.codec}, {audio.sample_rate} Hz, {audio.layout}{language}"
        yield f"stream {audio.index}", properties


def _properties(report: Report) -> Iterator[tuple[str, str]]:
    yield "video", report.video or "none"
    yield "audio", ", ".join(report.audio) or "none"
    for name, value, unit in (
        ("bit rate", None if report.bitrate is None else f"{report.bitrate / 1e6:.3g}", "Mbit/s"),
        ("frame rate", report.frame_rate, "frames/s"),
        ("keyframe interval", report.keyframe_interval, "s"),
        ("audio ahead of video", report.skew_ms, "ms"),
        ("clock", report.clock_ppm, "ppm fast"),
        ("last video frame", report.still_ms, "ms ago"),
        ("last audio frame", report.mute_ms, "ms ago"),
    ):
        yield name, "unknown" if value is None else f"{value} {unit}"
    for name, count in (
        ("packets lost or damaged", report.continuity_errors),
        ("video frames missing", report.dropped_frames),
        ("video frames late", report.late_frames),
        ("timestamp jumps", report.jumps),
        ("bytes between packets", report.junk_bytes),
    ):
        yield name, str(count)
