"""AdaptationSet, Representation and SegmentTemplate elements (ISO/IEC 23009-1 section 5.3)."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from lxml import etree

from packager.manifest.dash.document import TIMELINE
from packager.manifest.dash.elements import child, decimal_text
from packager.manifest.dash.periods import (
    FIRST_AUDIO_SET,
    DashPeriod,
    PeriodTrack,
    Tracks,
    are_aligned,
)
from packager.timing.ticks import round_half_up
from packager.track import UNDETERMINED, Track, TrackKind, language_tag


@dataclass(frozen=True, slots=True)
class TemplateSettings:
    """The attributes that all SegmentTemplates of an MPD share."""

    folder: str
    """URL of the channel's folder, relative to the MPD; empty if the MPD lies in it."""
    availability_offset: Fraction | None
    """Seconds before its end at which a segment may be requested; None if it must be complete."""


def add_adaptation_set(
    parent: etree._Element,
    number: int,
    period: DashPeriod,
    tracks: Tracks,
    settings: TemplateSettings,
) -> None:
    """Append the adaptation set with id `number` to the Period element `parent`."""
    first = tracks[0].track
    element = child(
        parent,
        "AdaptationSet",
        id=number,
        contentType=first.kind,
        mimeType=f"{first.kind}/mp4",
        segmentAlignment="true" if are_aligned(tracks) else "false",
        startWithSAP=1,
    )
    if first.language != UNDETERMINED:
        element.set("lang", language_tag(first.language))
    if period.latency is not None:
        # Every chunk of audio can be decoded by itself; of video only a segment's first can.
        kind = 1 if first.kind is TrackKind.AUDIO else 0
        child(element, "Resync", type=kind, dT=ceil(period.latency.part * period.scale(first)))
    role = "main" if number <= FIRST_AUDIO_SET else "alternate"
    child(element, "Role", schemeIdUri="urn:mpeg:dash:role:2011", value=role)
    for item in tracks:
        # Each has its own template, since the names of init sections differ.
        representation = _representation(element, item.track, item.bandwidth)
        representation.append(_template(item, period, settings))


def _representation(parent: etree._Element, track: Track, bandwidth: int) -> etree._Element:
    element = child(parent, "Representation", id=track.id, bandwidth=bandwidth, codecs=track.codecs)
    if track.kind is TrackKind.VIDEO:
        element.set("width", str(track.width))
        element.set("height", str(track.height))
        aspect = track.sample_aspect or Fraction(1)
        element.set("sar", f"{aspect.numerator}:{aspect.denominator}")
        if track.frame_rate is not None:
            element.set("frameRate", str(track.frame_rate))
    else:
        element.set("audioSamplingRate", str(track.sample_rate))
        child(
            element,
            "AudioChannelConfiguration",
            schemeIdUri="urn:mpeg:dash:23003:3:audio_channel_configuration:2011",
            value=track.channels,
        )
    return element


def _template(item: PeriodTrack, period: DashPeriod, settings: TemplateSettings) -> etree._Element:
    """The SegmentTemplate of a track; the media keeps its own times."""
    scale, folder = period.scale(item.track), settings.folder
    first, last = item.numbers
    template = etree.Element("SegmentTemplate")
    template.set("timescale", str(scale))
    template.set("presentationTimeOffset", str(round_half_up(period.begin * scale)))
    template.set("initialization", f"{folder}$RepresentationID$/init-{item.track.version}.mp4")
    template.set("media", f"{folder}$RepresentationID$/$Number$.m4s")
    template.set("startNumber", str(first if period.cell is None else period.number))
    if settings.availability_offset is not None:
        # In all periods: Shaka applies the least of an MPD.
        template.set("availabilityTimeOffset", decimal_text(settings.availability_offset))
    if period.latency is not None:
        template.set("availabilityTimeComplete", "false")
    elif period.cell is not None:
        template.set("endNumber", str(last))
    if period.cell is not None:
        template.set("duration", str(round_half_up(period.cell * scale)))
    else:
        etree.SubElement(template, "SegmentTimeline").text = TIMELINE
    return template
