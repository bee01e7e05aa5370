"""What a path asks for: the URL contract, both ways closed.

    /live/{channel}{view}/index.m3u8                             HLS multivariant playlist
    /live/{channel}{view}/{track}/index.m3u8                     HLS media playlist
    /live/{channel}{view}/index.mpd                              DASH MPD
    /live/{channel}{view}/live.mpd                               the same, for who has begun live
    /live/{channel}{view}/patch-{number}-{digest}.mpp            patch of an MPD to the newest one
    /live/{channel}{view}/index.ism/Manifest                     Smooth client manifest
    /live/{channel}/{track}/{init,segment,chunk}                 CMAF media (see packager.layout)
    /live/{channel}/index.ism/QualityLevels(b)/Fragments(k=t)    Smooth fragment
    /live/{channel}/time                                         the clock, for DASH's UTCTiming
    /healthz                                                     200 while serving

A view is nothing, /from/{t}, /from/{t}/to/{t} or /event/{event}, or /as/{device} and one of these:
manifests are there under each, media once, without any. `?start=&end=` at a manifest asks for where
the view with these times is, `?_HLS_skip=YES` at a media playlist for a delta update (RFC 8216bis
section 6.2.5.1), `?_HLS_msn=&_HLS_part=` for one that has this segment or part (6.2.5.2).
No other query changes an answer: CDNs and ad technology add them. All else counts as it was sent:
another spelling of a path that were answered too would be another object to a CDN.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from origin.query import values
from origin.view import AS, Rolling, View, parse_instant, parse_view, path_of
from packager.layout import MediaName, PatchName, is_name, parse_media_name, parse_patch_name
from packager.ticks import UtcMicros
from packager.track import TrackKind

TIME = "time"
PLAYLIST = "index.m3u8"
MPD = "index.mpd"
MPD_GOING_ON = "live.mpd"
SMOOTH = "index.ism"
CLIENT_MANIFEST = "Manifest"


class ManifestKind(StrEnum):
    """The manifests of a view."""

    HLS_MULTIVARIANT = "hls-multivariant"
    HLS_MEDIA = "hls-media"
    DASH = "dash"
    DASH_GOING_ON = "dash-going-on"
    """What a player that began while it was live asks for again and again."""
    DASH_PATCH = "dash-patch"
    SMOOTH = "smooth"


@dataclass(frozen=True, slots=True)
class Reload:
    """What a playlist is to have before it is sent (RFC 8216bis section 6.2.5.2)."""

    number: int
    """The segment."""
    part: int | None
    """Of it; None for the whole."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest of a view."""

    channel: str
    kind: ManifestKind
    track: str = ""
    """Of a media playlist."""
    view: View = Rolling()  # noqa: RUF009 - it never changes
    skip: bool = False
    """Of a media playlist: a delta update will do."""
    reload: Reload | None = None
    """Of a media playlist: what is waited for; None where nothing is."""
    patch: PatchName | None = None
    """Of an MPD patch: what it is from."""
    device: str = ""
    """The profile of who asks; empty for none."""

    @property
    def folder(self) -> str:
        """Its view in a path, with a slash at its end; empty where there is none."""
        return (f"{AS}/{self.device}/" if self.device else "") + path_of(self.view)

    @property
    def file(self) -> str:
        """Its path behind the view."""
        match self.kind:
            case ManifestKind.HLS_MULTIVARIANT:
                return PLAYLIST
            case ManifestKind.HLS_MEDIA:
                return f"{self.track}/{PLAYLIST}"
            case ManifestKind.DASH:
                return MPD
            case ManifestKind.DASH_GOING_ON:
                return MPD_GOING_ON
            case ManifestKind.DASH_PATCH:
                return str(self.patch)
            case ManifestKind.SMOOTH:
                return f"{SMOOTH}/{CLIENT_MANIFEST}"
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True)
class Stretched:
    """A manifest of the view that begins at `start` and has an end or none."""

    manifest: Manifest
    start: UtcMicros
    end: UtcMicros | None

    @property
    def channel(self) -> str:
        """Of the manifest."""
        return self.manifest.channel


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


Request = Manifest | Stretched | Media | Fragment | TimeOfDay | Health | Bad | Unknown

MAX_PATH = 512
"""Characters: three times what the contract needs."""

_FRAGMENT = re.compile(
    r"QualityLevels\((?P<bitrate>0|[1-9][0-9]{0,11})\)/"
    r"Fragments\((?P<kind>video|audio)=(?P<time>0|[1-9][0-9]{0,17})\)"
)
_ASKED = ("start", "end")
_SKIP, _MSN, _PART = "_HLS_skip", "_HLS_msn", "_HLS_part"
_MATTER = frozenset((*_ASKED, _SKIP, _MSN, _PART))
_COUNT = re.compile(r"0|[1-9][0-9]{0,12}")
_MATTERING = (*(name.encode() for name in _MATTER), b"token")
_ENCODED = {"%28": "(", "%29": ")", "%3D": "=", "%3d": "="}
"""What clients of Smooth may encode, though they need not."""


def parse(path: str, query: str = "") -> Request:
    """What `path` and `query` (as they were sent) ask for."""
    if len(path) > MAX_PATH:
        return Bad(f"the path is longer than {MAX_PATH} characters")
    if path == "/healthz":
        return Health()
    parts = path.split("/")
    if len(parts) < 4 or parts[0] or parts[1] != "live":  # noqa: PLR2004 - "", live, channel, file
        return Unknown()
    channel = parts[2]
    if not is_name(channel):
        return Bad("a channel's name is at most 32 of a-z, 0-9, - and _")
    match parts[3:]:
        case ["as", device, *behind] if is_name(device):
            return _viewed(channel, device, behind, query)
        case ["as", *_]:
            return Bad("not a device: /as/{device}, a name of at most 32 of a-z, 0-9, - and _")
        case behind:
            return _viewed(channel, "", behind, query)


def _viewed(channel: str, device: str, parts: list[str], query: str) -> Request:
    """What a path asks for whose view and file are `parts`."""
    view, rest = parse_view(parts)
    if view is None:
        return Bad("not a view: from/{t}, from/{t}/to/{t} or event/{event}, t in Unix seconds")
    if not rest:
        return Unknown()
    request = _of_view(channel, rest)
    if not isinstance(request, Manifest):
        # Media is there once, whoever asks.
        is_plain = isinstance(view, Rolling) and not device
        return request if is_plain or isinstance(request, Bad) else Unknown()
    return _queried(replace(request, view=view, device=device), query)


def _of_view(channel: str, rest: list[str]) -> Request:
    if rest[0] == SMOOTH:
        return _smooth(channel, "/".join(rest[1:]))
    if len(rest) == 1:
        return _of_channel(channel, rest[0])
    if len(rest) == 2:  # noqa: PLR2004 - track, file
        return _of_track(channel, *rest)
    return Unknown()


def _queried(manifest: Manifest, query: str) -> Request:
    """`manifest`, the other view of it that a query asks for, or what is new in it."""
    asked = values(query, _MATTER)
    said = {name: asked[name] for name in _ASKED if name in asked}
    if not said:
        return _reloaded(manifest, asked) if manifest.kind is ManifestKind.HLS_MEDIA else manifest
    if "start" not in said:
        return Bad("an end without a start")
    try:
        # A plus sign that nobody encoded has become a space.
        times = {name: parse_instant(text.replace(" ", "+")) for name, text in said.items()}
    except ValueError:
        return Bad("start and end are Unix seconds or ISO 8601 with an offset")
    start, end = times["start"], times.get("end")
    if end is not None and end <= start:
        return Bad("the end is not after the start")
    return Stretched(manifest, start, end)


def _reloaded(playlist: Manifest, asked: Mapping[str, str]) -> Request:
    """What is new in a media playlist, once it is there."""
    skip = asked.get(_SKIP) in ("YES", "v2")
    if _MSN not in asked:
        return Bad(f"{_PART} without {_MSN}") if _PART in asked else replace(playlist, skip=skip)
    counts = [asked[name] for name in (_MSN, _PART) if name in asked]
    if not all(map(_COUNT.fullmatch, counts)):
        return Bad(f"{_MSN} and {_PART} are whole numbers")
    number, *part = map(int, counts)
    return replace(playlist, skip=skip, reload=Reload(number, part[0] if part else None))


def may_matter(query: bytes) -> bool:
    """Whether a query may change an answer: a quick look, which may say yes for nothing."""
    return any(name in query for name in _MATTERING)


def _of_channel(channel: str, file: str) -> Request:
    if file == PLAYLIST:
        return Manifest(channel, ManifestKind.HLS_MULTIVARIANT)
    if file == MPD:
        return Manifest(channel, ManifestKind.DASH)
    if file == MPD_GOING_ON:
        return Manifest(channel, ManifestKind.DASH_GOING_ON)
    if (patch := parse_patch_name(file)) is not None:
        return Manifest(channel, ManifestKind.DASH_PATCH, patch=patch)
    return TimeOfDay() if file == TIME else Unknown()


def _of_track(channel: str, track: str, file: str) -> Request:
    if not is_name(track):
        return Bad("a track's name is at most 32 of a-z, 0-9, - and _")
    if file == PLAYLIST:
        return Manifest(channel, ManifestKind.HLS_MEDIA, track)
    if (name := parse_media_name(file)) is not None:
        return Media(channel, track, name)
    if file.endswith((".m4s", ".mp4")):
        return Bad("not a name of media: {number}.m4s, {number}.{chunk}.m4s, init-{version}.mp4")
    return Unknown()


def _smooth(channel: str, rest: str) -> Request:
    if rest == CLIENT_MANIFEST:
        return Manifest(channel, ManifestKind.SMOOTH)
    for encoded, character in _ENCODED.items():
        rest = rest.replace(encoded, character)
    if (match := _FRAGMENT.fullmatch(rest)) is not None:
        return Fragment(
            channel, int(match["bitrate"]), TrackKind(match["kind"]), int(match["time"])
        )
    return Bad("not a name of a fragment: QualityLevels({bitrate})/Fragments({type}={time})")
