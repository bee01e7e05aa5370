"""MPD patches (ISO/IEC 23009-1 section 5.15): the changes from one MPD to a later one."""

from collections.abc import Iterator
from itertools import chain

from lxml import etree

from packager.layout import PatchName
from packager.manifest.dash.document import Document, SegmentList
from packager.manifest.incremental import CompressedBlock, ListCaches, ManifestText
from packager.timing.ticks import UtcMicros, iso8601

_NAMESPACE = "urn:mpeg:dash:schema:mpd-patch:2020"
_NEVER = iso8601(UtcMicros(0))
"""A publish time that no MPD has."""


def render(
    before: Document | None, after: Document, asked: PatchName, cache: ListCaches
) -> ManifestText:
    """The patch from the MPD `before`, which the player names `asked`, to the MPD `after`.

    The patch does not apply if `before` is not the player's MPD, or more than segments differ.
    A player that receives such a patch loads the MPD at once; an error makes it retry the patch.
    """
    root = etree.Element("Patch", xmlns=_NAMESPACE, mpdId=after.window.channel)
    now = iso8601(after.window.published)
    if before is None or before.name(cache) != asked or _frame(before) != _frame(after):
        root.set("originalPublishTime", _NEVER)
        root.set("publishTime", now)
    else:
        root.set("originalPublishTime", iso8601(before.window.published))
        root.set("publishTime", now)
        _operation(root, "replace", "/MPD/@publishTime").text = now
        patch = _operation(root, "replace", "/MPD/PatchLocation[1]")
        etree.SubElement(patch, "PatchLocation").text = str(after.name(cache))
        for old, new in zip(before.lists, after.lists, strict=True):
            _grow(root, old, new)
    return ManifestText(
        [CompressedBlock(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))]
    )


def _frame(document: Document) -> bytes:
    """The part of a document that must be equal."""
    publish_time = f'publishTime="{iso8601(document.window.published)}"'
    return document.frame.replace(publish_time.encode(), b"", 1)


def _operation(root: etree._Element, action: str, path: str) -> etree._Element:
    return etree.SubElement(root, action, sel=path)


def _grow(root: etree._Element, old: SegmentList, new: SegmentList) -> None:
    """Add the operations that turn `old` into `new`."""
    if len(old.segments) == len(new.segments):
        return
    last = old.segments.last_run
    was, now = list(old.entries(last, last)), list(new.entries(last, last))
    if was != now:
        # The whole element: players take a single attribute for text.
        place = f"{new.path}/S[{old.segments.run_count}]"
        _append(_operation(root, "replace", place), now)
    more = new.entries(last + 1, new.segments[-1].number)
    if first := next(more, ""):
        _append(_operation(root, "add", new.path), chain([first], more))


def _append(parent: etree._Element, entries: Iterator[str] | list[str]) -> None:
    for entry in entries:
        parent.append(etree.fromstring(entry))
