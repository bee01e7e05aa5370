"""The content of manifests of the three formats, read from their text alone."""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from lxml import etree

from packager.timing.smooth_time import EPOCH, TIMESCALE
from packager.timing.ticks import MICROS, parse_iso8601

_DASH = "{urn:mpeg:dash:schema:mpd:2011}"


@dataclass(frozen=True)
class Piece:
    """One segment. Seconds; the start since the Unix epoch."""

    number: int
    start: Fraction
    duration: Fraction

    @property
    def end(self) -> Fraction:
        return self.start + self.duration


@dataclass
class Playlist:
    """An HLS media playlist."""

    media: list[Piece] = field(default_factory=list[Piece])
    gaps: list[Piece] = field(default_factory=list[Piece])
    breaks: list[int] = field(default_factory=list[int])
    """The numbers that an EXT-X-DISCONTINUITY stands before."""
    sequence: int = 0
    """EXT-X-DISCONTINUITY-SEQUENCE."""
    ended: bool = False

    @property
    def numbers(self) -> list[int]:
        return [piece.number for piece in self.media]

    @property
    def missing(self) -> list[int]:
        """The numbers with an EXT-X-GAP."""
        return [piece.number for piece in self.gaps]

    @property
    def pieces(self) -> list[Piece]:
        """All entries, in order."""
        return sorted([*self.media, *self.gaps], key=lambda piece: piece.number)


def hls(text: str) -> Playlist:
    """The content of a media playlist."""
    found = Playlist()
    number, gap = 0, False
    date, length = Fraction(0), Fraction(0)
    for line in text.splitlines():
        tag, _, value = line.partition(":")
        match tag:
            case "#EXT-X-MEDIA-SEQUENCE":
                number = int(value)
            case "#EXT-X-DISCONTINUITY-SEQUENCE":
                found.sequence = int(value)
            case "#EXT-X-DISCONTINUITY":
                found.breaks.append(number)
            case "#EXT-X-PROGRAM-DATE-TIME":
                date = Fraction(parse_iso8601(value), MICROS)
            case "#EXT-X-GAP":
                gap = True
            case "#EXTINF":
                length = Fraction(value.rstrip(","))
            case "#EXT-X-ENDLIST":
                found.ended = True
            case _ if not line.startswith("#"):
                assert line.rpartition("/")[2] == f"{number}.m4s"
                (found.gaps if gap else found.media).append(Piece(number, date, length))
                number, gap = number + 1, False
    return found


@dataclass
class Period:
    """A Period of an MPD."""

    id: str
    start: Fraction
    """Period@start; seconds."""
    tracks: dict[str, list[Piece]]
    """By Representation; times on the media's own count."""
    offset: Fraction
    """presentationTimeOffset in seconds: the media time that is shown at the period's start."""


def dash(data: bytes) -> list[Period]:
    """The content of an MPD."""
    found: list[Period] = []
    for element in etree.fromstring(data).iter(f"{_DASH}Period"):
        match = re.fullmatch(r"PT([0-9.]+)S", element.get("start", ""))
        assert match is not None
        period = Period(element.get("id", ""), Fraction(match[1]), {}, Fraction(0))
        for representation in element.iter(f"{_DASH}Representation"):
            (template,) = representation.iter(f"{_DASH}SegmentTemplate")
            scale = int(template.get("timescale", ""))
            period.offset = Fraction(int(template.get("presentationTimeOffset", "")), scale)
            number, time = int(template.get("startNumber", "")), 0
            pieces = period.tracks.setdefault(representation.get("id", ""), [])
            for entry in template.iter(f"{_DASH}S"):
                time, duration = int(entry.get("t", time)), int(entry.get("d", ""))
                for _ in range(1 + int(entry.get("r", "0"))):
                    pieces.append(Piece(number, Fraction(time, scale), Fraction(duration, scale)))
                    number, time = number + 1, time + duration
        found.append(period)
    return found


@dataclass(frozen=True)
class Fragment:
    """A fragment of a Smooth stream. Seconds; the start since the Unix epoch."""

    start: Fraction
    duration: Fraction


def smooth(data: bytes) -> dict[str, list[Fragment]]:
    """The fragments of each StreamIndex, by its name."""
    found: dict[str, list[Fragment]] = {}
    for stream in etree.fromstring(data).iter("StreamIndex"):
        fragments = found.setdefault(stream.get("Name", ""), [])
        time = 0
        for entry in stream.iter("c"):
            time, duration = int(entry.get("t", time)), int(entry.get("d", ""))
            for _ in range(int(entry.get("r", "1"))):
                start = Fraction(time, TIMESCALE) + EPOCH
                fragments.append(Fragment(start, Fraction(duration, TIMESCALE)))
                time += duration
    return found
