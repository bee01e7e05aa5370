"""Rules of ISO/IEC 23009-1 that a schema cannot express.

Each rule is a function from a document to the descriptions of its violations.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import combinations, pairwise

from lxml import etree

from tests.support.dash_segments import DASH, Element, length_of, templates_of

PATCH = "{urn:mpeg:dash:schema:mpd-patch:2020}"
_TICK = Fraction(1, 1000)
"""Seconds by which times in different timescales may differ."""
_FRAME = Fraction(1, 40)
"""Seconds: audio is cut only at the end of a frame."""

Rule = Callable[[Element], Iterator[str]]


def problems(root: Element) -> list[str]:
    """All violations of the rules in an MPD or a patch."""
    rules = PATCH_RULES if root.tag == f"{PATCH}Patch" else RULES
    return [problem for rule in rules for problem in rule(root)]


def _twice(values: Iterable[str | None]) -> list[str]:
    counted = Counter(value for value in values if value is not None)
    return [value for value, count in counted.items() if count > 1]


# 5.3.1: the presentation.


def live_has_its_times(root: Element) -> Iterator[str]:
    """5.3.1.2: a dynamic MPD has `availabilityStartTime` and `publishTime`."""
    if root.get("type") == "dynamic":
        for name in ("availabilityStartTime", "publishTime"):
            if root.get(name) is None:
                yield f"dynamic without {name}"


def only_live_is_updated(root: Element) -> Iterator[str]:
    """5.3.1.2: a static MPD has no `minimumUpdatePeriod`."""
    if root.get("type") != "dynamic" and root.get("minimumUpdatePeriod") is not None:
        yield "minimumUpdatePeriod of a static presentation"


def it_ends_or_is_updated(root: Element) -> Iterator[str]:
    """5.3.1.2: without updates, the MPD or its last period has a duration."""
    *_, last = root.iter(f"{DASH}Period")
    ends = (root.get("minimumUpdatePeriod"), root.get("mediaPresentationDuration"))
    if not any(ends) and last.get("duration") is None:
        yield "neither an update nor an end"


def patched_mpds_have_names(root: Element) -> Iterator[str]:
    """5.15: a patch names the MPD and the publication that it is for."""
    if root.find(f"{DASH}PatchLocation") is not None:
        for name in ("id", "publishTime"):
            if root.get(name) is None:
                yield f"PatchLocation without {name}"


def no_segment_exceeds_the_maximum(root: Element) -> Iterator[str]:
    """5.3.1.2: no listed segment is longer than `maxSegmentDuration`."""
    longest = length_of(root, "maxSegmentDuration")
    for template in templates_of(root):
        lengths = [segment.duration for segment in template.segments()]
        if longest is not None and max(lengths, default=longest) > longest + _TICK:
            yield f"{template.name}: a segment longer than maxSegmentDuration"


def latency_is_in_order(root: Element) -> Iterator[str]:
    """Annex K: the target latency and the normal speed are within their bounds."""
    for latency in root.iter(f"{DASH}Latency"):
        known = [int(v) for n in ("min", "target", "max") if (v := latency.get(n)) is not None]
        if known != sorted(known):
            yield "Latency: min, target and max are out of order"
    for rate in root.iter(f"{DASH}PlaybackRate"):
        if not float(rate.get("min", "1")) <= 1 <= float(rate.get("max", "1")):
            yield "PlaybackRate: 1 is out of bounds"


# 5.3.2: periods.


def names_are_unique(root: Element) -> Iterator[str]:
    """5.3.2.2, 5.3.3.2, 5.3.5.2: period ids are unique, and in one, set and representation ids."""
    periods = list(root.iter(f"{DASH}Period"))
    yield from (f"two periods {name}" for name in _twice(p.get("id") for p in periods))
    for period in periods:
        for tag in ("AdaptationSet", "Representation"):
            names = (element.get("id") for element in period.iter(f"{DASH}{tag}"))
            yield from (f"two of {tag} {name} in a period" for name in _twice(names))


def live_periods_have_names(root: Element) -> Iterator[str]:
    """5.3.2.2: a client matches the periods of an updated MPD by their ids."""
    if root.get("type") == "dynamic":
        for period in root.iter(f"{DASH}Period"):
            if period.get("id") is None:
                yield "a period of a dynamic presentation without an id"


def periods_are_in_order(root: Element) -> Iterator[str]:
    """5.3.2.1: each period starts after the previous one, at its end or later."""
    for before, after in pairwise(root.iter(f"{DASH}Period")):
        start, following = length_of(before, "start"), length_of(after, "start")
        if start is None or following is None:
            continue
        name = after.get("id")
        if following <= start:
            yield f"period {name} does not start after the one before"
        elif start + (length_of(before, "duration") or 0) > following + _TICK:
            yield f"period {name} starts before the end of the one before"


def it_ends_after_its_last_period_starts(root: Element) -> Iterator[str]:
    """5.3.1.2: `mediaPresentationDuration` is the length of the whole presentation."""
    *_, last = root.iter(f"{DASH}Period")
    end, start = length_of(root, "mediaPresentationDuration"), length_of(last, "start")
    if end is not None and start is not None and root.get("type") != "dynamic" and end <= start:
        yield "it is over before its last period starts"


# 5.3.3 and 5.3.5: sets and representations.


def everything_has_a_type(root: Element) -> Iterator[str]:
    """5.3.7.2: `mimeType` is mandatory, at a representation or its set."""
    for representation in root.iter(f"{DASH}Representation"):
        chain = (representation, representation.getparent())
        if not any(each is not None and each.get("mimeType") for each in chain):
            yield f"{representation.get('id')}: no mimeType"


def aligned_segments_start_together(root: Element) -> Iterator[str]:
    """5.3.3.2: of a set with `segmentAlignment`, segments of one number do not overlap others."""
    for group in root.iter(f"{DASH}AdaptationSet"):
        if group.get("segmentAlignment") != "true":
            continue
        for one, two in combinations(templates_of(group), 2):
            if one.duration != two.duration:
                yield f"{one.name}, {two.name}: aligned, but segments differ in length"
            starts = {segment.number: segment.start for segment in one.segments()}
            for other in two.segments():
                here = starts.get(other.number, other.start)
                if abs(here - other.start) > _FRAME:
                    yield f"{one.name}, {two.name}: segment {other.number} is not aligned"


# 5.3.9: segments.


def segments_are_counted_or_listed(root: Element) -> Iterator[str]:
    """5.3.9.2.2: a template has, or inherits, either `duration` or a timeline."""
    for template in templates_of(root):
        if (template.duration is None) == (template.timeline is None):
            yield f"{template.name}: one of duration and SegmentTimeline is wanted"


def segments_have_distinct_urls(root: Element) -> Iterator[str]:
    """5.3.9.4.4: each of several segments has a URL of its own."""
    for template in templates_of(root):
        media = template.attributes.get("media")
        if media is None or not re.search(r"\$(Number|Time)(%0\d+d)?\$", media):
            yield f"{template.name}: media without $Number$ or $Time$"


def timelines_go_forward(root: Element) -> Iterator[str]:
    """5.3.9.6.2: each S starts at the end of the previous one, or later."""
    for template in templates_of(root):
        for before, after in pairwise(template.entries()):
            time, duration, repeats = before
            if after[0] < time + duration * (max(repeats, 0) + 1):
                yield f"{template.name}: S at {after[0]} starts before the end of the one before"


def an_open_end_is_closed(root: Element) -> Iterator[str]:
    """5.3.9.6.2: an open repeat ends at the next `t`, or at the end of the period."""
    for template in templates_of(root):
        entries = [] if template.timeline is None else template.timeline.findall(f"{DASH}S")
        for entry, following in pairwise(entries):
            if int(entry.get("r", "0")) < 0 and following.get("t") is None:
                yield f"{template.name}: an S that repeats without end, and another after it"


def segments_lie_in_their_period(root: Element) -> Iterator[str]:
    """5.3.9.6, with `presentationTimeOffset` (5.3.9.2): each segment ends within its period.

    An audio frame may begin before its period, so that only its end counts.
    """
    for period in root.iter(f"{DASH}Period"):
        end = length_of(period, "duration")
        for template in templates_of(period):
            for segment in template.segments():
                name = f"{template.name}: segment {segment.number}"
                if segment.end <= 0:
                    yield f"{name} is over before its period starts"
                if end is not None and segment.start > end - _TICK:
                    yield f"{name} starts after its period is over"


def numbers_match(root: Element) -> Iterator[str]:
    """5.3.9.2.2: `endNumber` is that of the last segment, which is not before the first."""
    for template in templates_of(root):
        first, last = template.start_number, template.end_number
        if last is None:
            continue
        if last < first:
            yield f"{template.name}: endNumber {last} before startNumber {first}"
        elif template.timeline is not None and len(list(template.segments())) != last - first + 1:
            yield f"{template.name}: endNumber {last} is not that of the last segment"


def early_segments_have_begun(root: Element) -> Iterator[str]:
    """5.3.9.5.3: an incomplete segment is offered before its end, but not before its start."""
    for template in templates_of(root):
        offset = template.attributes.get("availabilityTimeOffset")
        if template.attributes.get("availabilityTimeComplete") != "false":
            continue
        if offset is None:
            yield f"{template.name}: availabilityTimeComplete without availabilityTimeOffset"
        elif template.duration is not None and float(offset) >= template.duration:
            yield f"{template.name}: availabilityTimeOffset of a whole segment"


RULES: tuple[Rule, ...] = (
    live_has_its_times,
    only_live_is_updated,
    it_ends_or_is_updated,
    patched_mpds_have_names,
    no_segment_exceeds_the_maximum,
    latency_is_in_order,
    names_are_unique,
    live_periods_have_names,
    periods_are_in_order,
    it_ends_after_its_last_period_starts,
    everything_has_a_type,
    aligned_segments_start_together,
    segments_are_counted_or_listed,
    segments_have_distinct_urls,
    timelines_go_forward,
    an_open_end_is_closed,
    segments_lie_in_their_period,
    numbers_match,
    early_segments_have_begun,
)


# 5.15: patches.

_STEP = r"/[A-Za-z]+(\[(@[A-Za-z]+='[^']*'|[1-9]\d*)\])*"
_SELECTOR = re.compile(rf"/MPD({_STEP})*(/@[A-Za-z]+)?")


def a_patch_is_of_an_earlier_mpd(root: Element) -> Iterator[str]:
    """5.15: the resulting MPD was published later, or at the same time."""
    if root.get("originalPublishTime", "") > root.get("publishTime", ""):
        yield "originalPublishTime after publishTime"


def selectors_are_simple(root: Element) -> Iterator[str]:
    """5.15: a selector has names, ids and positions, starting at the root."""
    for operation in root:
        if not _SELECTOR.fullmatch(operation.get("sel", "")):
            yield f"not a selector: {operation.get('sel')}"


def changes_have_content(root: Element) -> Iterator[str]:
    """RFC 5261: a change has content: an element, text for an attribute, or nodes to add."""
    for operation in root:
        name, content = etree.QName(operation).localname, len(operation)
        of_attribute = "/@" in operation.get("sel", "")
        if name == "replace" and content != (0 if of_attribute else 1):
            yield f"replace of {operation.get('sel')} with {content} elements"
        if name == "add" and not content and not (operation.text or "").strip():
            yield f"add to {operation.get('sel')} of nothing"


PATCH_RULES: tuple[Rule, ...] = (
    a_patch_is_of_an_earlier_mpd,
    selectors_are_simple,
    changes_have_content,
)
