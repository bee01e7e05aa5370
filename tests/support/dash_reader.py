"""The segments of an MPD, read from its text alone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

from packager.manifest.dash import mpd
from packager.manifest.window import Window

TICK = Fraction(1, 40_000)
"""An upper bound of the difference of one offset in two timescales, in seconds."""


DASH = "{urn:mpeg:dash:schema:mpd:2011}"


@dataclass(frozen=True)
class Listed:
    """One segment of an MPD."""

    track: str
    number: int
    time: Fraction
    """Seconds since the epoch."""
    duration: Fraction
    init: str
    period: str
    start: Fraction


def document(window: Window) -> etree._Element:
    return etree.fromstring(mpd.render(window, mpd.UrlTemplates("time")).plain())


def seconds(text: str | None) -> Fraction:
    match = re.fullmatch(r"PT([0-9]+(?:\.[0-9]+)?)S", text or "")
    assert match is not None, text
    return Fraction(match[1])


def listed(root: etree._Element) -> Iterator[Listed]:
    for period in root.iter(f"{DASH}Period"):
        for representation in period.iter(f"{DASH}Representation"):
            (template,) = representation.iter(f"{DASH}SegmentTemplate")
            scale = int(template.get("timescale", ""))
            number, time = int(template.get("startNumber", "")), -1
            name = representation.get("id", "")
            init = template.get("initialization", "").replace("$RepresentationID$", name)
            for entry in template.iter(f"{DASH}S"):
                time = int(entry.get("t", time))
                for _ in range(1 + int(entry.get("r", 0))):
                    duration = int(entry.get("d", ""))
                    yield Listed(
                        name,
                        number,
                        Fraction(time, scale),
                        Fraction(duration, scale),
                        init,
                        period.get("id", ""),
                        seconds(period.get("start")),
                    )
                    number, time = number + 1, time + duration


def offset_of(template: etree._Element) -> Fraction:
    ticks = int(template.get("presentationTimeOffset", ""))
    return Fraction(ticks, int(template.get("timescale", "")))
