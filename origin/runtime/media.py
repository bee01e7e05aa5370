"""Answers of media: their bytes, from the media store.

All of this waits for the disk: call it in a thread.
"""

import os
from dataclasses import replace
from pathlib import Path
from typing import assert_never

from origin.answer import Answer, Slice
from origin.plan import Freshness, ServeFragment, ServeInit, ServeMedia
from origin.request import Request
from origin.wording import Wording
from packager.cmaf.smooth import smooth_fragment
from packager.errors import StoreError
from packager.layout import InitName, SegmentName, init_version
from packager.smooth_clock import span

MediaPlan = ServeMedia | ServeInit | ServeFragment

_FROM_FILE = 1 << 16
"""Bytes from which on the kernel sends a body faster from a file than from memory."""
MOST_FILES = 4096
"""That are open for bodies; beyond it they are in memory."""
_PIECE = 1 << 20
"""Bytes that are read at once."""
_LONGEST_INIT = 1 << 20
"""Bytes: init sections have a thousand or two."""


class MediaReader:
    """Makes answers of what lies in a media store."""

    def __init__(self, data: Path, wording: Wording) -> None:
        """Read below `data`."""
        self._data = data
        self._wording = wording

    def read(self, request: Request, plan: MediaPlan) -> Answer:
        """The answer, with its bytes in memory: this process's, or the kernel's if they are many.

        Raises:
            StoreError: the media is not in the store as its record says.
            OSError: it cannot be read.
            MediaError: no fragment can be made of it.
        """
        match plan:
            case ServeMedia():
                body = self._slice(plan)
                if plan.size < _FROM_FILE or OpenFile.count >= MOST_FILES:
                    return self._media(request, plan, read_slice(body, plan.size))
                return self._media(request, plan, opened(body))
            case ServeInit():
                return self._init(plan)
            case ServeFragment():
                return self._fragment(request, plan)
            case _:
                assert_never(plan)

    def unread(self, request: Request, plan: ServeMedia) -> Answer:
        """The answer, with its bytes still in the store."""
        return self._media(request, plan, self._slice(plan))

    def _slice(self, plan: ServeMedia) -> Slice:
        path = self._data / plan.channel / plan.track / str(plan.file)
        return Slice(str(path), plan.offset, plan.size)

    def _media(self, request: Request, plan: ServeMedia, body: bytes | Slice) -> Answer:
        words = self._wording
        return Answer(
            status=200,
            content_type=f"{plan.kind}/mp4",
            cache_control=words.caching(Freshness.FOREVER),
            body=body,
            etag=plan.etag,
            modified=plan.modified,
            ranges=True,
            extra=(*words.following(request), *words.for_cdns(Freshness.FOREVER)),
        )

    def _init(self, plan: ServeInit) -> Answer:
        path = self._data / plan.channel / plan.track.id / str(plan.file)
        return Answer(
            status=200,
            content_type=f"{plan.track.kind}/mp4",
            cache_control=self._wording.caching(Freshness.FOREVER),
            body=_read_init(path, plan.file),
            etag=f'"{plan.file.version}"',
            modified=plan.modified,
            ranges=True,
            extra=self._wording.for_cdns(Freshness.FOREVER),
        )

    def _fragment(self, request: Request, plan: ServeFragment) -> Answer:
        track, segment, words = plan.track, plan.segment, self._wording
        path = self._data / plan.channel / track.id / str(SegmentName(segment.number))
        data = read_slice(Slice(str(path), 0, segment.size), segment.size)
        freshness = _freshness_of(plan)
        return Answer(
            status=200,
            content_type=f"{track.kind}/mp4",
            cache_control=words.caching(freshness),
            body=smooth_fragment(
                data, track.timescale, span(segment, track.timescale), plan.following
            ),
            etag=f'"{segment.published:x}-{segment.size:x}-s{len(plan.following)}"',
            modified=segment.published,
            ranges=True,
            extra=(*words.following(request, plan.following), *words.for_cdns(freshness)),
        )


def read_slice(body: Slice, size: int) -> bytes:
    """The first `size` bytes, in one step.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    try:
        with Path(path_of(body)).open("rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size < body.offset + body.size:
                raise StoreError(f"{body.path} is shorter than its record says")
            return os.pread(file.fileno(), size, body.offset)
    except OSError as error:
        raise StoreError(str(error)) from error


def path_of(body: Slice) -> str:
    """Where to open the file of a body again: the name of one that is open may be gone."""
    return body.path if body.file is None else f"/proc/self/fd/{body.file.descriptor}"


class OpenFile:
    """A file that is open as long as somebody knows it."""

    __slots__ = ("descriptor", "short")

    count = 0
    """Of all that are open."""

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor."""
        self.descriptor = descriptor
        self.short = False
        OpenFile.count += 1

    def __del__(self) -> None:
        OpenFile.count -= 1
        os.close(self.descriptor)


def opened(body: Slice) -> Slice:
    """`body` with its file open and its bytes in the kernel's memory, all workers' in common.

    Raises:
        StoreError: the file has not all the bytes that it should have.
    """
    try:
        file = OpenFile(os.open(body.path, os.O_RDONLY | os.O_CLOEXEC))
        buffer = bytearray(min(body.size, _PIECE))
        at, end = body.offset, body.offset + body.size
        while at < end:
            read = os.preadv(file.descriptor, [memoryview(buffer)[: end - at]], at)
            if not read:
                raise StoreError(f"{body.path} is shorter than its record says")
            at += read
    except OSError as error:
        raise StoreError(str(error)) from error
    return replace(body, file=file)


def _freshness_of(plan: ServeFragment) -> Freshness:
    """One that names none after it changes where its channel goes on."""
    if plan.following:
        return Freshness.FOREVER
    return Freshness.ENDED_MANIFEST if plan.final else Freshness.SOON


def _read_init(path: Path, name: InitName) -> bytes:
    """An init section; it is never kept by anybody unless it is whole.

    Raises:
        StoreError: it is not what its name says.
    """
    with path.open("rb") as file:
        data = file.read(_LONGEST_INIT)
    if init_version(data) != name.version:
        raise StoreError(f"{path} is not what was written")
    return data
