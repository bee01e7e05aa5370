"""The MPD (ISO/IEC 23009-1 section 5.3), live profile, one `SegmentTimeline` a track."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from lxml import etree

from packager.manifest.dash.document import PATCH, TIMELINE, Document, SegmentList
from packager.manifest.text import Tapes, Text
from packager.records import Stretch
from packager.segments import Segments
from packager.ticks import MICROS, iso8601, round_half_up, seconds
from packager.timeline import Period
from packager.track import UNDETERMINED, Track, TrackKind, language_tag
from packager.window import Window

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
_DELAY_SEGMENTS = 4
"""How far behind now a player should sit: three segments of buffer, and one because media time
may trail the wall clock by less than a segment."""


_PICTURE, _FIRST_SOUND = 1, 2
"""Ids of adaptation sets; the other sounds count on."""


@dataclass(frozen=True, slots=True)
class _TrackPart:
    """The segments of one track that lie in a part."""

    track: Track
    """As it is described there."""
    segments: Segments
    bandwidth: int
    """Bit/s: what it is to have, or what it was seen to have where that is more."""

    @property
    def numbers(self) -> tuple[int, int]:
        """The first and the last."""
        return self.segments[0].number, self.segments[-1].number

    @property
    def is_whole(self) -> bool:
        """Whether no number is left out."""
        first, last = self.numbers
        return len(self.segments) == last - first + 1


_Tracks = Sequence[_TrackPart]


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive segments of one period: what `$Number$` can count without a break."""

    period: Period
    name: str
    begin: Fraction
    """Seconds since the Unix epoch: of its first segment, also once that has left the window."""
    tracks: _Tracks


@dataclass(frozen=True, slots=True)
class Places:
    """URLs, as seen from the MPD."""

    clock: str
    """Serves the time."""
    again: str = ""
    """Where a player asks for the MPD again; empty for where it is."""
    folder: str = ""
    """The channel's, for media; empty for the MPD's own. Not a BaseURL: dash.js would look for the
    clock from there too."""


def render(
    window: Window, places: Places, tapes: Tapes | None = None, *, began_live: bool = False
) -> Text:
    """The MPD.

    `began_live`: its reader began while nothing had ended. For such a one time goes on to count
    from the Unix epoch, whereas what is over begins at 0 for whoever comes then.
    """
    return document(window, places, began_live=began_live).text(tapes or Tapes())


def document(window: Window, places: Places, *, began_live: bool = False) -> Document:
    """The MPD before it is put together."""
    duration = _duration(window.grid.duration)
    root = etree.Element("MPD", xmlns=_NAMESPACE)
    root.set("profiles", _PROFILES)
    root.set("type", "static" if window.ended else "dynamic")
    anew = window.ended and not began_live
    parts = list(_parts(window, clipped=anew))
    # What Period@start counts from: the Unix epoch, or the start of what has an end.
    origin = Fraction(0)
    if window.ended:
        origin = parts[0].begin if anew else Fraction(0)
        end = Fraction(window.end, MICROS)
        root.set("mediaPresentationDuration", _duration(end - origin))
    else:
        root.set("availabilityStartTime", "1970-01-01T00:00:00Z")
        root.set("publishTime", iso8601(window.published))
        root.set("minimumUpdatePeriod", duration)
        if window.depth is not None:
            root.set("timeShiftBufferDepth", _duration(window.depth * window.grid.duration))
        root.set("suggestedPresentationDelay", _duration(_DELAY_SEGMENTS * window.grid.duration))
    root.set("minBufferTime", duration)
    root.set("maxSegmentDuration", _duration(_longest(window)))
    if places.again and not window.ended:
        _child(root, "Location").text = places.again
    if window.stays and not window.ended:
        # Where its first segment leaves a window, its reader has the whole anew.
        root.set("id", window.channel)
        _child(root, "PatchLocation").text = PATCH
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        _period(root, part, origin, places.folder, over=following is not None)
    if not window.ended:
        # Players that meet no UTCTiming trust the viewer's clock, which is often wrong.
        _child(root, "UTCTiming", schemeIdUri="urn:mpeg:dash:utc:http-iso:2014", value=places.clock)
    frame = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Document(window, frame, tuple(_lists(parts)))


def _lists(parts: Iterable[_Part]) -> Iterator[SegmentList]:
    """In the order of the document."""
    for part in parts:
        for number, tracks in _choices(part):
            for item in tracks:
                yield SegmentList(part.name, number, item.track.id, item.segments)


def _duration(value: Fraction) -> str:
    return f"PT{seconds(value, 6).rstrip('0').rstrip('.')}S"


def _longest(window: Window) -> Fraction:
    return Fraction(max(track.longest for track in window.tracks), MICROS)


def _child(parent: etree._Element, tag: str, **attributes: str | int) -> etree._Element:
    return etree.SubElement(parent, tag, {k: str(v) for k, v in attributes.items()})


def _parts(window: Window, *, clipped: bool) -> Iterator[_Part]:
    for period in window.periods.values():
        tracks = [
            _TrackPart(
                (described := period.tracks[track.latest.id]),
                track.segments.of_period(period.index),
                max(described.bitrate, track.bandwidth),
            )
            for track in window.tracks
            if track.latest.id in period.tracks
        ]
        for name, stretch, stop in _stretches(period, window):
            inside = [
                replace(track, segments=track.segments.between(stretch.number, stop - 1))
                for track in tracks
            ]
            present = tuple(track for track in inside if track.segments)
            if present:
                cut = clipped and stretch.number < window.first
                begin = _first_start(present) if cut else stretch.begin
                yield _Part(period, name, begin, present)


def _stretches(period: Period, window: Window) -> Iterator[tuple[str, Stretch, int]]:
    """Those of a period that the window reaches: a name, the stretch, the number it ends before."""
    opening = Stretch(period.number, period.number * window.grid.duration)
    stretches = (opening, *period.stretches)
    stops = (*(stretch.number for stretch in period.stretches), window.last + 1)
    for stretch, stop in zip(stretches, stops, strict=True):
        if stop > window.first:
            opens = stretch is opening
            yield f"p{period.index}{'' if opens else f'-{stretch.number}'}", stretch, stop


def _first_start(tracks: _Tracks) -> Fraction:
    return min(Fraction(part.segments[0].start, part.track.timescale) for part in tracks)


def _period(
    root: etree._Element, part: _Part, origin: Fraction, folder: str, *, over: bool
) -> None:
    element = _child(root, "Period", id=part.name, start=_duration(part.begin - origin))
    if over:
        # Or else it lasts until the next: dash.js waits for ever in a hole that it joins in.
        end = max(Fraction(t.segments[-1].end, t.track.timescale) for t in part.tracks)
        element.set("duration", _duration(end - part.begin))
    for number, tracks in _choices(part):
        _adaptation_set(element, number, part.begin, tracks, folder)


def _choices(part: _Part) -> Iterator[tuple[int, _Tracks]]:
    """Adaptation sets and their ids: renditions are a player's choice, sounds are the viewer's."""
    if renditions := [item for item in part.tracks if item.track.kind is TrackKind.VIDEO]:
        yield _PICTURE, renditions
    sounds = [track.id for track in part.period.tracks.values() if track.kind is TrackKind.AUDIO]
    for item in part.tracks:
        if item.track.kind is TrackKind.AUDIO:
            yield _FIRST_SOUND + sounds.index(item.track.id), [item]


def _are_aligned(tracks: _Tracks) -> bool:
    """Whether segments of one number begin together: each is a cell of the grid, or all are alike.

    The keyframes of renditions that are passed through may differ.
    """
    return all(t.is_whole for t in tracks) or all(
        (t.numbers, len(t.segments)) == (tracks[0].numbers, len(tracks[0].segments)) for t in tracks
    )


def _adaptation_set(
    period: etree._Element, number: int, begin: Fraction, tracks: _Tracks, folder: str
) -> None:
    first = tracks[0].track
    element = _child(
        period,
        "AdaptationSet",
        id=number,
        contentType=first.kind,
        mimeType=f"{first.kind}/mp4",
        segmentAlignment="true" if _are_aligned(tracks) else "false",
        startWithSAP=1,
    )
    if first.language != UNDETERMINED:
        element.set("lang", language_tag(first.language))
    role = "main" if number <= _FIRST_SOUND else "alternate"
    _child(element, "Role", schemeIdUri="urn:mpeg:dash:role:2011", value=role)
    for item in tracks:
        # A template each: the name of the init section differs from track to track.
        _representation(element, item.track, item.bandwidth).append(
            _template(item.track, item.segments, begin, folder)
        )


def _representation(parent: etree._Element, track: Track, bandwidth: int) -> etree._Element:
    element = _child(
        parent, "Representation", id=track.id, bandwidth=bandwidth, codecs=track.codecs
    )
    if track.kind is TrackKind.VIDEO:
        element.set("width", str(track.width))
        element.set("height", str(track.height))
        aspect = track.sample_aspect or Fraction(1)
        element.set("sar", f"{aspect.numerator}:{aspect.denominator}")
        if track.frame_rate is not None:
            element.set("frameRate", str(track.frame_rate))
    else:
        element.set("audioSamplingRate", str(track.sample_rate))
        _child(
            element,
            "AudioChannelConfiguration",
            schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
            value=track.channels,
        )
    return element


def _template(track: Track, segments: Segments, begin: Fraction, folder: str) -> etree._Element:
    # The media's own times are kept: the offset is the period's start on the same count.
    template = etree.Element("SegmentTemplate")
    template.set("timescale", str(track.timescale))
    template.set("presentationTimeOffset", str(round_half_up(begin * track.timescale)))
    template.set("initialization", f"{folder}$RepresentationID$/init-{track.version}.mp4")
    template.set("media", f"{folder}$RepresentationID$/$Number$.m4s")
    template.set("startNumber", str(segments[0].number))
    etree.SubElement(template, "SegmentTimeline").text = TIMELINE
    return template
