"""The MPD (ISO/IEC 23009-1 section 5.3), live profile, with a `SegmentTimeline` per track.

With low latency the newest period counts its segments (`@duration`, section 5.3.9.5.3). Players
know without a new MPD when the next segment starts to grow. Such a period starts at the arrival of
its first picture, and not at the grid boundary that its media time is counted from. So the
presentation time is that of the wall clock, whatever the lag of a period's media.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from lxml import etree

from packager.manifest.dash.adaptation_set import TemplateSettings, add_adaptation_set
from packager.manifest.dash.document import PATCH, Document, SegmentList
from packager.manifest.dash.elements import child, duration_text
from packager.manifest.dash.latency_target import LatencyTarget
from packager.manifest.dash.periods import DashPeriod, adaptation_sets, periods_of
from packager.manifest.incremental import ListCaches, ManifestText
from packager.manifest.window import Window
from packager.timing.ticks import MICROS, iso8601, round_half_up

_NAMESPACE = "urn:mpeg:dash:schema:mpd:2011"
_PROFILES = "urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019"
_DELAY_SEGMENTS = 4
"""Segments that a player stays behind the wall clock: three of buffer, and one for the lag of
media, which is less than a segment."""
_RATES = ("0.96", "1.04")
"""Minimum and maximum playback rate to reach the target latency; the change is inaudible."""


@dataclass(frozen=True, slots=True)
class UrlTemplates:
    """URLs, relative to the MPD."""

    clock: str
    """Serves the time."""
    location: str = ""
    """The URL for updates of the MPD; empty for the URL of the MPD itself."""
    folder: str = ""
    """The channel's folder, for media; empty if the MPD lies in it. It is not a BaseURL, since
    dash.js would resolve the clock's URL against that too."""


def render(
    window: Window,
    places: UrlTemplates,
    cache: ListCaches | None = None,
    *,
    began_live: bool = False,
) -> ManifestText:
    """The text of an MPD.

    `began_live`: the player started before the end of the presentation, and its time continues to
    count from the Unix epoch. For other players an ended presentation starts at 0.
    """
    return document(window, places, began_live=began_live).text(cache or ListCaches())


def document(window: Window, places: UrlTemplates, *, began_live: bool = False) -> Document:
    """The MPD in parts; see `render`."""
    from_zero = window.ended and not began_live
    periods = list(periods_of(window, from_zero=from_zero))
    latency = _latency_target(window, periods[-1])
    periods[-1] = replace(periods[-1], latency=latency)
    origin = periods[0].start if from_zero else Fraction(0)
    root = etree.Element("MPD", xmlns=_NAMESPACE)
    root.set("profiles", _PROFILES)
    end = Fraction(window.end, MICROS) + periods[-1].offset
    if window.ended:
        root.set("type", "static")
        root.set("mediaPresentationDuration", duration_text(end - origin))
    else:
        _set_dynamic(root, window, latency)
    buffer = window.grid.duration if latency is None else latency.part
    root.set("minBufferTime", duration_text(buffer))
    root.set("maxSegmentDuration", duration_text(_longest(window)))
    if not window.ended:
        _add_locations(root, window, places)
    if latency is not None:
        _add_service_description(root, latency)
    settings = TemplateSettings(places.folder, None if latency is None else latency.offset)
    if window.ended and began_live:
        _add_periods_in_a_row(root, periods, settings)
    else:
        _add_periods(root, periods, origin, settings)
    if not window.ended:
        # Without UTCTiming, players use the viewer's clock, which is often wrong.
        child(root, "UTCTiming", schemeIdUri="urn:mpeg:dash:utc:http-iso:2014", value=places.clock)
    frame = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return Document(window, frame, tuple(_lists(periods)))


def _latency_target(window: Window, last: DashPeriod) -> LatencyTarget | None:
    """The latency target of a live window; None if it has none.

    A window with a fixed start has none: its viewers are not at the live edge.
    """
    part, segment = last.period.part, window.grid.duration
    if not window.is_low_latency or window.ended or window.depth is None:
        return None
    if not part or last.period.index != window.current:
        return None
    target = LatencyTarget(segment, Fraction(part, MICROS))
    is_counted = last.cell is not None and last.is_even(segment)
    return target if target.offset > 0 and is_counted else None


def _set_dynamic(root: etree._Element, window: Window, latency: LatencyTarget | None) -> None:
    """Set the attributes of a live presentation."""
    segment = window.grid.duration
    root.set("type", "dynamic")
    root.set("availabilityStartTime", "1970-01-01T00:00:00Z")
    root.set("publishTime", iso8601(window.published))
    root.set("minimumUpdatePeriod", duration_text(segment))
    if window.depth is not None:
        root.set("timeShiftBufferDepth", duration_text(window.depth * segment))
    delay = _DELAY_SEGMENTS * segment if latency is None else latency.minimum
    root.set("suggestedPresentationDelay", duration_text(delay))


def _add_locations(root: etree._Element, window: Window, places: UrlTemplates) -> None:
    """Add the URLs for updates."""
    if places.location:
        child(root, "Location").text = places.location
    if window.stays:
        # A window whose first segment moves has no patches: players load the whole MPD.
        root.set("id", window.channel)
        child(root, "PatchLocation").text = PATCH


def _add_service_description(root: etree._Element, latency: LatencyTarget) -> None:
    """Add the latency and playback rates for players.

    There is no ProducerReferenceTime. The presentation time is that of the wall clock, and Shaka
    interprets a ProducerReferenceTime as if a period's media started with the period.
    """
    service = child(root, "ServiceDescription", id=0)
    limits = (("target", latency.target), ("max", latency.maximum), ("min", latency.minimum))
    millis = {name: round_half_up(value * 1000) for name, value in limits}
    child(service, "Latency", **millis)
    child(service, "PlaybackRate", min=_RATES[0], max=_RATES[1])


def _add_periods(
    root: etree._Element,
    periods: Sequence[DashPeriod],
    origin: Fraction,
    settings: TemplateSettings,
) -> None:
    """Add periods whose starts count from `origin`."""
    for period, following in zip(periods, [*periods[1:], None], strict=True):
        element = child(root, "Period", id=period.name, start=duration_text(period.start - origin))
        if following is not None:
            # Without a duration it lasts until the next one: dash.js that joins in a hole stalls.
            end = min(period.end, following.start)
            element.set("duration", duration_text(end - period.start))
        _add_media(element, period, settings)


def _add_periods_in_a_row(
    root: etree._Element,
    periods: Sequence[DashPeriod],
    settings: TemplateSettings,
) -> None:
    """Add periods of an ended presentation that players have begun while it was live.

    Only the first has a start (5.3.2.1). Shaka adds the beginning of its seek range, seconds since
    1970, to each difference between two starts.
    """
    for period, following in zip(periods, [*periods[1:], None], strict=True):
        element = child(root, "Period", id=period.name)
        if period is periods[0]:
            element.set("start", duration_text(period.start))
        if following is not None:
            element.set("duration", duration_text(following.start - period.start))
        _add_media(element, period, settings)


def _add_media(element: etree._Element, period: DashPeriod, settings: TemplateSettings) -> None:
    for number, tracks in adaptation_sets(period):
        add_adaptation_set(element, number, period, tracks, settings)


def _lists(periods: Sequence[DashPeriod]) -> Iterator[SegmentList]:
    """The lists of segments, in the order of the document."""
    for period in periods:
        if period.cell is None:
            for number, tracks in adaptation_sets(period):
                for item in tracks:
                    yield SegmentList(period.name, number, item.track.id, item.segments)


def _longest(window: Window) -> Fraction:
    return Fraction(max(track.longest for track in window.tracks), MICROS)
