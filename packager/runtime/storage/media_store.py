"""The media store on a file system: one append-only file a segment.

A chunk is written with one call, before the journal names it. Bytes that a crash leaves after a
segment's last recorded byte are never served: readers take as many bytes as the journal names.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from packager.cmaf.boxes import Buffer
from packager.errors import StoreError
from packager.layout import InitName, SegmentName, init_version
from packager.runtime.storage.disk import append_whole, sync_folder


class MediaStore:
    """The media of one channel."""

    def __init__(self, root: Path, settle: Callable[[int], None] = os.close) -> None:
        """Store media below `root`, in a folder for each track.

        `settle` gets the descriptor of each complete segment, and closes it.
        """
        self._root = root
        self._settle = settle
        self._open: dict[str, tuple[int, int]] = {}

    def write_init(self, track: str, version: str, data: bytes) -> None:
        """Store an init section and flush it; the same one that is there already stays.

        Raises:
            StoreError: it could not be written.
        """
        path = self._root / track / str(InitName(version))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.read_bytes() != data:
                partial = path.with_suffix(".partial")
                with partial.open("wb") as file:
                    file.write(data)
                    file.flush()
                    # Every segment of the period needs it, and it is rarely written.
                    os.fsync(file.fileno())
                partial.replace(path)
                sync_folder(path.parent)
        except OSError as error:
            raise _failed(path, error) from error

    def append(self, track: str, number: int, parts: Sequence[Buffer]) -> None:
        """Append a chunk to segment `number` of a track.

        Raises:
            StoreError: the chunk could not be written completely.
        """
        try:
            append_whole(self._descriptor(track, number), parts)
        except OSError as error:
            raise _failed(self._path(track, number), error) from error

    def resume(self, track: str, number: int, size: int) -> None:
        """Continue after the first `size` bytes of a segment; later bytes are dropped.

        Raises:
            StoreError: it cannot be opened.
        """
        self.close(track)
        path = self._path(track, number)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._open[track] = (number, descriptor)
            os.ftruncate(descriptor, size)
        except OSError as error:
            raise _failed(path, error) from error

    def close(self, track: str) -> None:
        """The track's open segment is complete."""
        if (entry := self._open.pop(track, None)) is not None:
            self._settle(entry[1])

    def close_all(self) -> None:
        """Close all open segments."""
        for track in list(self._open):
            self.close(track)

    def remove(self, track: str, number: int) -> None:
        """Remove a segment, if it is there.

        Raises:
            StoreError: it cannot be removed.
        """
        path = self._path(track, number)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(path, error) from error

    def files(self) -> dict[str, set[str]]:
        """The file names of all segments, by the names of their folders.

        Raises:
            StoreError: a folder cannot be read.
        """
        try:
            return {
                folder.name: {f.name for f in os.scandir(folder) if f.name.endswith(".m4s")}
                for folder in os.scandir(self._root)
                if folder.is_dir()
            }
        except OSError as error:
            raise _failed(self._root, error) from error

    def size(self, track: str, number: int) -> int:
        """The size of a segment in bytes; 0 if it is missing.

        Raises:
            StoreError: its file cannot be read.
        """
        path = self._path(track, number)
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise _failed(path, error) from error

    def has_init(self, track: str, version: str) -> bool:
        """Whether an init section is there and undamaged.

        Raises:
            StoreError: its file cannot be read.
        """
        path = self._root / track / str(InitName(version))
        try:
            return init_version(path.read_bytes()) == version
        except FileNotFoundError:
            return False
        except OSError as error:
            raise _failed(path, error) from error

    def _path(self, track: str, number: int) -> Path:
        return self._root / track / str(SegmentName(number))

    def _descriptor(self, track: str, number: int) -> int:
        entry = self._open.get(track)
        if entry is not None and entry[0] == number:
            return entry[1]
        self.close(track)
        # Bytes that a crash left under this name were never recorded: drop them.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._path(track, number), flags, 0o644)
        self._open[track] = (number, descriptor)
        return descriptor


def _failed(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path.parent.name}/{path.name}: {error.strerror}", error)
