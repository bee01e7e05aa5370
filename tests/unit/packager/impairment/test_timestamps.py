"""Times in packets and tags: moved in place, and back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from packager.container.flv_tag import tag_time, with_time
from packager.container.pes import pts_of
from packager.container.ts_packet import is_packet, pcr_of, pid_of
from packager.feed.report import Container
from packager.impairment.cutting import FlvCutter, TsCutter, cutter
from packager.impairment.timestamps import COUNTERS, shift, shift_packet, time_of
from tests.support import footage
from tests.support.strategies import split
from tests.support.units import flv_tag, pes_packet

TRAIN = footage.train().read_bytes()
PACKETS = TsCutter().push(TRAIN)
TICKS = st.integers(-(1 << 34), 1 << 34)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Packets whose flags are anything, and mostly lie."""
    head = bytearray(draw(st.binary(min_size=188, max_size=188)))
    head[0] = 0x47
    if draw(st.booleans()):
        head[1] |= 0x40
        head[3] = head[3] & 0x0F | draw(st.sampled_from((0x10, 0x30, 0x20)))
        length = draw(st.integers(0, 183))
        head[4] = length
        begin = 5 + length if head[3] & 0x20 else 4
        pes = b"\0\0\1" + draw(st.sampled_from((b"\xe0", b"\xc0", b"\xbe"))) + b"\0\0\x80\xc0\x0a"
        head[begin : begin + len(pes)] = pes
    return bytes(head[:188])


@given(packets(), TICKS)
def test_a_shift_and_its_opposite_restore_any_packet(packet: bytes, ticks: int) -> None:
    there = shift_packet(packet, ticks)
    assert len(there) == 188
    assert shift_packet(there, -ticks) == packet


@given(TICKS)
@example(1)
def test_a_shift_and_its_opposite_restore_a_feed(ticks: int) -> None:
    for packet in PACKETS[:400]:
        there = shift_packet(packet, ticks)
        assert shift_packet(there, -ticks) == packet
        for read, rate in ((pts_of, 1), (pcr_of, 300)):
            before, after = read(packet), read(there)
            assert (before is None) == (after is None)
            if before is not None and after is not None:
                assert (after - before - ticks * rate) % ((1 << 33) * rate) == 0


def test_times_are_those_that_a_muxer_wrote() -> None:
    first = next(pts for packet in PACKETS if (pts := pts_of(packet)) is not None)
    pcrs = [pcr for packet in PACKETS if (pcr := pcr_of(packet)) is not None]
    assert len(pcrs) > 50
    assert 0 < first * 300 - pcrs[0] < 27_000_000 * 2
    assert 9 * 27_000_000 < pcrs[-1] - pcrs[0] < 11 * 27_000_000
    assert len({pid_of(packet) for packet in PACKETS}) >= 4


@pytest.mark.parametrize("time", [0, 1, (1 << 33) - 1, 0x155555555, 1 << 32])
def test_all_33_bits_are_kept(time: int) -> None:
    packet = pes_packet(0x100, 0xE0, pts=time, dts=time ^ 1, pcr=time)
    assert pts_of(packet) == time
    assert pcr_of(packet) == time * 300
    assert pts_of(shift_packet(packet, -time)) == 0
    assert shift_packet(pes_packet(0x100, 0xE0, pts=0, dts=1, pcr=0), time) == pes_packet(
        0x100, 0xE0, pts=time, dts=(time + 1) % (1 << 33), pcr=time
    )


def test_scrambled_and_padding_have_no_times() -> None:
    packet = bytearray(pes_packet(0x100, 0xE0, pts=7))
    packet[3] |= 0x80
    assert pts_of(bytes(packet)) is None
    padding = pes_packet(0x100, 0xBE, pts=7)
    assert shift_packet(padding, 90_000) == padding


@given(st.integers(0, (1 << 32) - 1), TICKS)
def test_a_tag_is_moved_and_moved_back(time: int, ticks: int) -> None:
    tag = flv_tag(9, time, b"\x17\1\0\0\0picture")
    assert tag_time(tag) == time
    assert (
        tag_time(with_time(tag, time + ticks)) == (time + ticks) % COUNTERS[Container.FLV].modulus
    )
    there = shift(Container.FLV, tag, ticks)
    assert shift(Container.FLV, there, -ticks) == tag


def test_bytes_outside_units_have_no_time() -> None:
    for container in Container:
        for unit in (b"", b"junk", b"FLV\1\5\0\0\0\x09\0\0\0\0", b"\0" * 188):
            assert time_of(container, unit) is None
            assert shift(container, unit, 5) == unit


@given(st.data(), st.integers(0, 187))
def test_any_split_gives_the_same_packets_and_keeps_every_byte(
    data: st.DataObject, begin: int
) -> None:
    stream = TRAIN[begin : begin + 188 * 20] + b"\x47junk\x47" + TRAIN[: 188 * 20]
    units: list[bytes] = []
    cut = TsCutter()
    for piece in data.draw(split(stream)):
        units += cut.push(piece)
    rest = cut.rest()
    assert b"".join(units) + rest == stream
    whole = [unit for unit in units if is_packet(unit)]
    missing = [n for n, packet in enumerate(PACKETS[:20]) if packet not in whole]
    assert set(missing) <= {0, 19}, "but for those at the junk"
    assert len(rest) <= 188


@given(st.data(), st.lists(st.tuples(st.sampled_from((8, 9, 18)), st.binary(max_size=99))))
def test_any_split_gives_the_same_tags_and_keeps_every_byte(
    data: st.DataObject, tags: list[tuple[int, bytes]]
) -> None:
    wanted = [b"FLV\1\5\0\0\0\x09\0\0\0\0"]
    wanted += [flv_tag(kind, at, body) for at, (kind, body) in enumerate(tags)]
    junk = data.draw(st.sampled_from((b"", b"\x0a is no tag")))
    cut = FlvCutter()
    units: list[bytes] = []
    for piece in data.draw(split(b"".join(wanted) + junk)):
        units += cut.push(piece)
    assert units[: len(wanted)] == wanted
    assert b"".join(units) + cut.rest() == b"".join(wanted) + junk


@given(st.sampled_from(Container), st.binary(max_size=3000), st.data())
def test_of_noise_no_byte_is_lost_either(
    container: Container, noise: bytes, data: st.DataObject
) -> None:
    cut = cutter(container)
    out = b"".join(b"".join(cut.push(piece)) for piece in data.draw(split(noise)))
    assert out + cut.rest() == noise
