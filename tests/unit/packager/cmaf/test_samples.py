from dataclasses import replace
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.cmaf.boxes import box, find, full_box
from packager.cmaf.samples import MAX_SAMPLES, SampleDefaults, SampleRun, joined, read, write
from packager.cmaf.splitter import MovieFragment, Splitter
from packager.errors import MediaError
from tests.paths import CORPUS
from tests.support.strategies import runs

NONE = SampleDefaults(0, 0, 0)
LOUD = SampleDefaults(11, 22, 33)
SHORT = st.integers(-(2**40), 2**40)


def same(run: SampleRun) -> tuple[object, ...]:
    columns = (run.durations, run.sizes, run.flags, run.compositions)
    return (run.start, *map(tuple, columns), bytes(run.payload))


def written(run: SampleRun, sequence: int = 0) -> bytes:
    return b"".join(bytes(part) for part in write(run, sequence))


def fragment(data: bytes) -> MovieFragment:
    (event,) = Splitter().feed(data)
    assert isinstance(event, MovieFragment)
    return event


@given(runs(), st.integers(0, 2**40))
def test_round_trip(run: SampleRun, sequence: int) -> None:
    assert same(read(fragment(written(run, sequence)), NONE)) == same(run)


@given(runs())
def test_a_written_fragment_needs_no_track_defaults(run: SampleRun) -> None:
    one = fragment(written(run))
    assert same(read(one, LOUD)) == same(read(one, NONE))


@given(runs())
def test_one_form_only(run: SampleRun) -> None:
    """Reading and writing again gives the same bytes."""
    data = written(run)
    assert written(read(fragment(data), NONE)) == data


@given(runs())
def test_the_data_offset_is_right(run: SampleRun) -> None:
    data = written(run)
    trun = find(data, 0, len(data), b"moof", b"traf", b"trun")
    at = int.from_bytes(data[trun.body + 8 : trun.body + 12])
    assert data[at:] == bytes(run.payload)


@pytest.mark.parametrize("name", ["avc", "hevc", "aac", "ac3", "eac3"])
def test_any_encoder_gives_the_same_form(name: str) -> None:
    data = (CORPUS / "cmaf" / f"{name}.mp4").read_bytes()
    (theirs,) = [event for event in Splitter().feed(data) if isinstance(event, MovieFragment)]
    run = read(theirs, NONE)
    assert same(read(fragment(written(run)), NONE)) == same(run)
    assert sum(run.sizes) == len(run.payload)
    assert run.keyframe


def test_ffmpeg_priming_is_a_negative_time() -> None:
    data = (CORPUS / "cmaf" / "aac.mp4").read_bytes()
    (theirs,) = [event for event in Splitter().feed(data) if isinstance(event, MovieFragment)]
    assert read(theirs, NONE).start == -1024


@given(runs(start=SHORT), st.data())
def test_split_and_joined(run: SampleRun, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(run.sizes)))
    head, tail = run.split(index)
    assert head.duration + tail.duration == run.duration
    assert tail.start == run.start + head.duration
    assert len(head.sizes) == index
    assert (sum(head.sizes), sum(tail.sizes)) == (len(head.payload), len(tail.payload))
    assert same(joined([head, tail])) == same(run)
    assert joined([run]) is run


@given(st.lists(runs(start=SHORT), min_size=1, max_size=4))
def test_joined_is_all_of_them(several: list[SampleRun]) -> None:
    whole = joined(several)
    assert whole.start == several[0].start
    assert whole.duration == sum(run.duration for run in several)
    assert bytes(whole.payload) == b"".join(bytes(run.payload) for run in several)


@given(runs(start=SHORT), SHORT, st.integers(-1000, 1000))
def test_moved(run: SampleRun, by: int, composition: int) -> None:
    there = run.moved(by, composition)
    assert there.start == run.start + by
    shown = [offset - composition for offset in run.compositions]
    assert list(there.compositions) == shown
    assert same(there.moved(-by, -composition)) == same(run)
    assert there.keyframe == run.keyframe


# What others may write.


def moof(*boxes: bytes) -> bytes:
    return box(b"moof", box(b"traf", *boxes))


def tfhd(flags: int, *values: int) -> bytes:
    return full_box(b"tfhd", 0, flags, pack(f">{1 + len(values)}I", 1, *values))


TFDT = full_box(b"tfdt", 0, 0, pack(">I", 5))


def trun(flags: int, *values: int, version: int = 0, count: int = 2) -> bytes:
    return full_box(b"trun", version, flags, pack(f">{1 + len(values)}I", count, *values))


def payload(size: int) -> MovieFragment:
    return MovieFragment(b"", memoryview(bytes(size)))


@pytest.mark.parametrize(
    ("boxes", "durations", "flags", "compositions"),
    [
        ([tfhd(0), TFDT, trun(0)], [11, 11], [33, 33], [0, 0]),
        ([tfhd(0x8, 7), TFDT, trun(0)], [7, 7], [33, 33], [0, 0]),
        ([tfhd(0x3, 0, 0, 1), TFDT, trun(0x1, 99)], [11, 11], [33, 33], [0, 0]),
        ([tfhd(0x20, 8), TFDT, trun(0x4, 9)], [11, 11], [9, 8], [0, 0]),
        ([tfhd(0), TFDT, trun(0x404, 9, 1, 2)], [11, 11], [1, 2], [0, 0]),
        ([tfhd(0), TFDT, trun(0x100, 3, 4)], [3, 4], [33, 33], [0, 0]),
        ([tfhd(0), TFDT, trun(0x800, 3, 2**31)], [11, 11], [33, 33], [3, 2**31]),
        ([tfhd(0), TFDT, trun(0x800, 3, 2**31, version=1)], [11, 11], [33, 33], [3, -(2**31)]),
        ([tfhd(0), trun(0, count=1), TFDT, trun(0, count=1)], [11, 11], [33, 33], [0, 0]),
    ],
)
def test_read(
    boxes: list[bytes], durations: list[int], flags: list[int], compositions: list[int]
) -> None:
    run = read(replace(payload(44), moof=moof(*boxes)), LOUD)
    assert run.start == 5
    assert list(run.durations) == durations
    assert list(run.flags) == flags
    assert list(run.compositions) == compositions


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (moof(), "no decode time or no samples"),
        (moof(tfhd(0), TFDT), "no decode time or no samples"),
        (moof(tfhd(0), trun(0)), "no decode time or no samples"),
        (moof(tfhd(0), TFDT, trun(0, count=0)), "0 samples do not fit"),
        (moof(tfhd(0), TFDT, trun(0, count=MAX_SAMPLES + 1)), "100001 samples do not fit"),
        (moof(tfhd(0), TFDT, trun(0, 1)), "2 samples do not fit"),
        (moof(tfhd(0), TFDT, trun(0x100, 1)), "2 samples do not fit"),
        (moof(tfhd(0x8), TFDT, trun(0)), "too short"),
        (moof(tfhd(0), TFDT, trun(0x200, 1, 2)), "samples of 3 bytes in a payload of 44"),
        (moof(tfhd(0), full_box(b"tfdt", 1, 0, bytes(4)), trun(0)), "too short"),
        (box(b"moof"), "missing (byte 8, box traf)"),
        (b"", "missing (byte 0, box moof)"),
        (box(b"moof", pack(">I4s", 99, b"traf")), "box does not fit its parent (byte 8)"),
    ],
)
def test_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MediaError) as caught:
        read(replace(payload(44), moof=data), LOUD)
    assert str(caught.value).startswith(reason)


@given(runs(), st.data())
def test_a_mangled_fragment_is_read_or_refused(run: SampleRun, data: st.DataObject) -> None:
    good = fragment(written(run))
    head = bytearray(good.moof)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(head) - 1))
        head[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(head)))
    for moof_of in (bytes(head), bytes(good.moof)[:cut]):
        try:
            found = read(replace(good, moof=moof_of), NONE)
        except MediaError:
            continue
        assert sum(found.sizes) == len(found.payload)
