"""Parsing of request paths: the URL contract.

    /live/{channel}{view}/index.m3u8                             HLS multivariant playlist
    /live/{channel}{view}/{track}/index.m3u8                     HLS media playlist
    /live/{channel}{view}/index.mpd                              DASH MPD
    /live/{channel}{view}/live.mpd                               the same, for players begun live
    /live/{channel}{view}/patch-{number}-{digest}.mpp            patch of an MPD to the newest one
    /live/{channel}{view}/index.ism/Manifest                     Smooth client manifest
    /live/{channel}/{track}/{init,segment,chunk}                 CMAF media (see packager.layout)
    /live/{channel}/index.ism/QualityLevels(b)/Fragments(k=t)    Smooth fragment
    /live/{channel}/time                                         the clock, for DASH's UTCTiming
    /healthz                                                     200 while serving

A view is empty, /from/{t}, /from/{t}/to/{t} or /event/{event}. /as/{device} may precede it. Each
view has manifests; media exists once, without a view. A manifest's query has these arguments:

    ?start=&end=               redirect to the view with these times
    ?_HLS_skip=YES             delta update of a media playlist (RFC 8216bis section 6.2.5.1)
    ?_HLS_msn=&_HLS_part=      media playlist that has this segment or part (6.2.5.2)

Other arguments are ignored: CDNs and ad technology add them. Paths are compared as sent: a second
spelling of a path would be a second object to a CDN.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from origin.urls.query import values
from origin.urls.view import AS, RollingView, View, parse_instant, parse_view, path_of
from packager.layout import MediaName, PatchName, is_name, parse_media_name, parse_patch_name
from packager.timing.ticks import UtcMicros
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
    """An MPD for players that started while the view was live."""
    DASH_PATCH = "dash-patch"
    SMOOTH = "smooth"


@dataclass(frozen=True, slots=True)
class Reload:
    """The segment or part that a playlist must contain (RFC 8216bis section 6.2.5.2)."""

    number: int
    """Of the segment."""
    part: int | None
    """Index in the segment; None for the complete segment."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest of a view."""

    channel: str
    kind: ManifestKind
    track: str = ""
    """Of a media playlist."""
    view: View = RollingView()  # noqa: RUF009 - it never changes
    skip: bool = False
    """For a media playlist: a delta update is accepted."""
    reload: Reload | None = None
    """For a media playlist: the segment or part to wait for."""
    patch: PatchName | None = None
    """For an MPD patch: the MPD that it updates."""
    device: str = ""
    """Name of the device profile; empty without one."""

    @property
    def folder(self) -> str:
        """Path of device and view, with a slash at the end; empty without both."""
        return (f"{AS}/{self.device}/" if self.device else "") + path_of(self.view)

    @property
    def file(self) -> str:
        """Path after the view."""
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
class StretchRedirect:
    """A request for the view between `start` and `end`; None is an open end."""

    manifest: Manifest
    start: UtcMicros
    end: UtcMicros | None

    @property
    def channel(self) -> str:
        """Of the manifest."""
        return self.manifest.channel


@dataclass(frozen=True, slots=True)
class MediaObject:
    """An init section, a segment or a chunk."""

    channel: str
    track: str
    name: MediaName


@dataclass(frozen=True, slots=True)
class SmoothFragment:
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
class HealthCheck:
    """A request for the health of the origin."""


@dataclass(frozen=True, slots=True)
class BadTarget:
    """A path that violates the contract (400)."""

    reason: str


@dataclass(frozen=True, slots=True)
class UnknownTarget:
    """A path outside the contract (404)."""


Request = (
    Manifest
    | StretchRedirect
    | MediaObject
    | SmoothFragment
    | TimeOfDay
    | HealthCheck
    | BadTarget
    | UnknownTarget
)

MAX_PATH = 512
"""Characters: three times the longest path of the contract."""

_FRAGMENT = re.compile(
    r"QualityLevels\((?P<bitrate>0|[1-9][0-9]{0,11})\)/"
    r"Fragments\((?P<kind>video|audio)=(?P<time>0|[1-9][0-9]{0,17})\)"
)
_TIMES = ("start", "end")
_SKIP, _MSN, _PART = "_HLS_skip", "_HLS_msn", "_HLS_part"
_ARGUMENTS = frozenset((*_TIMES, _SKIP, _MSN, _PART))
_COUNT = re.compile(r"0|[1-9][0-9]{0,12}")
_NAMES_IN_BYTES = (*(name.encode() for name in _ARGUMENTS), b"token")
_ENCODED = {"%28": "(", "%29": ")", "%3D": "=", "%3d": "="}
"""Characters that Smooth clients may encode, without need."""


def parse(path: str, query: str = "") -> Request:
    """The request of `path` and `query`, both as sent."""
    if len(path) > MAX_PATH:
        return BadTarget(f"the path is longer than {MAX_PATH} characters")
    if path == "/healthz":
        return HealthCheck()
    match path.split("/"):
        case ["", "live", channel, *rest] if rest and is_name(channel):
            return _under_channel(channel, rest, query)
        case ["", "live", _, *rest] if rest:
            return BadTarget("a channel's name is at most 32 of a-z, 0-9, - and _")
        case _:
            return UnknownTarget()


def _under_channel(channel: str, parts: list[str], query: str) -> Request:
    match parts:
        case ["as", device, *behind] if is_name(device):
            return _viewed(channel, device, behind, query)
        case ["as", *_]:
            return BadTarget(
                "not a device: /as/{device}, a name of at most 32 of a-z, 0-9, - and _"
            )
        case behind:
            return _viewed(channel, "", behind, query)


def _viewed(channel: str, device: str, parts: list[str], query: str) -> Request:
    """The request of a path whose view and file are `parts`."""
    view, rest = parse_view(parts)
    if view is None:
        return BadTarget(
            "not a view: from/{t}, from/{t}/to/{t} or event/{event}, t in Unix seconds"
        )
    if not rest:
        return UnknownTarget()
    request = _of_view(channel, rest)
    if not isinstance(request, Manifest):
        # Media exists only without view and device.
        is_plain = isinstance(view, RollingView) and not device
        return request if is_plain or isinstance(request, BadTarget) else UnknownTarget()
    return _queried(replace(request, view=view, device=device), query)


def _of_view(channel: str, rest: list[str]) -> Request:
    if rest[0] == SMOOTH:
        return _smooth(channel, "/".join(rest[1:]))
    if len(rest) == 1:
        return _of_channel(channel, rest[0])
    if len(rest) == 2:  # noqa: PLR2004 - track, file
        return _of_track(channel, *rest)
    return UnknownTarget()


def _queried(manifest: Manifest, query: str) -> Request:
    """`manifest` with its query: a redirect to another view, or a reload."""
    asked = values(query, _ARGUMENTS)
    given = {name: asked[name] for name in _TIMES if name in asked}
    if not given:
        return _reloaded(manifest, asked) if manifest.kind is ManifestKind.HLS_MEDIA else manifest
    if "start" not in given:
        return BadTarget("end without start")
    try:
        # An unencoded plus sign was decoded to a space.
        times = {name: parse_instant(text.replace(" ", "+")) for name, text in given.items()}
    except ValueError:
        return BadTarget("start and end are Unix seconds or ISO 8601 with an offset")
    start, end = times["start"], times.get("end")
    if end is not None and end <= start:
        return BadTarget("the end is not after the start")
    return StretchRedirect(manifest, start, end)


def _reloaded(playlist: Manifest, asked: Mapping[str, str]) -> Request:
    """`playlist` with the arguments of delta update and blocking reload."""
    skip = asked.get(_SKIP) in ("YES", "v2")
    if _MSN not in asked:
        return (
            BadTarget(f"{_PART} without {_MSN}") if _PART in asked else replace(playlist, skip=skip)
        )
    counts = [asked[name] for name in (_MSN, _PART) if name in asked]
    if not all(map(_COUNT.fullmatch, counts)):
        return BadTarget(f"{_MSN} and {_PART} are whole numbers")
    number, *part = map(int, counts)
    return replace(playlist, skip=skip, reload=Reload(number, part[0] if part else None))


def may_matter(query: bytes) -> bool:
    """Whether a query may change the response: fast, with false positives."""
    return any(name in query for name in _NAMES_IN_BYTES)


def _of_channel(channel: str, file: str) -> Request:
    if file == PLAYLIST:
        return Manifest(channel, ManifestKind.HLS_MULTIVARIANT)
    if file == MPD:
        return Manifest(channel, ManifestKind.DASH)
    if file == MPD_GOING_ON:
        return Manifest(channel, ManifestKind.DASH_GOING_ON)
    if (patch := parse_patch_name(file)) is not None:
        return Manifest(channel, ManifestKind.DASH_PATCH, patch=patch)
    return TimeOfDay() if file == TIME else UnknownTarget()


def _of_track(channel: str, track: str, file: str) -> Request:
    if not is_name(track):
        return BadTarget("a track's name is at most 32 of a-z, 0-9, - and _")
    if file == PLAYLIST:
        return Manifest(channel, ManifestKind.HLS_MEDIA, track)
    if (name := parse_media_name(file)) is not None:
        return MediaObject(channel, track, name)
    if file.endswith((".m4s", ".mp4")):
        return BadTarget(
            "not a name of media: {number}.m4s, {number}.{chunk}.m4s, init-{version}.mp4"
        )
    return UnknownTarget()


def _smooth(channel: str, rest: str) -> Request:
    if rest == CLIENT_MANIFEST:
        return Manifest(channel, ManifestKind.SMOOTH)
    for encoded, character in _ENCODED.items():
        rest = rest.replace(encoded, character)
    if (match := _FRAGMENT.fullmatch(rest)) is not None:
        return SmoothFragment(
            channel, int(match["bitrate"]), TrackKind(match["kind"]), int(match["time"])
        )
    return BadTarget("not a name of a fragment: QualityLevels({bitrate})/Fragments({type}={time})")
