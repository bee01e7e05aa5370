"""MPD patches (ISO/IEC 23009-1 section 5.15 and annex): what an MPD has more than one before it."""

from collections.abc import Iterator
from itertools import chain

from lxml import etree

from packager.layout import PatchName
from packager.manifest.dash.document import Document, SegmentList
from packager.manifest.text import Piece, Tapes, Text
from packager.ticks import UtcMicros, iso8601

_NAMESPACE = "urn:mpeg:dash:schema:mpd-patch:2020"
_NOBODY = iso8601(UtcMicros(0))
"""The publish time of an MPD that nobody has."""


def render(before: Document | None, after: Document, asked: PatchName, tapes: Tapes) -> Text:
    """The patch from the MPD `before`, which whoever asks has as `asked`, to the one `after`.

    One that does not apply where `before` is not what was asked from, or more than segments are
    new: from a patch that is not for the MPD that they have, players turn to the MPD itself at
    once, while they try again what is refused.
    """
    root = etree.Element("Patch", xmlns=_NAMESPACE, mpdId=after.window.channel)
    now = iso8601(after.window.published)
    if before is None or before.name(tapes) != asked or _frame(before) != _frame(after):
        root.set("originalPublishTime", _NOBODY)
        root.set("publishTime", now)
    else:
        root.set("originalPublishTime", iso8601(before.window.published))
        root.set("publishTime", now)
        _operation(root, "replace", "/MPD/@publishTime").text = now
        patch = _operation(root, "replace", "/MPD/PatchLocation[1]")
        etree.SubElement(patch, "PatchLocation").text = str(after.name(tapes))
        for old, new in zip(before.lists, after.lists, strict=True):
            _grow(root, old, new)
    return Text([Piece(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))])


def _frame(document: Document) -> bytes:
    """That part of it which must be the same."""
    said = f'publishTime="{iso8601(document.window.published)}"'
    return document.frame.replace(said.encode(), b"", 1)


def _operation(root: etree._Element, action: str, path: str) -> etree._Element:
    return etree.SubElement(root, action, sel=path)


def _grow(root: etree._Element, old: SegmentList, new: SegmentList) -> None:
    """Say how `new` goes on from `old`."""
    if len(old.segments) == len(new.segments):
        return
    last = old.segments.last_run
    was, now = list(old.entries(last, last)), list(new.entries(last, last))
    if was != now:
        # As a whole: players take an attribute that is set alone for text.
        place = f"{new.path}/S[{old.segments.run_count}]"
        _append(_operation(root, "replace", place), now)
    more = new.entries(last + 1, new.segments[-1].number)
    if first := next(more, ""):
        _append(_operation(root, "add", new.path), chain([first], more))


def _append(parent: etree._Element, entries: Iterator[str] | list[str]) -> None:
    for entry in entries:
        parent.append(etree.fromstring(entry))
