"""`ringside harvest`: an event as files that any file server can serve."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from packager.cmaf.init import read_init
from packager.cmaf.run import Run
from packager.cmaf.whole import decoded_earlier, earliness, runs_of
from packager.errors import DiskError, FeedError, JournalError, SetupError
from packager.fold import fold
from packager.journal import Reader
from packager.layout import JOURNAL, InitName, SegmentName
from packager.records import EventSet
from packager.runtime.still import write_manifests
from packager.staleness import is_stale
from packager.ticks import MICROS, UtcMicros, iso8601, seconds
from packager.timeline import FOREVER, Timeline, kept
from packager.track import TrackKind
from packager.window import Window, WindowTrack, stretch

_MARK = ".harvest"
"""In a folder that a harvest is making: held while it does."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to harvest."""

    event: str
    folders: dict[str, Path]
    """Channels to look in, and where their journals and media are."""
    out: Path
    program: str | None
    """ffmpeg, where an MP4 file is wanted too."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """What was harvested."""

    out: Path
    less: str | None
    """What is to be told where not all of the event is there."""


def run(job: Job, now: UtcMicros) -> Harvest:
    """Copy the event's media, then write its manifests.

    All is made in a folder beside, which becomes `job.out` once it is whole.

    Raises:
        SetupError: there is no such event, it is not over, or the folder cannot be used.
        FeedError: some of its media has gone.
        DiskError: something could not be written, or the journal cannot be used.
    """
    folder, timeline, event = _found(job)
    window = _window(timeline, event, now)
    joined = _joinable(window) if job.program is not None else []
    with _becoming(job.out) as partial:
        _copy(window, folder, partial)
        write_manifests(window, partial)
        if job.program is not None:
            _join(window, joined, partial, f"{job.event}.mp4", job.program)
    return Harvest(job.out, _less(timeline, event, window))


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
    path = folder / JOURNAL
    try:
        return fold(Reader().feed(path.read_bytes()))
    except FileNotFoundError:
        return Timeline()
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from error


def _window(timeline: Timeline, event: EventSet, now: UtcMicros) -> Window:
    """What the origin serves of the event, which is over."""
    first = timeline.grid.number_at_micros(event.start)
    last = FOREVER
    if event.end is not None:
        last = max(first, timeline.grid.ending_before(event.end))
    elif not timeline.ended:
        raise SetupError(f"the event {event.name} is not over: ringside event end")
    past = event.end is not None and event.end <= now and is_stale(timeline, now)
    if not (timeline.ended or timeline.edge >= last or past):
        raise SetupError(f"the event {event.name} is not over yet")
    pieces = kept(timeline, timeline.trimmed)
    # Of an event with much cut out of its middle: what came first, or else what went on.
    for begins, ends in pieces if last != FOREVER else reversed(pieces):
        piece = max(first, begins), min(last, ends)
        window = stretch(timeline, *piece, ended=True, stays=True)
        if window is not None:
            return window
    raise SetupError(f"nothing is left of the event {event.name}")


def _less(timeline: Timeline, event: EventSet, window: Window) -> str | None:
    """What is to be told where the window does not hold all of the event."""
    grid = timeline.grid
    late = window.first > grid.number_at_micros(event.start)
    short = event.end is not None and (
        grid.ending_before(window.end) < grid.ending_before(event.end)
    )
    if not late and not short:
        return None
    until = "" if event.end is None else f" to {iso8601(event.end)}"
    return (
        f"the event {event.name} lasts from {iso8601(event.start)}{until}: harvested is what is "
        f"there of it, from {iso8601(window.begin)} to {iso8601(window.end)}"
    )


# The folder


@contextmanager
def _becoming(out: Path) -> Generator[Path]:
    """A folder to fill, which becomes `out` at the end; after a failure, nothing is left of it.

    Raises:
        SetupError: it cannot be had.
        DiskError: it could not be filled.
    """
    # What a link leads to becomes the folder, not the link.
    target = Path(os.path.realpath(out))
    partial = target.with_name(f"{target.name}.partial")
    try:
        if not _is_free(target):
            raise SetupError(f"{out} exists: a harvest starts with nothing")
        if target.is_mount() or target == Path.cwd():
            raise SetupError(f"{out} cannot be replaced: name a folder in it")
        partial.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _held(partial)
    except OSError as error:
        raise SetupError(f"{out}: {error.strerror}") from error
    try:
        yield partial
        partial.rename(target)
        (target / _MARK).unlink()
    except OSError as error:
        raise DiskError(f"{error.filename or out}: {error.strerror}", error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(descriptor)


def _is_free(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        # The file may stand where the folder should, or further up.
        if folder.exists():
            return False
        raise


def _held(partial: Path) -> int:
    """Make an empty folder of `partial`; the file that holds it against other harvests.

    The kernel lets go of that with the process: what a dead harvest has left is taken away.
    """
    with suppress(FileExistsError):
        partial.mkdir()
    mark = partial / _MARK
    if partial.is_symlink() or not (mark.exists() or _is_free(partial)):
        raise SetupError(f"{partial} exists, and no harvest has left it")
    descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in partial.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != mark:
                path.unlink()
    except BlockingIOError:
        os.close(descriptor)
        raise SetupError(f"{partial}: another harvest is at work there") from None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


# What goes into it


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
            data = _read(source / name, name)
            if size is not None and len(data) < size:
                raise FeedError(f"{name}: {len(data)} bytes of {size}")
            (out / name).write_bytes(data if size is None else data[:size])
            progress.advance(task, size or 0)


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FeedError(f"{name}: it left the retention") from error
    except OSError as error:
        raise FeedError(f"{name}: {error.strerror}") from error


def _joinable(window: Window) -> list[WindowTrack]:
    """The best rendition and the first sound.

    Raises:
        SetupError: no single file can hold them.
    """
    chosen: list[WindowTrack] = []
    for kind in (TrackKind.VIDEO, TrackKind.AUDIO):
        alike = [track for track in window.tracks if track.latest.kind is kind]
        for track in alike[:1]:
            name = track.latest.id
            versions = {window.track_of(name, segment).version for segment in track.segments}
            periods = {index for other in alike for index in other.segments.periods}
            if len(versions) > 1 or periods != set(track.segments.periods):
                raise SetupError(
                    f"{name} changed in the middle, and no single MP4 file can hold that; "
                    "without --mp4 it can be harvested"
                )
            chosen.append(track)
    return chosen


def _join(window: Window, tracks: list[WindowTrack], folder: Path, name: str, program: str) -> None:
    """One file of these tracks.

    Raises:
        FeedError: ffmpeg failed.
    """
    parts = [_whole(window, track, folder) for track in tracks]
    command = [program, "-v", "error", "-nostdin", "-copyts"]
    for part in parts:
        command += ["-i", str(part)]
    for index in range(len(parts)):
        command += ["-map", str(index)]
    offset = seconds(-Fraction(window.begin, MICROS), 6)
    command += ["-c", "copy", "-output_ts_offset", offset, "-movflags", "+faststart"]
    command += [str(folder / name)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own words
    for part in parts:
        part.unlink()
    if done.returncode:
        said = done.stderr.decode(errors="replace").split("\n")
        reason = next((line for line in reversed(said) if line.strip()), "it failed")
        raise FeedError(f"ffmpeg: {reason.strip()[-200:]}")


def _whole(window: Window, track: WindowTrack, folder: Path) -> Path:
    """A file of all segments of a track, in which nothing is shown before it is decoded."""
    name = track.latest.id
    version = window.track_of(name, track.segments[0]).version
    init = (folder / name / str(InitName(version))).read_bytes()
    defaults = read_init(init).defaults

    def runs() -> Iterator[Run]:
        for segment in track.segments:
            data = (folder / name / str(SegmentName(segment.number))).read_bytes()
            yield from runs_of(data, defaults)

    early = earliness(runs())
    path = folder / f"{name}.whole.mp4"
    with path.open("wb") as file:
        file.write(init)
        for sequence, run_ in enumerate(runs()):
            file.writelines(decoded_earlier(run_, early, sequence))
    return path
