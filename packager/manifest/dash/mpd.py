"""The MPD (ISO/IEC 23009-1 section 5.3), live profile, one `SegmentTimeline` a track.

But where latency is low, the period that goes on counts (`@duration`, section 5.3.9.5.3): players
know without a new MPD when there is something of the next segment. There a period starts when its
first picture came in, and not at the boundary of the grid that its media time is counted from: so
the time of the presentation is the wall clock's, whatever the media of a period trails it by.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from lxml import etree

from packager.manifest.dash.document import PATCH, TIMELINE, Document, SegmentList
from packager.manifest.dash.pace import Pace, trail_of
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


_NEAR = Fraction(1, 40)
"""Seconds that segments may differ from the grid's in length: half a frame of sound, amply."""
_RATES = ("0.96", "1.04")
"""How slowly and how fast a player may play to be where it shall be: nobody hears it."""

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

    @property
    def newest(self) -> Fraction:
        """Seconds since the Unix epoch: where the last begins."""
        return Fraction(self.segments[-1].start, self.track.timescale)

    @property
    def length(self) -> Fraction:
        """Seconds of the last."""
        return Fraction(self.segments[-1].duration, self.track.timescale)


_Tracks = Sequence[_TrackPart]


@dataclass(frozen=True, slots=True)
class _Part:
    """Consecutive segments of one period: what `$Number$` can count without a break."""

    period: Period
    name: str
    number: int
    """Of its first segment, also once that has left the window."""
    begin: Fraction
    """Where that begins: media time in seconds since the Unix epoch."""
    trail: Fraction
    """Seconds from there to its place in the presentation."""
    tracks: _Tracks
    cell: Fraction | None = None
    """Seconds of a segment, where they are counted; None where each is listed."""
    pace: Pace | None = None
    """Where its newest segment may be had while it grows."""

    @property
    def start(self) -> Fraction:
        """Seconds since the Unix epoch, in the presentation."""
        return self.begin + self.trail

    @property
    def end(self) -> Fraction:
        """Where its last segment ends, likewise."""
        ends = (Fraction(t.segments[-1].end, t.track.timescale) for t in self.tracks)
        return max(ends) + self.trail

    def can_count(self, cell: Fraction, first: int) -> bool:
        """Whether `$Number$` and the length of a segment tell where each of its segments is.

        Those of a source whose clock is made up for are a little longer or shorter: the standard
        lets them be off by half a segment (section 7.2.1).

        Args:
            cell: seconds of a segment.
            first: the oldest that is listed.
        """
        newest = max(track.numbers[1] for track in self.tracks)
        return all(
            track.is_whole
            and track.numbers == (max(self.number, first), newest)
            and abs(track.newest - self.begin - (newest - self.number) * cell) <= cell / 2
            for track in self.tracks
        )

    def goes_evenly(self, cell: Fraction) -> bool:
        """Whether its last segments are as long as a cell of the grid."""
        return all(abs(track.length - cell) <= _NEAR for track in self.tracks)

    def scale(self, track: Track) -> int:
        """Ticks a second: the track's, or where segments are counted, one that has them whole."""
        return track.timescale * ((self.cell or 1) * Fraction(track.timescale)).denominator


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


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is the same for all of an MPD."""

    origin: Fraction
    """What Period@start counts from: seconds since the Unix epoch."""
    places: Places
    offset: Fraction | None
    """Seconds before their end that segments may be asked for; None where they are whole then."""


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
    parts = list(_parts(window, anew=anew))
    pace = _pace(window, parts[-1])
    parts[-1] = replace(parts[-1], pace=pace)
    # What Period@start counts from: the Unix epoch, or the start of what has an end.
    origin = Fraction(0)
    if window.ended:
        origin = parts[0].start if anew else Fraction(0)
        end = Fraction(window.end, MICROS) + parts[-1].trail
        root.set("mediaPresentationDuration", _duration(end - origin))
    else:
        root.set("availabilityStartTime", "1970-01-01T00:00:00Z")
        root.set("publishTime", iso8601(window.published))
        root.set("minimumUpdatePeriod", duration)
        if window.depth is not None:
            root.set("timeShiftBufferDepth", _duration(window.depth * window.grid.duration))
        delay = _DELAY_SEGMENTS * window.grid.duration if pace is None else pace.least
        root.set("suggestedPresentationDelay", _duration(delay))
    root.set("minBufferTime", duration if pace is None else _duration(pace.part))
    root.set("maxSegmentDuration", _duration(_longest(window)))
    if places.again and not window.ended:
        _child(root, "Location").text = places.again
    if window.stays and not window.ended:
        # Where its first segment leaves a window, its reader has the whole anew.
        root.set("id", window.channel)
        _child(root, "PatchLocation").text = PATCH
    if pace is not None:
        _service(root, pace)
    setting = _Setting(origin, places, None if pace is None else pace.offset)
    for part, following in zip(parts, [*parts[1:], None], strict=True):
        _period(root, part, following, setting)
    if not window.ended:
        # Players that meet no UTCTiming trust the viewer's clock, which is often wrong.
        _child(root, "UTCTiming", schemeIdUri="urn:mpeg:dash:utc:http-iso:2014", value=places.clock)
    frame = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Document(window, frame, tuple(_lists(parts)))


def _pace(window: Window, last: _Part) -> Pace | None:
    """What a live window of low latency tells players; None where it is none.

    Who watches from a start on has time, and nobody shall hurry or jump there.
    """
    part, segment = last.period.part, window.grid.duration
    if not window.is_low or window.ended or window.depth is None:
        return None
    if not part or last.period.index != window.current:
        return None
    pace = Pace(segment, Fraction(part, MICROS))
    is_counted = last.cell is not None and last.goes_evenly(segment)
    return pace if pace.offset > 0 and is_counted else None


def _service(root: etree._Element, pace: Pace) -> None:
    service = _child(root, "ServiceDescription", id=0)
    millis = {
        name: round_half_up(value * 1000)
        for name, value in (("target", pace.target), ("max", pace.most), ("min", pace.least))
    }
    # Without a ProducerReferenceTime: time is the wall clock's, and Shaka reads one as if a
    # period's media began where the period does.
    _child(service, "Latency", **millis)
    _child(service, "PlaybackRate", min=_RATES[0], max=_RATES[1])


def _lists(parts: Iterable[_Part]) -> Iterator[SegmentList]:
    """In the order of the document."""
    for part in parts:
        if part.cell is None:
            for number, tracks in _choices(part):
                for item in tracks:
                    yield SegmentList(part.name, number, item.track.id, item.segments)


def _duration(value: Fraction) -> str:
    return f"PT{_decimal(value)}S"


def _decimal(value: Fraction) -> str:
    return seconds(value, 6).rstrip("0").rstrip(".")


def _longest(window: Window) -> Fraction:
    return Fraction(max(track.longest for track in window.tracks), MICROS)


def _child(parent: etree._Element, tag: str, **attributes: str | int) -> etree._Element:
    return etree.SubElement(parent, tag, {k: str(v) for k, v in attributes.items()})


def _parts(window: Window, *, anew: bool) -> Iterator[_Part]:
    """They all; `anew`: on no clock, from where the window begins."""
    cell = window.grid.duration
    for period in window.periods.values():
        is_low = window.is_low and period.part > 0 and window.depth is not None
        trail = trail_of(period, window.grid) if is_low and not anew else Fraction(0)
        tracks = [
            _TrackPart(
                (described := period.tracks[track.latest.id]),
                track.segments.of_period(period.index),
                max(described.bitrate, track.bandwidth),
            )
            for track in window.of_period(period.index)
        ]
        for name, stretch, stop in _stretches(period, window):
            inside = [
                replace(track, segments=track.segments.between(stretch.number, stop - 1))
                for track in tracks
            ]
            present = tuple(track for track in inside if track.segments)
            if present:
                begin = stretch.begin
                if anew and stretch.number < window.first:
                    begin = _first_start(present)
                elif stretch.number < window.since:
                    # dash.js takes a period's start for the first instant that can be seen, and
                    # stops where it becomes another: also once that has left the retention.
                    begin = window.since * cell
                part = _Part(period, name, stretch.number, begin, trail, present)
                # Also of what is over: where segments are listed, Shaka takes the last for the
                # live edge, whatever comes after.
                if is_low and not window.ended and part.can_count(cell, window.first):
                    part = replace(part, cell=cell)
                yield part


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


def _period(root: etree._Element, part: _Part, following: _Part | None, setting: _Setting) -> None:
    start = _duration(part.start - setting.origin)
    element = _child(root, "Period", id=part.name, start=start)
    if following is not None:
        # Or else it lasts until the next: dash.js waits for ever in a hole that it joins in.
        element.set("duration", _duration(min(part.end, following.start) - part.start))
    for number, tracks in _choices(part):
        _adaptation_set(element, number, part, tracks, setting)


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
    period: etree._Element, number: int, part: _Part, tracks: _Tracks, setting: _Setting
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
    if part.pace is not None:
        # Only in sound does each chunk begin with what can be decoded by itself.
        kind = 1 if first.kind is TrackKind.AUDIO else 0
        _child(element, "Resync", type=kind, dT=ceil(part.pace.part * part.scale(first)))
    role = "main" if number <= _FIRST_SOUND else "alternate"
    _child(element, "Role", schemeIdUri="urn:mpeg:dash:role:2011", value=role)
    for item in tracks:
        # A template each: the name of the init section differs from track to track.
        _representation(element, item.track, item.bandwidth).append(_template(item, part, setting))


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


def _template(item: _TrackPart, part: _Part, setting: _Setting) -> etree._Element:
    # The media's own times are kept: the offset is the period's start on the same count.
    track, scale, folder = item.track, part.scale(item.track), setting.places.folder
    first, last = item.numbers
    template = etree.Element("SegmentTemplate")
    template.set("timescale", str(scale))
    template.set("presentationTimeOffset", str(round_half_up(part.begin * scale)))
    template.set("initialization", f"{folder}$RepresentationID$/init-{track.version}.mp4")
    template.set("media", f"{folder}$RepresentationID$/$Number$.m4s")
    template.set("startNumber", str(first if part.cell is None else part.number))
    if setting.offset is not None:
        # In all periods: Shaka goes by the least of an MPD.
        template.set("availabilityTimeOffset", _decimal(setting.offset))
    if part.pace is not None:
        template.set("availabilityTimeComplete", "false")
    elif part.cell is not None:
        template.set("endNumber", str(last))
    if part.cell is not None:
        template.set("duration", str(round_half_up(part.cell * scale)))
    else:
        etree.SubElement(template, "SegmentTimeline").text = TIMELINE
    return template
