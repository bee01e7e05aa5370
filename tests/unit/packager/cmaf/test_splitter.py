from itertools import pairwise
from pathlib import Path
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import box
from packager.cmaf.samples import SampleRun, write
from packager.cmaf.splitter import MAX_BOX, MAX_MDAT, InitSection, MovieFragment, Splitter
from packager.errors import MediaError
from tests.paths import CORPUS
from tests.support.strategies import runs, split

SAMPLES = sorted(CORPUS.glob("cmaf/*.mp4"))
OTHERS = [b"styp", b"sidx", b"prft", b"emsg", b"free"]
Event = tuple[bytes, ...]


def events(pieces: list[bytes], splitter: Splitter | None = None) -> list[Event]:
    splitter = splitter or Splitter()
    return [plain(event) for piece in pieces for event in splitter.feed(piece)]


def plain(event: InitSection | MovieFragment) -> Event:
    if isinstance(event, InitSection):
        return (bytes(event.data),)
    return (bytes(event.moof), bytes(event.payload))


def outcome(pieces: list[bytes]) -> tuple[list[Event], str]:
    splitter, found = Splitter(), list[Event]()
    try:
        for piece in pieces:
            for event in splitter.feed(piece):
                found.append(plain(event))
    except MediaError as error:
        return found, str(error)
    return found, ""


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Boxes as a track has them, with others in between."""
    parts = [box(b"ftyp", b"iso6"), box(b"moov", draw(st.binary(max_size=20)))]
    for number, run in enumerate(draw(st.lists(runs(), max_size=3))):
        parts += [
            box(kind, draw(st.binary(max_size=20)))
            for kind in draw(st.lists(st.sampled_from(OTHERS)))
        ]
        parts += [bytes(part) for part in write(run, number)]
    return b"".join([*parts, box(b"mfra", b"xyz")])


@given(streams(), st.data())
def test_any_split_gives_the_same_events(data: bytes, draw: st.DataObject) -> None:
    assert events(draw.draw(split(data))) == events([data])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_byte_by_byte(path: Path) -> None:
    data = path.read_bytes()
    assert events([bytes([byte]) for byte in data]) == events([data])


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_no_byte_is_lost(path: Path) -> None:
    data = path.read_bytes()
    (init, *fragments) = events([data])
    kept = b"".join(
        [init[0], *(moof + pack(">I4s", 8 + len(mdat), b"mdat") + mdat for moof, mdat in fragments)]
    )
    assert kept == data


@given(st.lists(runs(), max_size=4), st.data())
def test_the_offset_is_of_the_next_box(several: list[SampleRun], draw: st.DataObject) -> None:
    data = b"".join(bytes(part) for run in several for part in write(run, 0))
    splitter = Splitter()
    events(draw.draw(split(data)), splitter)
    assert splitter.offset == len(data)
    assert not splitter.buffered


MANGLED = st.builds(
    lambda data, place, bits: (
        data[: place % len(data)]
        + bytes([data[place % len(data)] ^ bits])
        + data[place % len(data) + 1 :]
    ),
    st.sampled_from([path.read_bytes() for path in SAMPLES]),
    st.integers(0, 2400),
    st.integers(1, 255),
)


@given(st.binary(max_size=200) | MANGLED, st.data())
def test_any_bytes_are_taken_or_refused(data: bytes, draw: st.DataObject) -> None:
    assert outcome(draw.draw(split(data))) == outcome([data])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pack(">I4s", 7, b"moof"), "box of 7 bytes (byte 0, box moof)"),
        (pack(">I4s", 0, b"mdat"), "box of 0 bytes (byte 0, box mdat)"),
        (pack(">I4sQ", 1, b"mdat", 15), "box of 15 bytes (byte 0, box mdat)"),
        (pack(">I4s", 8, b"\0\1\2\3"), r"not a media box (byte 0, box \x00\x01\x02\x03)"),
        (b"GET / HTTP/1.1\r\n", "box of 1195725856 bytes is too large (byte 0, box / HT)"),
        (pack(">I4s", MAX_BOX + 1, b"moof"), "box of 1048577 bytes is too large"),
        (pack(">I4s", MAX_MDAT + 1, b"mdat"), "box of 67108865 bytes is too large"),
        (pack(">I4sQ", 1, b"mdat", 1 << 63), "box of 9223372036854775808 bytes is too large"),
        (box(b"free") + box(b"mdat"), "no moof before it (byte 8, box mdat)"),
        (box(b"moof") + box(b"mdat") + box(b"mdat"), "no moof before it (byte 16, box mdat)"),
    ],
)
def test_refused(data: bytes, reason: str) -> None:
    for pieces in ([data], [bytes([byte]) for byte in data]):
        assert outcome(pieces)[1].startswith(reason)


def test_a_box_that_is_too_large_is_not_waited_for() -> None:
    """Memory is bounded: the header alone is refused."""
    splitter = Splitter()
    with pytest.raises(MediaError):
        list(splitter.feed(pack(">I4s", MAX_BOX + 1, b"free")))


def test_a_large_size_is_read() -> None:
    mdat = pack(">I4sQ", 1, b"mdat", 16 + 3) + b"abc"
    assert events([box(b"moof") + mdat]) == [(box(b"moof"), b"abc")]


def test_a_second_moof_takes_the_place_of_the_first() -> None:
    data = box(b"moof", b"1") + box(b"moof", b"2") + box(b"mdat", b"x")
    assert events([data]) == [(box(b"moof", b"2"), b"x")]


def test_the_buffered_bytes_stay_bounded() -> None:
    splitter = Splitter()
    chunk = box(b"moof", bytes(100)) + box(b"mdat", bytes(5000))
    sizes = []
    for start, end in pairwise(range(0, len(chunk) * 40, 777)):
        events([(chunk * 41)[start:end]], splitter)
        sizes.append(splitter.buffered)
    assert max(sizes) <= len(chunk)
