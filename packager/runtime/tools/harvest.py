"""Harvests an event: copies its media and writes manifests that any file server can serve."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import DownloadColumn

from packager.errors import FeedError, JournalError, SetupError
from packager.journal.format import JournalReader
from packager.layout import JOURNAL, InitName, SegmentName
from packager.manifest.window import Window, stretch
from packager.runtime.storage.static_manifests import write_manifests
from packager.runtime.tools.harvest_folder import new_folder
from packager.runtime.tools.harvest_mp4 import mp4_tracks, write_mp4
from packager.runtime.tools.progress import bar
from packager.timeline.apply import fold
from packager.timeline.model import FOREVER, Timeline, kept
from packager.timeline.records import EventSet
from packager.timeline.staleness import is_stale
from packager.timing.ticks import UtcMicros, iso8601


@dataclass(frozen=True, slots=True)
class HarvestJob:
    """The event to harvest."""

    event: str
    folders: dict[str, Path]
    """Folder of each channel that may have the event."""
    out: Path
    program: str | None
    """Path of ffmpeg; None if no MP4 file is wanted."""


@dataclass(frozen=True, slots=True)
class Harvest:
    """A finished harvest."""

    out: Path
    shortfall: str | None
    """Which part of the event is missing, in one line; None if it is complete."""


def run(job: HarvestJob, now: UtcMicros) -> Harvest:
    """Copy the event's media, and write its manifests. `job.out` appears when it is complete.

    Raises:
        SetupError: the event does not exist or is not over, or the folder cannot be used.
        FeedError: media of the event is missing.
        DiskError: a file could not be written.
        JournalError: the journal is damaged.
    """
    folder, timeline, event = _find_event(job)
    window = _window(timeline, event, now)
    tracks = mp4_tracks(window) if job.program is not None else []
    with new_folder(job.out) as partial:
        _copy(window, folder, partial)
        write_manifests(window, partial)
        if job.program is not None:
            write_mp4(window, tracks, partial / f"{job.event}.mp4", job.program)
    return Harvest(job.out, _shortfall(timeline, event, window))


def _find_event(job: HarvestJob) -> tuple[Path, Timeline, EventSet]:
    found = [
        (folder, timeline, timeline.events[job.event])
        for folder in job.folders.values()
        if job.event in (timeline := _timeline(folder)).events
    ]
    if not found:
        names = ", ".join(job.folders)
        raise SetupError(f"no event {job.event} in {names}")
    if len(found) > 1:
        raise SetupError(f"several channels have an event {job.event}: name one with --channel")
    return found[0]


def _timeline(folder: Path) -> Timeline:
    path = folder / JOURNAL
    try:
        return fold(JournalReader().feed(path.read_bytes()))
    except FileNotFoundError:
        return Timeline()
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from error
    except JournalError as error:
        raise JournalError(f"{path}: {error}") from error


def _window(timeline: Timeline, event: EventSet, now: UtcMicros) -> Window:
    """The part of the timeline that the origin serves for an event that is over."""
    first = timeline.grid.number_at_micros(event.start)
    last = FOREVER
    if event.end is not None:
        last = max(first, timeline.grid.ending_before(event.end))
    elif not timeline.ended:
        raise SetupError(f"the event {event.name} is not over: end it with ringside event end")
    is_past = event.end is not None and event.end <= now and is_stale(timeline, now)
    if not (timeline.ended or timeline.edge >= last or is_past):
        raise SetupError(f"the event {event.name} is not over yet")
    ranges = kept(timeline, timeline.trimmed)
    # The retention may have cut an event into several ranges. The first is harvested of an event
    # with an end, the last of an event without one.
    for begins, ends in ranges if last != FOREVER else reversed(ranges):
        window = stretch(timeline, max(first, begins), min(last, ends), ended=True, stays=True)
        if window is not None:
            return window
    raise SetupError(f"the retention has deleted the whole event {event.name}")


def _shortfall(timeline: Timeline, event: EventSet, window: Window) -> str | None:
    """A line that names the harvested part, if it is not the whole event."""
    grid = timeline.grid
    is_late = window.first > grid.number_at_micros(event.start)
    is_short = event.end is not None and (
        grid.ending_before(window.end) < grid.ending_before(event.end)
    )
    if not is_late and not is_short:
        return None
    until = "" if event.end is None else f" to {iso8601(event.end)}"
    return (
        f"the event {event.name} lasts from {iso8601(event.start)}{until}; "
        f"only {iso8601(window.begin)} to {iso8601(window.end)} was available and is harvested"
    )


def _copy(window: Window, source: Path, out: Path) -> None:
    files = list(_files(window))
    total = sum(size or 0 for _, size in files)
    with bar("harvest", total, DownloadColumn()) as advance:
        for track in window.tracks:
            (out / track.latest.id).mkdir()
        copied = 0
        for name, size in files:
            data = _read(source / name, name)
            if size is not None and len(data) < size:
                raise FeedError(f"{name}: has {len(data)} bytes of {size}")
            (out / name).write_bytes(data if size is None else data[:size])
            copied += size or 0
            advance(copied)


def _files(window: Window) -> Iterator[tuple[str, int | None]]:
    """Each file of a window, and the number of bytes to copy; None for all bytes."""
    for track in window.tracks:
        name = track.latest.id
        for version in sorted({window.track_of(name, s).version for s in track.segments}):
            yield f"{name}/{InitName(version)}", None
        for segment in track.segments:
            yield f"{name}/{SegmentName(segment.number)}", segment.size


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FeedError(f"{name}: the retention has deleted it") from error
    except OSError as error:
        raise FeedError(f"{name}: {error.strerror}") from error
