from fractions import Fraction
from itertools import pairwise
from struct import unpack
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import children, find
from packager.cmaf.samples import SYNC_FLAGS, SampleRun, write
from packager.cmaf.smooth_fragment import smooth_fragment
from packager.errors import MediaError
from packager.timeline.segment_table import Segment
from packager.timing.smooth_time import EPOCH, TIMESCALE, instant, smooth_time, span
from packager.timing.ticks import UtcMicros, micros_of
from tests.support.made_feeds import START
from tests.support.strategies import runs, split

TFXD = UUID("6D1D9B05-42D5-44E6-80E2-141DAFF757B2").bytes
TFRF = UUID("D4807EF2-CA39-4695-8E54-26CB9E46A79F").bytes
NOW = START // 1_000_000


def segment(*several: SampleRun) -> bytes:
    return b"".join(bytes(part) for run in several for part in write(run, 0))


def following(run: SampleRun, count: int) -> list[SampleRun]:
    """`count` runs like `run`, one after the other."""
    return [run.moved(index * run.duration) for index in range(count)]


def entries(fragment: bytes) -> tuple[list[int], list[int], list[int], bytes]:
    """Durations, sizes and composition offsets of a Smooth fragment, and its payload."""
    trun = find(fragment, 0, len(fragment), b"moof", b"traf", b"trun")
    flags, count, at = unpack(">III", fragment[trun.body : trun.body + 12])
    assert flags >> 24 == 1
    tfhd = find(fragment, 0, len(fragment), b"moof", b"traf", b"tfhd")
    (default,) = unpack(">I", fragment[tfhd.body + 8 : tfhd.body + 12])
    place = trun.body + 12 + (4 if flags & 4 else 0)
    durations, sizes, compositions = [], [], []
    for _ in range(count):
        row = {}
        for bit in (0x100, 0x200, 0x400, 0x800):
            if flags & bit:
                kind = ">i" if bit == 0x800 else ">I"
                (row[bit],) = unpack(kind, fragment[place : place + 4])
                place += 4
        durations.append(row.get(0x100, default))
        sizes.append(row[0x200])
        compositions.append(row.get(0x800, 0))
    assert place == trun.end
    return durations, sizes, compositions, fragment[at:]


@st.composite
def sane_runs(draw: st.DrawFn, timescale: int) -> SampleRun:
    """Samples with lengths and offsets of this world."""
    run = draw(runs(start=st.integers(NOW * timescale, (NOW + 10**9) * timescale)))
    count = len(run.sizes)
    longest = 2 * timescale
    length = st.lists(st.integers(1, longest), min_size=count, max_size=count)
    offset = st.lists(st.integers(-longest, longest), min_size=count, max_size=count)
    return SampleRun(run.start, draw(length), run.sizes, run.flags, draw(offset), run.payload)


TIMESCALES = [90_000, 48_000, 44_100, 60_000, 12_800]


@given(st.sampled_from(TIMESCALES), st.integers(1, 3), st.integers(0, 2), st.data())
def test_a_segment_as_a_fragment(
    timescale: int, chunks: int, ahead: int, data: st.DataObject
) -> None:
    several = following(data.draw(sane_runs(timescale)), chunks)
    begin, end = several[0].start, several[-1].start + several[-1].duration
    start = smooth_time(begin, timescale)
    mine = (start, smooth_time(end, timescale) - start)
    others = [(mine[0] + (n + 1) * mine[1], mine[1] + n) for n in range(ahead)]
    fragment = smooth_fragment(segment(*several), timescale, mine, others)

    assert [box.type for box in children(fragment, 0, len(fragment))] == [b"moof", b"mdat"]
    moof = find(fragment, 0, len(fragment), b"moof")
    assert [box.type for box in children(fragment, moof.body, moof.end)] == [b"mfhd", b"traf"]
    traf = find(fragment, moof.body, moof.end, b"traf")
    inside = list(children(fragment, traf.body, traf.end))
    assert [box.type for box in inside] == [b"tfhd", b"trun", b"uuid", b"uuid"][: 3 + bool(ahead)]

    extensions = {fragment[b.body : b.body + 16]: fragment[b.body + 16 : b.end] for b in inside[2:]}
    assert extensions[TFXD] == b"\1\0\0\0" + mine[0].to_bytes(8) + mine[1].to_bytes(8)
    if ahead:
        named = b"".join(t.to_bytes(8) + d.to_bytes(8) for t, d in others)
        assert extensions[TFRF] == b"\1\0\0\0" + bytes([ahead]) + named

    durations, sizes, compositions, payload = entries(fragment)
    assert sum(durations) == mine[1]
    assert sizes == [size for run in several for size in run.sizes]
    assert payload == b"".join(bytes(run.payload) for run in several)

    decode, shown, at = mine[0], [], []
    for duration, composition in zip(durations, compositions, strict=True):
        at.append(decode)
        shown.append(decode + composition)
        decode += duration
    true = [
        (time, time + offset)
        for run in several
        for time, offset in zip(
            [run.start + sum(run.durations[:n]) for n in range(len(run.sizes))],
            run.compositions,
            strict=True,
        )
    ]
    assert at == [smooth_time(time, timescale) for time, _ in true]
    assert shown == [smooth_time(time, timescale) for _, time in true]


@given(st.sampled_from(TIMESCALES), st.data())
def test_the_bytes_do_not_depend_on_the_chunks(timescale: int, data: st.DataObject) -> None:
    run = data.draw(sane_runs(timescale))
    index = data.draw(st.integers(0, len(run.sizes)))
    parts = [part for part in run.split(index) if part.sizes]
    whole = smooth_fragment(segment(run), timescale, (5, 6), [])
    assert smooth_fragment(segment(*parts), timescale, (5, 6), []) == whole


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_a_hundred_thousand_fragments_do_not_drift(rate: int) -> None:
    begin = NOW * rate
    frames = 90
    times = [smooth_time(begin + n * frames * 1024, rate) for n in range(100_001)]
    for number in (1, 99_999, 100_000):
        true = Fraction(number * frames * 1024, rate) * TIMESCALE
        assert abs(times[number] - times[0] - true) <= 1
    lengths = {after - before for before, after in pairwise(times)}
    assert max(lengths) - min(lengths) <= 1


def test_a_fragment_of_frames_that_are_no_whole_ticks() -> None:
    frames = 94
    same = [1] * frames
    start = NOW * 48_000 + 17
    run = SampleRun(
        start, [1024] * frames, same, [SYNC_FLAGS] * frames, [0] * frames, bytes(frames)
    )
    piece = Segment(1, 0, run.start, run.duration, 94, UtcMicros(0))
    mine = span(piece.start, piece.end, 48_000)
    durations, *_ = entries(smooth_fragment(segment(run), 48_000, mine, []))
    assert sum(durations) == mine[1]
    assert set(durations) == {213_333, 213_334}


@given(st.integers(EPOCH * 90_000, 2**53), st.sampled_from(TIMESCALES))
def test_the_clock_and_back(ticks: int, timescale: int) -> None:
    assert abs(instant(smooth_time(ticks, timescale)) - micros_of(ticks, timescale)) <= 1


def test_the_clock_fits_a_double_until_2048() -> None:
    assert smooth_time(EPOCH, 1) == 0
    assert smooth_time(2_461_449_600, 1) < 2**53


@given(st.binary(max_size=100))
def test_any_bytes_are_a_fragment_or_refused(data: bytes) -> None:
    try:
        smooth_fragment(data, 90_000, (0, 0), [])
    except MediaError:
        return


@given(st.sampled_from(TIMESCALES), st.data())
def test_a_segment_cut_short_is_not_served_as_whole(timescale: int, data: st.DataObject) -> None:
    runs = following(data.draw(sane_runs(timescale)), 2)
    whole = segment(*runs)
    pieces = data.draw(split(whole))
    if len(pieces[0]) in (0, len(segment(runs[0])), len(whole)):
        return
    with pytest.raises(MediaError):
        smooth_fragment(pieces[0], timescale, (0, 0), [])
