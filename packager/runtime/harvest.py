"""`ringside harvest`: an event as files that any file server can serve."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from packager.errors import FeedError, SetupError
from packager.journal import Reader
from packager.layout import JOURNAL, InitName, SegmentName
from packager.records import EventSet
from packager.runtime.still import write_manifests
from packager.ticks import MICROS, seconds
from packager.timeline import Timeline, fold
from packager.track import TrackKind
from packager.window import Window, WindowTrack, stretch


@dataclass(frozen=True, slots=True)
class Job:
    """What to harvest."""

    event: str
    folders: dict[str, Path]
    """Channels to look in, and where their journals and media are."""
    out: Path
    program: str | None
    """ffmpeg, where an MP4 file is wanted too."""


def run(job: Job) -> Path:
    """Copy the event's media, then write its manifests; where they are.

    Raises:
        SetupError: there is no such event, it is not over, or the folder cannot be used.
        FeedError: some of its media has gone.
    """
    folder, timeline, event = _found(job)
    window = _window(timeline, event)
    try:
        job.out.mkdir(parents=True)
    except FileExistsError:
        raise SetupError(f"{job.out} exists: a harvest starts with nothing") from None
    except OSError as error:
        raise SetupError(f"{job.out}: {error.strerror}") from error
    try:
        _copy(window, folder, job.out)
        write_manifests(window, job.out)
        if job.program is not None:
            _join(window, job.out, job.out / f"{job.event}.mp4", job.program)
    except BaseException:
        shutil.rmtree(job.out, ignore_errors=True)  # or the next try would find it in its way
        raise
    return job.out


def _found(job: Job) -> tuple[Path, Timeline, EventSet]:
    found = [
        (folder, timeline, timeline.events[job.event])
        for folder in job.folders.values()
        if job.event in (timeline := _timeline(folder)).events
    ]
    if not found:
        names = ", ".join(job.folders)
        raise SetupError(f"no event {job.event} in {names}")
    if len(found) > 1:
        raise SetupError(f"several channels have an event {job.event}: say which with --channel")
    return found[0]


def _timeline(folder: Path) -> Timeline:
    try:
        return fold(Reader().feed((folder / JOURNAL).read_bytes()))
    except FileNotFoundError:
        return Timeline()


def _window(timeline: Timeline, event: EventSet) -> Window:
    if event.end is None and not timeline.ended:
        raise SetupError(f"the event {event.name} is not over: ringside event end")
    first = timeline.grid.number_at_micros(event.start)
    last = timeline.edge
    if event.end is not None:
        last = timeline.grid.ending_before(event.end)
        if timeline.edge < last and not timeline.ended:
            raise SetupError(f"the event {event.name} is not over yet")
    window = stretch(timeline, first, last, ended=True, stays=True)
    if window is None:
        raise SetupError(f"nothing is left of the event {event.name}")
    return window


def _files(window: Window) -> Iterator[tuple[str, int | None]]:
    """Every file of a window, and how many bytes of it count; None for all."""
    for track in window.tracks:
        name = track.latest.id
        for version in sorted({window.track_of(name, s).version for s in track.segments}):
            yield f"{name}/{InitName(version)}", None
        for segment in track.segments:
            yield f"{name}/{SegmentName(segment.number)}", segment.size


def _copy(window: Window, source: Path, out: Path) -> None:
    files = list(_files(window))
    columns = (TextColumn("harvest"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("harvest", total=sum(size or 0 for _, size in files))
        for track in window.tracks:
            (out / track.latest.id).mkdir()
        for name, size in files:
            try:
                data = (source / name).read_bytes()
            except OSError as error:
                raise FeedError(f"{name}: {error.strerror}: it left the retention") from error
            if size is not None and len(data) < size:
                raise FeedError(f"{name}: {len(data)} bytes of {size}")
            (out / name).write_bytes(data if size is None else data[:size])
            progress.advance(task, size or 0)


def _join(window: Window, folder: Path, out: Path, program: str) -> None:
    """One file of the best rendition and the first sound.

    Raises:
        FeedError: their parameters changed in the middle, or ffmpeg failed.
    """
    kinds = (TrackKind.VIDEO, TrackKind.AUDIO)
    tracks = [next((t for t in window.tracks if t.latest.kind is kind), None) for kind in kinds]
    parts = [_whole(window, track, folder) for track in tracks if track is not None]
    command = [program, "-v", "error", "-nostdin", "-copyts"]
    for part in parts:
        command += ["-i", str(part)]
    for index in range(len(parts)):
        command += ["-map", str(index)]
    offset = seconds(-Fraction(window.begin, MICROS), 6)
    command += ["-c", "copy", "-output_ts_offset", offset, "-movflags", "+faststart", str(out)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own words
    for part in parts:
        part.unlink()
    if done.returncode:
        raise FeedError(f"ffmpeg: {done.stderr.decode(errors='replace').strip()[-200:]}")


def _whole(window: Window, track: WindowTrack, folder: Path) -> Path:
    name = track.latest.id
    versions = {window.track_of(name, segment).version for segment in track.segments}
    if len(versions) > 1:
        raise FeedError(f"the parameters of {name} changed: no single MP4 file can hold them")
    path = folder / f"{name}.whole.mp4"
    with path.open("wb") as file:
        for part in [str(InitName(versions.pop())), *(f"{s.number}.m4s" for s in track.segments)]:
            file.write((folder / name / part).read_bytes())
    return path
