import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import MediaError
from packager.transport.rtp import ReorderBuffer, RtpPacket, parse_rtp
from tests.support.rtp import rtp

PATIENCE = 50_000
JUMP = 3000


@given(
    st.integers(0, 0xFFFF),
    st.binary(max_size=64),
    st.integers(0, 127),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=15),
    st.none() | st.integers(0, 8).map(lambda words: bytes(4 * words)),
    st.integers(0, 255),
    st.booleans(),
)
def test_the_fields_around_the_payload_are_removed(
    sequence: int,
    payload: bytes,
    payload_type: int,
    ssrc: int,
    csrcs: list[int],
    extension: bytes | None,
    padding: int,
    marker: bool,  # noqa: FBT001
) -> None:
    data = rtp(
        sequence,
        payload,
        payload_type=payload_type,
        ssrc=ssrc,
        csrcs=csrcs,
        extension=extension,
        padding=padding,
        marker=marker,
    )
    assert parse_rtp(data) == RtpPacket(payload_type, marker, sequence, 90_000, ssrc, payload)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_refused_by_name(data: bytes) -> None:
    try:
        packet = parse_rtp(data)
    except MediaError:
        return
    assert packet.payload in data
    assert data[0] >> 6 == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "shorter than"),
        (b"\x80" + bytes(10), "shorter than"),
        (b"\x40" + bytes(11), "version"),
        (b"\x8f" + bytes(11), "longer than its packet"),
        (b"\x90" + bytes(11) + b"\xbe\xde\xff\xff", "longer than its packet"),
        (b"\xa0" + bytes(11), "padding of no length"),
        (b"\xa0" + bytes(10) + b"\xff", "longer than its packet"),
    ],
)
def test_invalid_packets_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(MediaError, match=reason):
        parse_rtp(data)


def name(index: int) -> bytes:
    return index.to_bytes(4, "big")


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.integers(0, 40), min_size=1, max_size=400),
    st.sets(st.integers(1, 399)),
)
def test_packets_within_the_window_are_complete_and_in_order(
    start: int, delays: list[int], twice: set[int]
) -> None:
    """Each packet is late by so many places: no further than the window reaches."""
    order = sorted(range(1, len(delays)), key=lambda index: index + delays[index])
    reorder, out = ReorderBuffer(), list[bytes]()
    for index in [0, *order]:
        for _ in range(1 + (index in twice)):
            out += reorder.push((start + index) & 0xFFFF, name(index), 0)
    assert out == [name(index) for index in range(len(delays))]
    assert (reorder.lost, reorder.deadline) == (0, None)
    assert reorder.dropped == len([index for index in twice if 0 < index < len(delays)])


@given(
    st.integers(0, 0xFFFF),
    st.lists(st.booleans(), min_size=1, max_size=400),
    st.integers(0, 20),
    st.randoms(use_true_random=False),
)
def test_each_packet_is_delivered_once_in_order_or_counted(
    start: int, kept: list[bool], spread: int, chance: object
) -> None:
    places = [index for index, keep in enumerate(kept) if keep and index]
    places.sort(key=lambda index: index + chance.randint(0, spread))  # type: ignore[attr-defined]
    reorder, out = ReorderBuffer(), list[bytes]()
    for now, index in enumerate([0, *places]):
        out += reorder.push((start + index) & 0xFFFF, name(index), now * 1000)
        out += reorder.due(now * 1000)
    out += reorder.flush()
    assert out == sorted(set(out))
    newest = max([0, *places])
    assert len(out) + reorder.lost == newest + 1
    assert len(out) + reorder.dropped == 1 + len(places)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 30_000)), max_size=300))
def test_chance_is_held_within_bounds(packets: list[tuple[int, int]]) -> None:
    reorder, now, out = ReorderBuffer(), 0, 0
    for sequence, later in packets:
        now += later
        out += len(reorder.push(sequence, b"", now)) + len(reorder.due(now))
        assert reorder.deadline is None or now < reorder.deadline <= now + PATIENCE
        assert len(reorder._held) <= 128
    assert out + len(reorder.flush()) + reorder.dropped <= len(packets)


def test_a_missing_packet_is_waited_for_and_no_longer() -> None:
    reorder = ReorderBuffer()
    assert reorder.push(10, b"a", 0) == [b"a"]
    assert reorder.push(12, b"c", 1000) == []
    assert reorder.deadline == 1000 + PATIENCE
    assert reorder.due(PATIENCE) == []
    assert reorder.due(1000 + PATIENCE) == [b"c"]
    assert reorder.push(11, b"b", 1000 + PATIENCE) == []
    assert (reorder.lost, reorder.dropped) == (1, 1)


def test_a_hole_wider_than_the_window_is_not_waited_for() -> None:
    reorder = ReorderBuffer()
    reorder.push(0xFFFF, b"a", 0)
    assert reorder.push(500, b"b", 0) == [b"b"]
    assert reorder.lost == 500


def test_one_stray_number_changes_nothing_two_in_a_row_are_a_new_count() -> None:
    reorder = ReorderBuffer()
    reorder.push(10, b"a", 0)
    assert reorder.push(11 + JUMP, b"stray", 0) == []
    assert reorder.push(11, b"b", 0) == [b"b"]
    assert reorder.push(40_000, b"c", 0) == []
    assert reorder.push(40_001, b"d", 0) == [b"c", b"d"]
    assert reorder.push(40_002, b"e", 0) == [b"e"]
