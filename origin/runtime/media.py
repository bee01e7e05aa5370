"""Answers of media: their bytes, from the media store.

All of this waits for the disk: call it in a thread.
"""

from pathlib import Path
from typing import assert_never

from origin.answer import GROWING, Answer, Slice
from origin.plan import Freshness, ServeFragment, ServeGrowing, ServeInit, ServeMedia
from origin.request import Request
from origin.runtime.files import at_hand, read_slice
from origin.wording import Wording
from packager.cmaf.smooth import smooth_fragment
from packager.errors import StoreError
from packager.layout import InitName, SegmentName, init_version
from packager.smooth_clock import span

MediaPlan = ServeMedia | ServeInit | ServeFragment

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
                return self._media(request, plan, at_hand(self._slice(plan)))
            case ServeInit():
                return self._init(plan)
            case ServeFragment():
                return self._fragment(request, plan)
            case _:
                assert_never(plan)

    def unread(self, request: Request, plan: ServeMedia) -> Answer:
        """The answer, with its bytes still in the store."""
        return self._media(request, plan, self._slice(plan))

    def growing(self, plan: ServeGrowing) -> Answer:
        """The answer that is a segment as it comes."""
        return Answer(
            status=200,
            content_type=f"{plan.kind}/mp4",
            cache_control=self._wording.caching(Freshness.FOREVER),
            body=GROWING,
            extra=self._wording.for_cdns(Freshness.FOREVER),
        )

    def path_of(self, plan: ServeMedia | ServeGrowing) -> Path:
        """Where a segment lies."""
        return self._data / plan.channel / plan.track / str(plan.file)

    def _slice(self, plan: ServeMedia) -> Slice:
        return Slice(str(self.path_of(plan)), plan.offset, plan.size)

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
