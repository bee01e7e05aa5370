from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from packager.layout import parse_patch_name
from packager.manifest.dash import mpd, patch
from packager.manifest.incremental import ListCaches
from packager.manifest.window import Window, stretch
from packager.timeline.records import Record
from tests.support.dash_schema import check_dash
from tests.support.strategies import journals
from tests.support.windows import timelines

PLACES = mpd.UrlTemplates("time", "live.mpd")


def parsed(text: bytes) -> etree._Element:
    """Without namespaces: selectors have none."""
    root = etree.fromstring(text)
    for element in root.iter():
        element.tag = etree.QName(element).localname
    etree.cleanup_namespaces(root)
    return root


def applied(base: etree._Element, changes: etree._Element) -> None:
    """The subset of RFC 5261 that is used."""
    for change in changes:
        path = change.get("sel", "")
        if (attribute := path.rpartition("/@"))[1]:
            (target,) = base.xpath(attribute[0])
            assert target.get(attribute[2]) is not None
            target.set(attribute[2], change.text)
            continue
        (target,) = base.xpath(path)
        if change.tag == "replace":
            (new,) = change
            target.getparent().replace(target, new)
        else:
            assert change.tag == "add"
            assert len(change)
            target.extend(list(change))


def canonical(root: etree._Element) -> bytes:
    return etree.tostring(root, method="c14n")


def start_over(records: list[Record]) -> Iterator[Window]:
    first = None
    for timeline in timelines(records):
        if timeline.edge < 0:
            continue
        first = timeline.edge if first is None else first
        if timeline.trimmed <= first:
            window = stretch(timeline, first, timeline.edge, ended=False, stays=True)
            if window is not None:
                yield window


@given(journals(), st.integers(1, 9))
def test_the_mpd_before_and_its_patch_are_the_mpd_after(records: list[Record], block: int) -> None:
    tapes = ListCaches(block)
    for before, after in pairwise(start_over(records)):
        had = parsed(mpd.render(before, PLACES, tapes).plain())
        asked = parse_patch_name(had.findtext("PatchLocation") or "")
        assert asked is not None
        assert asked.number == before.last
        documents = [mpd.document(window, PLACES) for window in (before, after)]
        found = patch.render(*documents, asked, tapes)
        check_dash(etree.fromstring(found.plain()))
        changes = parsed(found.plain())
        assert changes.get("mpdId") == had.get("id")
        if changes.get("originalPublishTime") != had.get("publishTime") or not len(changes):
            # It does not apply to this one: more than new segments has changed.
            assert before.last == after.last or structure(before) != structure(after)
            continue
        assert (changes.get("publishTime") or "") >= (had.get("publishTime") or "")
        applied(had, changes)
        assert canonical(had) == canonical(parsed(mpd.render(after, PLACES, tapes).plain()))


def structure(window: Window) -> list[object]:
    """The part that patches do not change."""
    values = [(t.latest, t.bandwidth, t.longest) for t in window.tracks]
    lists = mpd.document(window, PLACES).lists
    return [*values, *(listed.path for listed in lists), window.periods]


@given(journals(calm=True))
def test_a_patch_is_for_no_other_mpd(records: list[Record]) -> None:
    windows = list(start_over(records))
    for before, after in pairwise(windows):
        documents = [mpd.document(window, PLACES) for window in (before, after)]
        asked = documents[0].name(ListCaches())
        other = replace(asked, digest=f"{int(asked.digest, 16) ^ 1:016x}")
        for name in (other, replace(asked, number=asked.number + 1)):
            changes = parsed(patch.render(*documents, name, ListCaches()).plain())
            assert len(changes) == 0
            assert changes.get("originalPublishTime") == "1970-01-01T00:00:00.000Z"
