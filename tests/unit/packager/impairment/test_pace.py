"""Files as an encoder would have sent them, once and over and over."""

from itertools import pairwise

import pytest

from packager.container.flv_tag import tag_time
from packager.container.pes import pts_of
from packager.container.ts_packet import is_packet, pcr_of, pid_of
from packager.feed.report import Container
from packager.impairment.cutting import TsCutter
from packager.impairment.loop import Loop, MediaExtent
from packager.impairment.pace import container_of, paced
from packager.impairment.schedule import Connected, Disconnected, Event, Received
from tests.support import footage
from tests.support.units import FLV_HEADER, flv_tag, pes_packet

TRAIN = footage.train().read_bytes()
UNITS = TsCutter().push(TRAIN)
FLV = [
    FLV_HEADER,
    flv_tag(18, 0, b"\2\0\x0aonMetaData"),
    flv_tag(9, 0, b"\x17\0\0\0\0avcC"),
    flv_tag(8, 0, b"\xaf\0\x11\x90"),
    *(
        flv_tag(kind, at, b"\x17\1\0\0\0x" if kind == 9 else b"\xaf\1x")
        for at in range(5000, 7000, 20)
        for kind in ((9, 8) if at % 40 == 0 else (8,))
    ),
]


def received(events: list[Event]) -> list[Received]:
    return [event for event in events if isinstance(event, Received)]


def test_a_stream_is_paced_by_its_clock() -> None:
    events = list(paced(Container.TS, UNITS, "train"))
    assert events[0] == Connected(0, Container.TS, "train")
    assert isinstance(events[-1], Disconnected)
    assert b"".join(event.data for event in received(events)) == TRAIN
    instants = [event.at for event in events]
    assert instants == sorted(instants)
    first: int | None = None
    for event in received(events):
        assert len(event.data) <= 7 * 188
        for at in range(0, len(event.data), 188):
            pcr = pcr_of(event.data[at : at + 188])
            if pcr is None:
                continue
            first = pcr if first is None else first
            # A PCR is at most as early as its datagram's first packet.
            assert 0 <= (pcr - first) // 27 - event.at < 20_000
    assert 9_500_000 < instants[-1] < 10_500_000


def test_audio_and_video_may_count_from_different_epochs() -> None:
    apart = [
        flv_tag(8, at + 100_000_000, b"\xaf\1x") if at % 40 else flv_tag(9, at, b"\x27\1\0\0\0x")
        for at in range(0, 2000, 20)
    ]
    instants = [event.at for event in received(list(paced(Container.FLV, apart, "")))]
    assert instants == sorted(instants)
    assert 1_900_000 < instants[-1] <= 2_000_000


def test_a_clock_that_jumps_stops_nothing() -> None:
    packets = [pes_packet(256, 0xE0, pts=at, pcr=at) for at in (0, 3600, 7200)]
    packets += [pes_packet(256, 0xE0, pts=at, pcr=at) for at in (900_000_000, 900_003_600, 3600)]
    instants = [event.at for event in received(list(paced(Container.TS, packets, "")))]
    assert instants == [0, 40_000, 80_000, 120_000, 160_000, 200_000]


def test_media_without_a_clock_is_sent_at_once() -> None:
    packets = [pes_packet(256, 0xE0, pts=at) for at in range(100)]
    events = list(paced(Container.TS, packets, ""))
    assert {event.at for event in events} == {0}
    assert b"".join(event.data for event in received(events)) == b"".join(packets)


def test_an_flv_is_paced_by_its_tags() -> None:
    events = received(list(paced(Container.FLV, FLV, "")))
    assert [event.data for event in events] == FLV
    for event in events[4:]:
        # The first tags are not media: their time 0 is 5 s before it.
        assert event.at == tag_time(event.data) * 1000
    jump = [flv_tag(8, at, b"\xaf\1x") for at in (0, 20, 90_000_000, 90_000_020, 5)]
    assert [event.at for event in received(list(paced(Container.FLV, jump, "")))] == [
        0, 20_000, 20_000, 40_000, 40_000,
    ]  # fmt: skip


def test_how_long_media_is() -> None:
    extent = MediaExtent(Container.TS)
    for unit in UNITS:
        extent.push(unit)
    assert 9.9 * 90_000 < extent.ticks < 10.2 * 90_000
    extent = MediaExtent(Container.FLV)
    for unit in FLV:
        extent.push(unit)
    assert extent.ticks == 2000
    wrapping = MediaExtent(Container.TS)
    for at in range(0, 90_000, 3600):
        wrapping.push(pes_packet(256, 0xE0, pts=(at - 45_000) % (1 << 33)))
    assert wrapping.ticks == 90_000
    assert MediaExtent(Container.TS).ticks == 0


def looped(container: Container, units: list[bytes], turns: int) -> list[bytes]:
    extent = MediaExtent(container)
    for unit in units:
        extent.push(unit)
    loop = Loop(container, extent.ticks)
    out = []
    for turn in range(turns):
        if turn:
            loop.begin()
        out += [loop.change(unit) for unit in units]
    return out


def test_over_and_over_a_stream_goes_on() -> None:
    played = looped(Container.TS, UNITS, 3)
    assert played[: len(UNITS)] == UNITS
    counters: dict[int, int] = {}
    times: dict[int, list[int]] = {}
    pcrs = []
    for packet in filter(is_packet, played):
        pid, counter, has_payload = pid_of(packet), packet[3] & 15, packet[3] & 0x10
        if pid in counters and pid != 0x1FFF:
            assert counter == (counters[pid] + (1 if has_payload else 0)) % 16
        counters[pid] = counter
        if (pts := pts_of(packet)) is not None:
            times.setdefault(pid, []).append(pts)
        if (pcr := pcr_of(packet)) is not None:
            pcrs.append(pcr)
    for pid, usual in ((0x100, 3000), (0x101, 11 * 1920)):
        steps = [b - a for a, b in pairwise(sorted(times[pid]))]
        assert min(steps) > 0
        assert max(steps) < usual + 4500
    assert all(0 < b - a < 27_000_000 // 2 for a, b in pairwise(pcrs))


def test_over_and_over_an_flv_has_one_header() -> None:
    played = looped(Container.FLV, FLV, 2)
    assert [unit for unit in played if unit.startswith(b"FLV")] == [FLV_HEADER]
    media = [tag_time(unit) for unit in played if unit[:1] == b"\x08" and unit[12:13] == b"\1"]
    assert {b - a for a, b in pairwise(media)} == {20}


@pytest.mark.parametrize(
    ("head", "container"),
    [
        (TRAIN[:4096], Container.TS),
        (TRAIN[100:4096], Container.TS),
        (FLV_HEADER, Container.FLV),
        (b"\x47" + bytes(4000), None),
        (b"", None),
        (b"\0\0\0\x18ftypisom" + bytes(3000), None),
    ],
)
def test_the_container_of_a_file_is_detected(head: bytes, container: Container | None) -> None:
    assert container_of(head) is container
