"""The parts of manifests that a simulated viewer reads: media, live edge and refresh."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import m3u8
from lxml import etree

_DASH = {"d": "urn:mpeg:dash:schema:mpd:2011"}
_PATCH = {"p": "urn:mpeg:dash:schema:mpd-patch:2020"}
_DURATION = re.compile(r"PT(?P<seconds>[0-9.]+)S")
_TFRF = bytes.fromhex("d4807ef2ca3946958e5426cb9e46a79f")
"""Element of MS-SSTR section 2.2.4.5 that names the next fragments."""
_TICKS = 10_000_000
"""Ticks of Smooth in a second."""


@dataclass(frozen=True)
class Listing:
    """A media playlist, or the end of one."""

    first: int
    """Number of the first of `urls`."""
    urls: tuple[str, ...]
    """Empty for a gap."""
    init: str
    target: float
    """Seconds."""
    segment: float
    """Duration of the newest segment in seconds."""
    skips: bool
    """The origin offers delta updates."""
    ended: bool

    @property
    def newest(self) -> int:
        """Number of the newest segment."""
        return self.first + len(self.urls) - 1

    def url(self, number: int) -> str:
        """URL of a segment; empty if it is not listed."""
        inside = self.first <= number <= self.newest
        return self.urls[number - self.first] if inside else ""


def multivariant(text: str, url: str) -> tuple[list[str], str]:
    """URLs of the playlists: video by falling bit rate, then audio."""
    found = m3u8.loads(text, uri=url)
    ordered = sorted(found.playlists, key=lambda item: -item.stream_info.bandwidth)
    return [item.absolute_uri for item in ordered], found.media[0].absolute_uri


def media_playlist(text: str, url: str) -> Listing:
    """Parse a media playlist, whole or a delta update."""
    found = m3u8.loads(text, uri=url)
    skipped = found.skip.skipped_segments if found.skip else 0
    maps = [item.absolute_uri for item in found.segment_map if item]
    return Listing(
        first=int(found.media_sequence) + int(skipped),
        urls=tuple("" if part.gap_tag else part.absolute_uri for part in found.segments),
        init=maps[-1] if maps else "",
        target=float(found.target_duration),
        segment=float(found.segments[-1].duration),
        skips=bool(found.server_control and found.server_control.can_skip_until),
        ended=bool(found.is_endlist),
    )


@dataclass(frozen=True)
class Presentation:
    """The newest period of an MPD."""

    renditions: tuple["Representation", ...]
    """By falling bit rate."""
    audio: "Representation"
    newest: int
    """Number of the newest segment."""
    published: str
    again: str
    """Start of the next segment."""
    patch: str
    """Location of the patch; empty if the MPD has none."""
    clock: str
    update: float
    """Seconds."""
    ended: bool


@dataclass(frozen=True)
class Representation:
    """URLs of a segment."""

    bandwidth: int
    init: str
    template: str
    first: int
    newest: int

    def url(self, number: int) -> str:
        """Duration of a segment in seconds."""
        return self.template.replace("$Number$", str(number))


def mpd(text: bytes, url: str) -> Presentation:
    """Parse an MPD."""
    root = etree.fromstring(text)
    period = root.findall("d:Period", _DASH)[-1]
    picture, *audios = (
        sorted(_representations(item, url), key=lambda found: -found.bandwidth)
        for item in period.iterfind("d:AdaptationSet", _DASH)
    )
    every = _DURATION.fullmatch(root.get("minimumUpdatePeriod", ""))
    clock = root.find("d:UTCTiming", _DASH)
    return Presentation(
        renditions=tuple(picture),
        audio=audios[0][0],
        newest=picture[0].newest,
        published=root.get("publishTime", ""),
        again=urljoin(url, root.findtext("d:Location", "", _DASH)),
        patch=_joined(url, root.findtext("d:PatchLocation", "", _DASH)),
        clock="" if clock is None else urljoin(url, clock.get("value", "")),
        update=float(every["seconds"]) if every else 0.0,
        ended=root.get("type") == "static",
    )


def _joined(url: str, place: str) -> str:
    return urljoin(url, place) if place else ""


def _representations(parent: etree._Element, url: str) -> Iterator[Representation]:
    for item in parent.iterfind("d:Representation", _DASH):
        template = item.find("d:SegmentTemplate", _DASH)
        if template is None:
            raise ValueError("a representation without a template")
        first = int(template.get("startNumber", "1"))
        entries = template.iterfind("d:SegmentTimeline/d:S", _DASH)
        count = sum(1 + int(entry.get("r", "0")) for entry in entries)

        def named(
            attribute: str, item: etree._Element = item, of: etree._Element = template
        ) -> str:
            name = of.get(attribute, "").replace("$RepresentationID$", item.get("id", ""))
            return urljoin(url, name)

        yield Representation(
            int(item.get("bandwidth", "0")),
            named("initialization"),
            named("media"),
            first,
            first + count - 1,
        )


@dataclass(frozen=True)
class Patch:
    """An MPD patch."""

    original: str
    """Publish time of the MPD that the patch applies to."""
    published: str
    after: str
    """Location of the next patch."""
    newest: int
    """Number of the newest segment."""


def patch(text: bytes, url: str) -> Patch:
    """Parse an MPD patch; the location of the next patch has the newest number."""
    root = etree.fromstring(text)
    place = root.findtext(".//PatchLocation", "") or root.findtext(".//p:PatchLocation", "", _PATCH)
    match = re.match(r"patch-([0-9]+)-", place)
    return Patch(
        root.get("originalPublishTime", ""),
        root.get("publishTime", ""),
        _joined(url, place),
        int(match[1]) if match else -1,
    )


@dataclass(frozen=True)
class Stream:
    """A Smooth stream."""

    bit_rates: tuple[int, ...]
    """By falling bit rate."""
    template: str
    times: tuple[int, ...]
    """Start times of its fragments, in ticks."""
    duration: float
    """Duration of the newest fragment in seconds."""

    def url(self, bit_rate: int, time: int) -> str:
        """URL of a fragment."""
        return self.template.replace("{bitrate}", str(bit_rate)).replace("{start time}", str(time))


def client_manifest(text: bytes, url: str) -> Mapping[str, Stream]:
    """The streams of a Smooth manifest, one of each type."""
    root = etree.fromstring(text)
    streams = [_stream(item, url) for item in root.iterfind("StreamIndex")]
    types = [item.get("Type", "") for item in root.iterfind("StreamIndex")]
    return dict(zip(types, streams, strict=True))


def _stream(item: etree._Element, url: str) -> Stream:
    levels = (int(level.get("Bitrate", "0")) for level in item.iterfind("QualityLevel"))
    times: list[int] = []
    now = duration = 0
    for entry in item.iterfind("c"):
        now = int(entry.get("t", str(now)))
        duration = int(entry.get("d", "0"))
        for _ in range(int(entry.get("r", "1"))):
            times.append(now)
            now += duration
    return Stream(
        tuple(sorted(levels, reverse=True)),
        urljoin(url, item.get("Url", "").replace(" ", "%20")).replace("%20", " "),
        tuple(times),
        duration / _TICKS,
    )


def following(fragment: bytes) -> Sequence[int]:
    """Start times of the next fragments, as a fragment names them."""
    at = fragment.find(_TFRF)
    if at < 0:
        return []
    at += len(_TFRF)
    wide, count = fragment[at] == 1, fragment[at + 4]
    size = 8 if wide else 4
    entries = (at + 5 + 2 * size * index for index in range(count))
    return [int.from_bytes(fragment[entry : entry + size], "big") for entry in entries]
