"""The segments that an MPD lists, for the checks of its rules."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from lxml import etree

Element = etree._Element
DASH = "{urn:mpeg:dash:schema:mpd:2011}"
_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = (31_557_600, 2_629_800, 86_400, 3600, 60, 1)


def seconds(duration: str) -> Fraction:
    """Seconds of an xs:duration; years and months have their usual length."""
    match = _DURATION.fullmatch(duration)
    assert match, duration
    parts = zip(match.groups(), _SECONDS, strict=True)
    return sum((Fraction(number or 0) * each for number, each in parts), Fraction(0))


def length_of(element: Element, name: str) -> Fraction | None:
    value = element.get(name)
    return None if value is None else seconds(value)


@dataclass(frozen=True)
class Segment:
    """A segment of a template. Times in seconds from the start of its period."""

    number: int
    start: Fraction
    duration: Fraction

    @property
    def end(self) -> Fraction:
        return self.start + self.duration


@dataclass(frozen=True)
class Template:
    """The segment information of a representation, with what it inherits (5.3.9.1)."""

    name: str
    """The name of the representation in messages."""
    attributes: dict[str, str]
    timeline: Element | None

    @property
    def timescale(self) -> int:
        return int(self.attributes.get("timescale", "1"))

    @property
    def start_number(self) -> int:
        return int(self.attributes.get("startNumber", "1"))

    @property
    def end_number(self) -> int | None:
        value = self.attributes.get("endNumber")
        return None if value is None else int(value)

    @property
    def duration(self) -> Fraction | None:
        """Seconds of a segment if all have the same length."""
        value = self.attributes.get("duration")
        return None if value is None else Fraction(int(value), self.timescale)

    def entries(self) -> Iterator[tuple[int, int, int]]:
        """Start and duration in ticks, and repeats, of each S."""
        time = 0
        for entry in self.timeline if self.timeline is not None else ():
            if entry.tag == f"{DASH}S":
                time = int(entry.get("t", time))
                duration, repeats = int(entry.get("d", "0")), int(entry.get("r", "0"))
                yield time, duration, repeats
                time += duration * (max(repeats, 0) + 1)

    def segments(self) -> Iterator[Segment]:
        """The segments of a timeline; an open repeat counts once."""
        offset, number = int(self.attributes.get("presentationTimeOffset", "0")), self.start_number
        for time, duration, repeats in self.entries():
            for turn in range(max(repeats, 0) + 1):
                start = Fraction(time + turn * duration - offset, self.timescale)
                yield Segment(number, start, Fraction(duration, self.timescale))
                number += 1


def templates_of(parent: Element) -> Iterator[Template]:
    """The templates of all representations in a period, a set or an MPD."""
    for representation in parent.iter(f"{DASH}Representation"):
        chain = [representation, *representation.iterancestors()]
        found = [t for each in chain if (t := each.find(f"{DASH}SegmentTemplate")) is not None]
        if found:
            attributes = {
                str(name): str(value)
                for template in reversed(found)
                for name, value in template.attrib.items()
            }
            timelines = (template.find(f"{DASH}SegmentTimeline") for template in found)
            timeline = next((each for each in timelines if each is not None), None)
            yield Template(representation.get("id", ""), attributes, timeline)
