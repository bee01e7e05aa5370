from struct import pack, pack_into

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import box, children, find, full_box
from packager.cmaf.ingest_header import IngestHeader, read_header
from packager.cmaf.init_section import read_init
from packager.cmaf.splitter import InitSection, Splitter
from packager.errors import CodecError, MediaError
from tests.paths import CORPUS


def section(name: str) -> bytes:
    event = next(Splitter().feed((CORPUS / "cmaf" / f"{name}.mp4").read_bytes()))
    assert isinstance(event, InitSection)
    return event.data


def header(data: bytes) -> IngestHeader:
    return read_header(InitSection(data))


def with_edits(data: bytes, *edits: tuple[int, int], movie: int = 1000, rate: int = 1) -> bytes:
    """An init section whose track has an edit list of (duration, media time)."""
    elst = full_box(
        b"elst",
        1,
        0,
        pack(">I", len(edits)),
        *(pack(">QqI", duration, time, rate << 16) for duration, time in edits),
    )
    moov = find(data, 0, len(data), b"moov")
    parts: list[bytes] = []
    for child in children(data, moov.body, moov.end):
        part = bytearray(data[child.start : child.end])
        if child.type == b"mvhd":
            pack_into(">I", part, 20, movie)
        if child.type == b"trak":
            inside = data[child.body : child.end]
            part = bytearray(box(b"trak", box(b"edts", elst), inside))
        parts.append(bytes(part))
    return data[: moov.start] + box(b"moov", *parts)


@pytest.mark.parametrize("name", ["avc", "hevc", "aac", "ac3", "eac3"])
def test_the_facts_of_the_media_are_kept(name: str) -> None:
    data = section(name)
    made = header(data)
    assert read_init(made.data) == made.facts == read_init(data)
    assert header(made.data) == made


def test_the_track_is_the_first_whatever_the_encoder_calls_it() -> None:
    data = bytearray(section("avc"))
    tkhd = find(bytes(data), 0, len(data), b"moov", b"trak", b"tkhd")
    trex = find(bytes(data), 0, len(data), b"moov", b"mvex", b"trex")
    plain = header(bytes(data))
    pack_into(">I", data, tkhd.body + 12, 7)
    pack_into(">I", data, trex.body + 4, 7)
    assert header(bytes(data)).data == plain.data


def test_when_it_was_made_does_not_matter() -> None:
    data = bytearray(section("avc"))
    plain = header(bytes(data))
    for path in ([b"mvhd"], [b"trak", b"tkhd"], [b"trak", b"mdia", b"mdhd"]):
        found = find(bytes(data), 0, len(data), b"moov", *path)
        pack_into(">II", data, found.body + 4, 123, 456)
    assert header(bytes(data)).version == plain.version


@pytest.mark.parametrize(
    ("edits", "ticks"),
    [
        ([(0, 0)], 0),
        ([(0, 1024)], -1024),
        ([(1500, -1), (0, 1024)], 19_200 - 1024),
        ([(1000, -1), (500, -1), (0, 0)], 19_200),
    ],
)
def test_an_edit_list_becomes_times(edits: list[tuple[int, int]], ticks: int) -> None:
    made = header(with_edits(section("avc"), *edits))
    assert made.facts.timescale == 12_800
    assert made.edit == ticks
    assert b"elst" not in made.data


@pytest.mark.parametrize("edits", [[], [(5, -1)], [(5, 7), (5, 9)]])
def test_edit_lists_that_cannot_be_followed(edits: list[tuple[int, int]]) -> None:
    with pytest.raises(MediaError, match="edit list"):
        header(with_edits(section("avc"), *edits))
    with pytest.raises(MediaError, match="edit list"):
        header(with_edits(section("avc"), (0, 0), rate=2))


def test_two_tracks_are_not_cmaf() -> None:
    data = section("avc")
    moov = find(data, 0, len(data), b"moov")
    trak = find(data, moov.body, moov.end, b"trak")
    twice = data[moov.body : moov.end] + data[trak.start : trak.end]
    with pytest.raises(MediaError, match="2 tracks"):
        header(data[: moov.start] + box(b"moov", twice))


def test_a_codec_that_cannot_be_packaged() -> None:
    with pytest.raises(CodecError, match="wvtt"):
        header(section("avc").replace(b"avc1", b"wvtt"))


def test_the_difference_of_two_headers_is_described() -> None:
    avc, hevc, aac, ac3 = (header(section(name)) for name in ("avc", "hevc", "aac", "ac3"))
    assert avc.unlike(hevc) == "codec avc1.64000a, not hvc1.1.6.L30.90"
    assert avc.unlike(aac) == "kind video, not audio"
    assert aac.unlike(ac3) == "codec mp4a.40.2, not ac-3"
    assert avc.unlike(header(with_edits(section("avc"), (0, 512)))) == ""


@given(st.data())
def test_any_bytes_are_a_header_or_are_refused(data: st.DataObject) -> None:
    whole = bytearray(with_edits(section("avc"), (1500, -1), (0, 1024)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    try:
        made = header(bytes(whole))
    except MediaError:
        return
    assert read_init(made.data).timescale == made.facts.timescale
