import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from packager.config.sources import UdpSource
from packager.feed.report import Container
from packager.runtime.ingest.udp import UdpReceiver
from tests.support import footage
from tests.support.receivers import ffmpeg_sends, free_port, program, running
from tests.support.rtp import rtp

FEED = footage.train()
DATAGRAM = 7 * 188


@contextmanager
def sender(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        here = socket.inet_aton("127.0.0.1")
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        opened.connect((host, port))
        yield opened


async def send(opened: socket.socket, datagrams: Iterator[bytes] | list[bytes]) -> None:
    """Send no faster than the receiver reads."""
    for index, datagram in enumerate(datagrams):
        opened.send(datagram)
        if not index % 32:
            await asyncio.sleep(0.001)


def pieces(data: bytes, size: int = DATAGRAM) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.fixture
async def feed() -> bytes:
    return FEED.read_bytes()[: 400 * DATAGRAM]


@pytest.mark.parametrize("size", [DATAGRAM, 1472, 32712])
async def test_plain_datagrams_of_any_size_arrive_unchanged(feed: bytes, size: int) -> None:
    port = free_port()
    async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
        with sender(port) as opened:
            peer = f"127.0.0.1:{opened.getsockname()[1]}"
            await send(opened, pieces(feed, size))
            await taken.until(lambda: len(taken.data) >= len(feed))
            assert taken.data == feed
            assert (taken.container, taken.peer) == (Container.TS, peer)


async def test_rtp_arrives_in_order_without_headers(feed: bytes) -> None:
    port = free_port()
    packets = [rtp((65_400 + i) & 0xFFFF, piece) for i, piece in enumerate(pieces(feed))]
    # Neighbours change places, some are repeated.
    for at in range(10, len(packets) - 3, 7):
        packets[at], packets[at + 2] = packets[at + 2], packets[at]
    packets[50:50] = packets[40:50]
    async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
        with sender(port) as opened:
            await send(opened, packets)
            await taken.until(lambda: len(taken.data) >= len(feed))
            assert taken.data == feed


async def test_a_lost_rtp_packet_delays_the_others_briefly(feed: bytes) -> None:
    port = free_port()
    first, lost, *rest = pieces(feed)[:20]
    async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
        with sender(port) as opened:
            opened.send(rtp(0, first))
            await send(opened, [rtp(2 + index, piece) for index, piece in enumerate(rest)])
            await taken.until(lambda: len(taken.data) >= DATAGRAM * 19)
            assert taken.data == first + b"".join(rest)
            assert lost not in taken.data


async def test_ffmpeg_sends_rtp(tmp_path: object) -> None:
    port = free_port()
    where = f"[f=mpegts]{tmp_path}/sent.ts|[f=rtp_mpegts]rtp://127.0.0.1:{port}?pkt_size=1316"
    async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
        sends = ffmpeg_sends(
            *(
                "-readrate",
                "4",
                "-t",
                "2",
                "-i",
                str(FEED),
                "-map",
                "0",
                "-c",
                "copy",
                "-f",
                "tee",
                where,
            )
        )
        async with program(*sends) as ffmpeg:
            assert await ffmpeg.wait() == 0
            await taken.until(lambda: len(taken.data) > 100_000)
            # The muxer inside RTP's has its own tables; what it sends is whole packets in order.
            assert set(taken.data[::188]) == {0x47}
            assert whole(bytes(taken.data))


async def test_gstreamer_sends_both(feed: bytes) -> None:
    for pay in ((), ("!", "rtpmp2tpay", "pt=33")):
        port = free_port()
        async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
            sends = (
                *("gst-launch-1.0", "-q", "filesrc", f"location={FEED}", f"blocksize={DATAGRAM}"),
                *("num-buffers=400", "!", "video/mpegts,systemstream=true,packetsize=188", *pay),
                *("!", "identity", "sleep-time=200", "!", "udpsink", "host=127.0.0.1"),
                *(f"port={port}", "sync=false"),
            )
            async with program(*sends):
                await taken.until(lambda: len(taken.data) >= len(feed))
                assert taken.data == feed


async def test_a_sender_that_pauses_ends_and_may_restart(feed: bytes) -> None:
    port = free_port()
    async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
        with sender(port) as opened:
            opened.send(feed[:DATAGRAM])
            await taken.until_calls("connected", "received", "disconnected")
            assert taken.reasons == ["no packets for 2 s"]
            opened.send(feed[DATAGRAM : 2 * DATAGRAM])
            await taken.until_calls(
                *("connected", "received", "disconnected"), *("connected", "received")
            )
            assert taken.data == feed[DATAGRAM : 2 * DATAGRAM]
    assert taken.calls[-1] == "disconnected"


async def test_garbage_and_a_strangers_flood_leave_the_sender_alone(feed: bytes) -> None:
    port = free_port()
    async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
        with sender(port) as opened, sender(port) as stranger:
            await send(stranger, [b"", b"\x80", b"GET / HTTP/1.1\r\n\r\n", bytes(60_000)])
            await taken.until_problem("contain no transport stream, plain or in RTP")
            mixed = pieces(feed)
            opened.send(mixed[0])
            await taken.until_calls("connected", "received")
            for index, piece in enumerate(mixed[1:]):
                opened.send(piece)
                for _ in range(20):
                    stranger.send(piece)
                if not index % 4:
                    await asyncio.sleep(0.001)
            await taken.until(lambda: len(taken.data) >= len(feed))
            assert taken.data == feed
    assert len([problem for problem in taken.problems if "are ignored" in problem]) == 1


async def test_packets_from_other_senders_are_ignored(feed: bytes) -> None:
    port = free_port()
    source = UdpSource(port=port, host="127.0.0.1", sender="127.0.0.9")
    async with running(UdpReceiver(source), port) as taken:
        with sender(port) as opened:
            opened.send(feed[:DATAGRAM])
            await taken.until_problem("are ignored")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right:
            right.bind(("127.0.0.9", 0))
            right.sendto(feed[:DATAGRAM], ("127.0.0.1", port))
            await taken.until_calls("connected", "received")


async def test_a_port_in_use_is_reported_once_and_opened_when_free(feed: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        async with running(UdpReceiver(UdpSource(port=port, host="127.0.0.1")), port) as taken:
            await taken.until_problem(f"udp port {port}: Address already in use: stop the program")
            other.close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as late:
                there = "127.0.0.1", port
                await taken.until(lambda: bool(late.sendto(feed[:188], there)) and bool(taken.data))
            assert len(taken.problems) == 1


@pytest.mark.parametrize("interface", ["127.0.0.1", "lo"])
@pytest.mark.parametrize("only", [None, "127.0.0.1"])
async def test_a_group_of_ipv4_is_joined(feed: bytes, interface: str, only: str | None) -> None:
    port = free_port()
    source = UdpSource(port=port, host="232.1.2.3", interface=interface, sender=only)
    async with running(UdpReceiver(source)) as taken:
        with sender(port, "232.1.2.3") as opened:
            await taken.until(lambda: bool(opened.send(feed[:188])) and bool(taken.data))
            assert taken.data[:188] == feed[:188]


@pytest.mark.parametrize("group", ["ff35::1:2", "ff32::1:2"])
@pytest.mark.parametrize("interface", ["lo", "::1"])
@pytest.mark.parametrize("only", [None, "fd00::99"])
async def test_a_group_of_ipv6_is_joined(group: str, interface: str, only: str | None) -> None:
    """Checked in the kernel's tables: not every machine passes multicast over loopback."""
    source = UdpSource(port=free_port(), host=group, interface=interface, sender=only)
    async with running(UdpReceiver(source)) as taken:
        packed = IPv6Address(group).packed.hex()
        await taken.until(lambda: packed in Path("/proc/net/igmp6").read_text())
        wanted = IPv6Address(only).packed.hex() if only else ""
        filters = Path("/proc/net/mcfilter6").read_text()
        assert [line for line in filters.splitlines() if packed in line and wanted in line] or (
            only is None
        )
        assert taken.problems == []
    assert packed not in Path("/proc/net/igmp6").read_text()


@pytest.mark.parametrize("host", ["232.1.2.3", "ff15::1:2"])
async def test_an_unknown_interface_is_named(host: str) -> None:
    source = UdpSource(port=free_port(), host=host, interface="nosuch0")
    async with running(UdpReceiver(source)) as taken:
        await taken.until_problem("udp port")
        assert "interface" in taken.problems[0] or "device" in taken.problems[0]


def whole(data: bytes) -> bool:
    """Whether no packet is missing: continuity counters of each PID count on."""
    last: dict[int, int] = {}
    for at in range(0, len(data), 188):
        pid = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        if pid == 0x1FFF or not data[at + 3] & 0x10:
            continue
        counter = data[at + 3] & 0x0F
        if pid in last and counter != (last[pid] + 1) & 0x0F:
            return False
        last[pid] = counter
    return True
