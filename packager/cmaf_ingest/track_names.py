"""The track of a pushed object, from its URL in the forms that encoders use.

    Streams(video.cmfv)                                   the keyword of interface 1
    video.cmfv                                            one URL for the whole track
    init-video.cmfv    chunk-video-17.m4s                 as a SegmentTemplate has it
    video/init.mp4     video/17.m4s                       one folder per track

The folders before that only distinguish encoders.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from packager.layout import RESERVED

_STREAMS = re.compile(r"Streams\(([^()]+)\)")
_SWITCHING = re.compile(r"Switching\([^()]*\)")
_SUFFIX = re.compile(r"\.[A-Za-z][0-9A-Za-z]{1,4}\Z")
_SEPARATOR = "-_.~"
_INIT = re.compile(r"(?:\A|(?<=[-_.~]))(?:init|header)(?=[-_.~]|\Z)", re.IGNORECASE)
_WORD = re.compile(r"\A(?:chunk|segment|seg|media|fragment|frag)(?:[-_.~]|\Z)", re.IGNORECASE)
_NUMBER = re.compile(r"(?:\A|[-_.~])[0-9]+\Z")
_LONGEST = 32
_DIGEST = 8


@dataclass(frozen=True, slots=True)
class TrackPlace:
    """The track that a URL names."""

    track: str
    """A valid track id."""
    prefix: str
    """The folders before it."""


def place_of_init(path: str) -> TrackPlace:
    """The track of an init section at `path`."""
    folder, stem, is_stream = _parts(path)
    if is_stream:
        return TrackPlace(track_id(stem), folder)
    bare = _INIT.sub("", stem).strip(_SEPARATOR)
    if bare == stem and _WORD.match(stem):
        # Segments that each begin with their init section.
        bare = _NUMBER.sub("", _WORD.sub("", stem))
    return _place(folder, bare) or TrackPlace(track_id(stem), folder)


def places_of_media(path: str) -> Iterator[TrackPlace]:
    """The tracks that a fragment at `path` may belong to: the first announced one counts."""
    folder, stem, is_stream = _parts(path)
    if is_stream:
        yield TrackPlace(track_id(stem), folder)
        return
    unnumbered = _NUMBER.sub("", stem)
    bare = _WORD.sub("", unnumbered)
    for name in dict.fromkeys((stem, unnumbered, _WORD.sub("", stem), bare)):
        if name:
            yield TrackPlace(track_id(name), folder)
    if not bare and (place := _place(folder, "")) is not None:
        yield place


def _parts(path: str) -> tuple[str, str, bool]:
    """Folders, the name without its suffix, and whether the keyword `Streams` is used."""
    steps = [step for step in path.split("/") if step and not _SWITCHING.fullmatch(step)]
    last = steps[-1] if steps else ""
    keyword = _STREAMS.fullmatch(last)
    stem = _SUFFIX.sub("", keyword[1] if keyword else last)
    return "/".join(steps[:-1]), stem, keyword is not None


def _place(folder: str, name: str) -> TrackPlace | None:
    """The track `name`, or that of the folder if `name` is empty."""
    if name:
        return TrackPlace(track_id(name), folder)
    before, _, last = folder.rpartition("/")
    return TrackPlace(track_id(last), before) if last else None


def track_id(name: str) -> str:
    """The track id for `name`: names that differ in more than case and signs stay distinct."""
    clean = re.sub(r"[^a-z0-9_-]", "-", name.lower()).lstrip("-_") or "track"
    if clean in RESERVED:
        clean = f"{clean}-track"
    if len(clean) > _LONGEST:
        digest = blake2b(name.encode("utf-8", "replace"), digest_size=_DIGEST // 2).hexdigest()
        clean = f"{clean[: _LONGEST - _DIGEST - 1]}-{digest}"
    return clean
