"""What a path asks for: the URL contract, both ways closed.

    /live/{channel}/index.m3u8                                   HLS multivariant playlist
    /live/{channel}/{track}/index.m3u8                           HLS media playlist
    /live/{channel}/index.mpd                                    DASH MPD
    /live/{channel}/index.ism/Manifest                           Smooth client manifest
    /live/{channel}/{track}/{init,segment,chunk}                 CMAF media (see packager.layout)
    /live/{channel}/index.ism/QualityLevels(b)/Fragments(k=t)    Smooth fragment
    /live/{channel}/time                                         the clock, for DASH's UTCTiming
    /healthz                                                     200 while serving

A query never changes an answer: CDNs and ad technology add them. All else counts as it was sent:
another spelling of a path that were answered too would be another object to a CDN.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from packager.layout import MediaName, is_name, parse_media_name
from packager.track import TrackKind

TIME = "time"


class ManifestKind(StrEnum):
    """The manifests of a view."""

    HLS_MULTIVARIANT = "hls-multivariant"
    HLS_MEDIA = "hls-media"
    DASH = "dash"
    SMOOTH = "smooth"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest of the rolling window."""

    channel: str
    kind: ManifestKind
    track: str = ""
    """Of a media playlist."""


@dataclass(frozen=True, slots=True)
class Media:
    """An init section, a segment or a chunk."""

    channel: str
    track: str
    name: MediaName


@dataclass(frozen=True, slots=True)
class Fragment:
    """A Smooth fragment."""

    channel: str
    bitrate: int
    """bit/s: the quality level's address."""
    kind: TrackKind
    time: int
    """On Smooth's clock."""


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """The origin's clock."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the origin serves."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A path that cannot name anything."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A path outside the contract."""


Request = Manifest | Media | Fragment | TimeOfDay | Health | Bad | Unknown

MAX_PATH = 512
"""Characters: three times what the contract needs."""

_FRAGMENT = re.compile(
    r"QualityLevels\((?P<bitrate>0|[1-9][0-9]{0,11})\)/"
    r"Fragments\((?P<kind>video|audio)=(?P<time>0|[1-9][0-9]{0,17})\)"
)
_SMOOTH = "index.ism"
_ENCODED = {"%28": "(", "%29": ")", "%3D": "=", "%3d": "="}
"""What clients of Smooth may encode, though they need not."""


def parse(path: str) -> Request:
    """What `path` (as it was sent, without the query) asks for."""
    if len(path) > MAX_PATH:
        return Bad(f"the path is longer than {MAX_PATH} characters")
    if path == "/healthz":
        return Health()
    parts = path.split("/")
    if len(parts) < 4 or parts[0] or parts[1] != "live":  # noqa: PLR2004 - "", live, channel, file
        return Unknown()
    channel, rest = parts[2], parts[3:]
    if not is_name(channel):
        return Bad("a channel's name is at most 32 of a-z, 0-9, - and _")
    if rest[0] == _SMOOTH:
        return _smooth(channel, "/".join(rest[1:]))
    if len(rest) == 1:
        return _of_channel(channel, rest[0])
    if len(rest) == 2:  # noqa: PLR2004 - track, file
        return _of_track(channel, *rest)
    return Unknown()


def _of_channel(channel: str, file: str) -> Request:
    match file:
        case "index.m3u8":
            return Manifest(channel, ManifestKind.HLS_MULTIVARIANT)
        case "index.mpd":
            return Manifest(channel, ManifestKind.DASH)
        case "time":
            return TimeOfDay()
        case _:
            return Unknown()


def _of_track(channel: str, track: str, file: str) -> Request:
    if not is_name(track):
        return Bad("a track's name is at most 32 of a-z, 0-9, - and _")
    if file == "index.m3u8":
        return Manifest(channel, ManifestKind.HLS_MEDIA, track)
    if (name := parse_media_name(file)) is not None:
        return Media(channel, track, name)
    if file.endswith((".m4s", ".mp4")):
        return Bad("not a name of media: {number}.m4s, {number}.{chunk}.m4s, init-{version}.mp4")
    return Unknown()


def _smooth(channel: str, rest: str) -> Request:
    if rest == "Manifest":
        return Manifest(channel, ManifestKind.SMOOTH)
    for encoded, character in _ENCODED.items():
        rest = rest.replace(encoded, character)
    if (match := _FRAGMENT.fullmatch(rest)) is not None:
        return Fragment(
            channel, int(match["bitrate"]), TrackKind(match["kind"]), int(match["time"])
        )
    return Bad("not a name of a fragment: QualityLevels({bitrate})/Fragments({type}={time})")
