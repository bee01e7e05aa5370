import gzip
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from packager.manifest.dash import mpd
from packager.manifest.hls import media
from packager.manifest.incremental import CompressedBlock, ListCaches, ManifestText
from packager.manifest.smooth import client_manifest
from packager.manifest.window import Window, rolling, stretch
from packager.timeline.records import Record
from tests.support.strategies import journals
from tests.support.windows import timelines

pieces = st.lists(st.binary(max_size=300), max_size=6)


@given(pieces)
def test_both_forms_are_the_same_text(parts: list[bytes]) -> None:
    text = ManifestText(map(CompressedBlock, parts))
    assert text.plain() == b"".join(parts)
    assert gzip.decompress(text.gzipped()) == text.plain()


@given(pieces, pieces)
def test_different_texts_have_different_digests(one: list[bytes], two: list[bytes]) -> None:
    first, second = ManifestText(map(CompressedBlock, one)), ManifestText(map(CompressedBlock, two))
    assert (first.digest == second.digest) == (list(filter(None, one)) == list(filter(None, two)))


def manifests(window: Window, tapes: ListCaches) -> Iterator[ManifestText]:
    for track in window.tracks:
        yield media.render(window, track, "", tapes)
    yield mpd.render(window, mpd.UrlTemplates("time"), tapes)
    if any(client_manifest.listed(window, track) for track in window.tracks):
        yield client_manifest.render(window, "", tapes)


def views(records: list[Record], depth: int, starts: list[int]) -> Iterator[Window]:
    """Windows of all kinds, of one version of a timeline after the other."""
    for timeline in timelines(records):
        edge = timeline.edge
        kinds = [rolling(timeline, depth)]
        for back in starts:
            first = max(timeline.trimmed, edge - back)
            kinds.append(stretch(timeline, first, edge, ended=False, stays=True))
            kinds.append(stretch(timeline, first, edge - back // 2, ended=True, stays=True))
        yield from (window for window in kinds if window is not None)


@given(journals(), st.integers(1, 12), st.lists(st.integers(0, 12), max_size=3), st.integers(1, 5))
def test_a_manifest_from_the_list_cache_equals_a_fresh_one(
    records: list[Record], depth: int, starts: list[int], block: int
) -> None:
    tapes = ListCaches(block)
    for window in views(records, depth, starts):
        anew = list(manifests(window, ListCaches(block)))
        for text, expected in zip(manifests(window, tapes), anew, strict=True):
            assert text.plain() == expected.plain()
            assert text.digest == expected.digest
            assert gzip.decompress(text.gzipped()) == text.plain()


@given(journals(calm=True), st.integers(1, 5))
def test_pieces_make_no_difference_to_hls_and_dash(records: list[Record], block: int) -> None:
    for window in views(records, 8, [5]):
        for track in window.tracks:
            assert media.render(window, track, "", ListCaches(block)) == media.render(window, track)
        whole = mpd.render(window, mpd.UrlTemplates("time"))
        assert mpd.render(window, mpd.UrlTemplates("time"), ListCaches(block)) == whole
