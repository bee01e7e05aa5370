"""Names of files and URLs: one grammar for the disk and for the URL.

Under the media store's root and under `/live/` alike:

    {channel}/{track}/init-{version}.mp4        CMAF header
    {channel}/{track}/{number}.m4s              segment
    {channel}/{track}/{number}.{chunk}.m4s      one chunk (a byte range of the segment)
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

from packager.track import TRACK_ID

JOURNAL = "journal"
RESERVED = frozenset({JOURNAL, "as", "event", "from", "time", "to"})
"""Names that no track may have: a file of the channel's folder, and words of its URLs."""
STATUS = "status.json"
CONTROL = ".control"
"""In the data folder: the control socket."""
LOCK = ".lock"
"""In the data folder: the lock file of the running packager."""
METRICS = ".metrics"
"""In the data folder: the metrics of all processes. No channel may have this name."""

_INIT = re.compile(r"init-([0-9a-f]{8})\.mp4")
_PATCH = re.compile(r"patch-(0|[1-9][0-9]{0,14})-([0-9a-f]{16})\.mpp")
_MEDIA = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.(0|[1-9][0-9]{0,5}))?\.m4s")


@dataclass(frozen=True, slots=True)
class InitName:
    """The init section of a track, in one version."""

    version: str

    def __str__(self) -> str:
        return f"init-{self.version}.mp4"


def init_version(data: bytes | bytearray | memoryview) -> str:
    """The version of an init section, a hash: equal parameters have equal URLs."""
    return blake2b(data, digest_size=4).hexdigest()


@dataclass(frozen=True, slots=True)
class SegmentName:
    """A whole segment."""

    number: int

    def __str__(self) -> str:
        return segment_file(self.number)


def segment_file(number: int) -> str:
    """The name of a whole segment: faster than a `SegmentName` for long lists."""
    return f"{number}.m4s"


@dataclass(frozen=True, slots=True)
class ChunkName:
    """One chunk of a segment, counted from 0."""

    number: int
    chunk: int

    def __str__(self) -> str:
        return f"{self.number}.{self.chunk}.m4s"


MediaName = InitName | SegmentName | ChunkName


@dataclass(frozen=True, slots=True)
class PatchName:
    """The patch from an MPD to the newest MPD of its view."""

    number: int
    """Number of the last segment of the MPD."""
    digest: str
    """The identity of the MPD."""

    def __str__(self) -> str:
        return f"patch-{self.number}-{self.digest}.mpp"


def parse_patch_name(text: str) -> PatchName | None:
    """The patch that `text` names; None if it names none."""
    match = _PATCH.fullmatch(text)
    return None if match is None else PatchName(int(match[1]), match[2])


def parse_media_name(text: str) -> MediaName | None:
    """The media file that `text` names; None if it names none."""
    if (media := _MEDIA.fullmatch(text)) is not None:
        number, chunk = media.groups()
        return SegmentName(int(number)) if chunk is None else ChunkName(int(number), int(chunk))
    if (init := _INIT.fullmatch(text)) is not None:
        return InitName(init.group(1))
    return None


def is_name(text: str) -> bool:
    """Whether `text` may name a channel or a track."""
    return TRACK_ID.fullmatch(text) is not None
