"""Recordings and media files as schedules, and the extraction of a recording."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from packager.errors import MediaError, SetupError
from packager.feed.report import Container
from packager.host.text_file import fault
from packager.impairment.cutting import cutter
from packager.impairment.loop import Loop, MediaExtent
from packager.impairment.pace import container_of, paced
from packager.impairment.recording import MAGIC, RecordingReader
from packager.impairment.schedule import Connected, Event, Received, ended, over_and_over

_READ = 1 << 18
_HEAD = 1 << 16
_PAUSE = 1_000_000
"""Microseconds between two passes of a looped recording."""
_SUFFIX = {Container.TS: "ts", Container.FLV: "flv"}


def schedule_of(path: Path, *, loop: bool = False) -> Iterator[Event]:
    """The events of a recording, or of a `.ts` or `.flv` file, each with its time.

    A recording gives its connections; with `loop` it starts over at its end. A media file gives one
    connection, timed by the clock in it, which with `loop` never ends.

    Raises:
        SetupError: the file is neither, or cannot be read.
        MediaError: the recording is damaged; all events before the damage are given first.
    """
    head = _head(path)
    if head.startswith(MAGIC):
        return over_and_over(lambda: events_of(path), _PAUSE) if loop else ended(events_of(path))
    container = container_of(head)
    if container is None:
        raise SetupError(f"{path}: neither a recording nor a transport stream nor an FLV file")
    units = _looped(path, container) if loop else _units(path, container)
    return paced(container, units, path.name)


def events_of(path: Path) -> Iterator[Event]:
    """The events of a recording, up to its last complete record.

    Raises:
        MediaError: the recording is damaged.
    """
    reader = RecordingReader()
    for data in _blocks(path):
        yield from reader.feed(data)
        if reader.damage is not None:
            raise MediaError(f"{path}: {reader.damage.reason}", offset=reader.damage.offset)


def _head(path: Path) -> bytes:
    if (reason := fault(path)) is not None:
        raise SetupError(f"{path}: {reason}")
    with path.open("rb") as file:
        return file.read(_HEAD)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while data := file.read(_READ):
            yield data


def _units(path: Path, container: Container) -> Iterator[bytes]:
    cut = cutter(container)
    for data in _blocks(path):
        yield from cut.push(data)
    if rest := cut.rest():
        yield rest


def _looped(path: Path, container: Container) -> Iterator[bytes]:
    extent = MediaExtent(container)
    for unit in _units(path, container):
        extent.push(unit)
    loop = Loop(container, extent.ticks)
    while True:
        for unit in _units(path, container):
            if changed := loop.change(unit):
                yield changed
        loop.begin()


@dataclass(frozen=True, slots=True)
class ExtractedConnection:
    """A file with the bytes of one connection."""

    file: Path
    begun: Connected
    ended: int
    """Instant of the last event, in microseconds since the Unix epoch."""
    size: int
    reason: str | None
    """Why the connection ended; None if the recording ended first."""


def extract(path: Path, folder: Path) -> Iterator[ExtractedConnection]:
    """Write the bytes of each connection of a recording to its own file in `folder`.

    Raises:
        SetupError: the file is not a recording, or the folder cannot be used.
        MediaError: the recording is damaged; the files have everything before the damage.
    """
    if not _head(path).startswith(MAGIC):
        raise SetupError(f"{path}: not a recording")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield from _extracted(path, folder)
    except FileExistsError as error:
        raise SetupError(f"{error.filename} exists") from None
    except OSError as error:
        raise SetupError(f"{error.filename or folder}: {error.strerror}") from error


def _extracted(path: Path, folder: Path) -> Iterator[ExtractedConnection]:
    with ExitStack() as stack:
        begun: Connected | None = None
        out: BinaryIO | None = None
        file, number, size, last = folder, 0, 0, 0
        for event in events_of(path):
            last = event.at
            if isinstance(event, Connected):
                number, size, begun = number + 1, 0, event
                file = folder / f"{number:03d}.{_SUFFIX[event.container]}"
                out = stack.enter_context(file.open("xb"))
            elif isinstance(event, Received):
                size += out.write(event.data) if out is not None else 0
            elif begun is not None:
                stack.close()
                yield ExtractedConnection(file, begun, last, size, event.reason)
                begun = None
        if begun is not None:
            stack.close()
            yield ExtractedConnection(file, begun, last, size, None)
