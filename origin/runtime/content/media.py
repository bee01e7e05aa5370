"""Responses with media from the media store.

Reading waits for the disk: call it in a thread.
"""

from pathlib import Path
from typing import assert_never

from origin.decision.plan import Freshness, ServeFragment, ServeGrowing, ServeInit, ServeMedia
from origin.http.cache_headers import CacheHeaders
from origin.http.response import GROWING, FileSlice, Response
from origin.runtime.content.files import load_body, read_slice
from origin.runtime.content.outcome import MediaPlan
from origin.urls.request import Request
from packager.cmaf.smooth_fragment import smooth_fragment
from packager.errors import StoreError
from packager.layout import InitName, SegmentName, init_version
from packager.timing.smooth_time import span

_LONGEST_INIT = 1 << 20
"""Bytes: an init section has one or two thousand."""


class MediaReader:
    """Makes responses from the files of a media store."""

    def __init__(self, data: Path, headers: CacheHeaders) -> None:
        """Read below the folder `data`."""
        self._data = data
        self._headers = headers

    def read(self, request: Request, plan: MediaPlan) -> Response:
        """The response with its body in memory: this process's, or the kernel's if it is large.

        Raises:
            StoreError: the file does not match the media's record.
            OSError: it cannot be read.
            MediaError: no fragment can be made of it.
        """
        match plan:
            case ServeMedia():
                return self._media(request, plan, load_body(self._slice(plan)))
            case ServeInit():
                return self._init(plan)
            case ServeFragment():
                return self._fragment(request, plan)
            case _:
                assert_never(plan)

    def unread(self, request: Request, plan: ServeMedia) -> Response:
        """The response with its body left in its file."""
        return self._media(request, plan, self._slice(plan))

    def growing(self, plan: ServeGrowing) -> Response:
        """The response with a segment that is being written."""
        return Response(
            status=200,
            content_type=f"{plan.kind}/mp4",
            cache_control=self._headers.cache_control(Freshness.FOREVER),
            body=GROWING,
            extra=self._headers.for_cdns(Freshness.FOREVER),
        )

    def path_of(self, plan: ServeMedia | ServeGrowing) -> Path:
        """The file of a segment."""
        return self._data / plan.channel / plan.track / str(plan.file)

    def _slice(self, plan: ServeMedia) -> FileSlice:
        return FileSlice(str(self.path_of(plan)), plan.offset, plan.size)

    def _media(self, request: Request, plan: ServeMedia, body: bytes | FileSlice) -> Response:
        headers = self._headers
        return Response(
            status=200,
            content_type=f"{plan.kind}/mp4",
            cache_control=headers.cache_control(Freshness.FOREVER),
            body=body,
            etag=plan.etag,
            modified=plan.modified,
            ranges=True,
            extra=(*headers.next_link(request), *headers.for_cdns(Freshness.FOREVER)),
        )

    def _init(self, plan: ServeInit) -> Response:
        path = self._data / plan.channel / plan.track.id / str(plan.file)
        return Response(
            status=200,
            content_type=f"{plan.track.kind}/mp4",
            cache_control=self._headers.cache_control(Freshness.FOREVER),
            body=_read_init(path, plan.file),
            etag=f'"{plan.file.version}"',
            modified=plan.modified,
            ranges=True,
            extra=self._headers.for_cdns(Freshness.FOREVER),
        )

    def _fragment(self, request: Request, plan: ServeFragment) -> Response:
        track, segment, headers = plan.track, plan.segment, self._headers
        path = self._data / plan.channel / track.id / str(SegmentName(segment.number))
        data = read_slice(FileSlice(str(path), 0, segment.size), segment.size)
        freshness = _freshness_of(plan)
        return Response(
            status=200,
            content_type=f"{track.kind}/mp4",
            cache_control=headers.cache_control(freshness),
            body=smooth_fragment(
                data,
                track.timescale,
                span(segment.start, segment.end, track.timescale),
                plan.following,
            ),
            etag=f'"{segment.published:x}-{segment.size:x}-s{len(plan.following)}"',
            modified=segment.published,
            ranges=True,
            extra=(*headers.next_link(request, plan.following), *headers.for_cdns(freshness)),
        )


def _freshness_of(plan: ServeFragment) -> Freshness:
    """A fragment that names no later one will change when its channel goes on."""
    if plan.following:
        return Freshness.FOREVER
    return Freshness.ENDED_MANIFEST if plan.final else Freshness.SOON


def _read_init(path: Path, name: InitName) -> bytes:
    """The bytes of an init section, checked: caches would keep a wrong one for ever.

    Raises:
        StoreError: its bytes do not match the version in its name.
    """
    with path.open("rb") as file:
        data = file.read(_LONGEST_INIT)
    if init_version(data) != name.version:
        raise StoreError(f"{path} does not match its version")
    return data
