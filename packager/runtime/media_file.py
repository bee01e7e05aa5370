"""Recordings and media files as schedules, and recordings taken apart."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from packager.errors import MediaError, SetupError
from packager.feed.container import Container
from packager.feed.loop import Extent, Loop
from packager.feed.pace import container_of, paced
from packager.feed.recording import MAGIC, Reader
from packager.feed.schedule import Connected, Event, Received, ended, over_and_over
from packager.feed.units import cutter
from packager.text_file import fault

_PIECE = 1 << 18
"""Bytes that are read in one go."""
_PAUSE = 1_000_000
"""Microseconds between two turns of a recording."""
_SUFFIX = {Container.TS: "ts", Container.FLV: "flv"}


def schedule_of(path: Path, *, loop: bool = False) -> Iterator[Event]:
    """What came, or would have come, when: of a recording, or of a `.ts` or `.flv` file.

    A recording has its connections, over and over with `loop`; a media file is one connection,
    paced by the clock in it, that goes on for ever with `loop`.

    Raises:
        SetupError: none of these, or it cannot be read.
        MediaError: a recording that is damaged, once all before that was said.
    """
    head = _head(path)
    if head.startswith(MAGIC):
        return over_and_over(lambda: events_of(path), _PAUSE) if loop else ended(events_of(path))
    container = container_of(head)
    if container is None:
        raise SetupError(f"{path}: neither a recording nor a transport stream nor an FLV")
    units = _looped(path, container) if loop else _units(path, container)
    return paced(container, units, path.name)


def events_of(path: Path) -> Iterator[Event]:
    """The events of a recording, up to its last whole record.

    Raises:
        MediaError: it is damaged.
    """
    reader = Reader()
    for piece in _pieces(path):
        yield from reader.feed(piece)
        if reader.damage is not None:
            raise MediaError(f"{path}: {reader.damage.reason}", offset=reader.damage.offset)


def _head(path: Path) -> bytes:
    if (reason := fault(path)) is not None:
        raise SetupError(f"{path}: {reason}")
    with path.open("rb") as file:
        return file.read(1 << 16)


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _units(path: Path, container: Container) -> Iterator[bytes]:
    cut = cutter(container)
    for piece in _pieces(path):
        yield from cut.push(piece)
    if rest := cut.rest():
        yield rest


def _looped(path: Path, container: Container) -> Iterator[bytes]:
    extent = Extent(container)
    for unit in _units(path, container):
        extent.push(unit)
    loop = Loop(container, extent.ticks)
    while True:
        for unit in _units(path, container):
            if changed := loop.change(unit):
                yield changed
        loop.begin()


@dataclass(frozen=True, slots=True)
class Extracted:
    """The bytes of one connection, as they came."""

    file: Path
    begun: Connected
    ended: int
    """The instant of what came last, in microseconds since the Unix epoch."""
    size: int
    reason: str | None
    """Why it ended; None where the recording did."""


def extract(path: Path, folder: Path) -> Iterator[Extracted]:
    """Write the bytes of each connection of a recording to a file of its own in `folder`.

    Raises:
        SetupError: no recording, or the folder cannot be used.
        MediaError: it is damaged; what was before that is there.
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


def _extracted(path: Path, folder: Path) -> Iterator[Extracted]:
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
                yield Extracted(file, begun, last, size, event.reason)
                begun = None
        if begun is not None:
            stack.close()
            yield Extracted(file, begun, last, size, None)
