"""The RTMP server over real sockets: publications, refusals, and limits on hostile clients."""

import asyncio
import re
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from packager.config.secret import Secret
from packager.errors import SetupError
from packager.rtmp.message import MessageType
from packager.runtime.ingest.rtmp import RtmpServer
from packager.runtime.ingest.rtmp_connection import RtmpTimeouts
from packager.runtime.ingest.stream_keys import BusyKeyPolicy, StreamKeys
from packager.runtime.ingest.tls import server_context
from tests.support.rtmp import (
    GREETING,
    KEY,
    ChunkWriter,
    Sent,
    connecting,
    description,
    opening,
    tag,
)
from tests.support.rtmp_site import OTHER, SOON, Client, Taken, reasons, self_signed, site, until

PICTURE = Sent(MessageType.VIDEO, b"\x17\x01picture" * 500, 40)
ABOUT = description(videocodecid=7.0)
FLV = (
    b"FLV\x01\x01\0\0\0\x09\0\0\0\0"
    + tag(Sent(MessageType.DATA, ABOUT.payload[16:]))
    + tag(PICTURE)
)
BRIEF = RtmpTimeouts(publish=0.2, silence=0.3, farewell=0.2)


async def test_published_media_arrives() -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.publisher()
            client.send(client.chunks.whole(ABOUT) + client.chunks.whole(PICTURE, 6))
            await until(lambda: len(here.taken.data) >= len(FLV))
            assert here.taken.data == FLV
            client.send(client.chunks.command("FCUnpublish", 6.0, None, KEY))
            await client.until("Unpublish.Success")
            await client.close()
            assert here.taken.reasons == ["the encoder stopped publishing"]
            host, port = here.taken.peers[0].split(":")
            assert (host, int(port)) == client.writer.get_extra_info("sockname") or port
            again = await here.publisher()
            await again.close()
            await until(lambda: len(here.taken.reasons) == 2)
            assert here.taken.reasons[1] == "the encoder closed the connection"
    assert reasons(logs, "rtmp.publish_ended") == here.taken.reasons
    assert not reasons(logs)


async def test_all_that_was_sent_before_hanging_up_arrives() -> None:
    async with site() as here:
        client = await here.publisher()
        client.send(client.chunks.whole(ABOUT))
        for time in range(50):  # so few that no acknowledgement crosses the end
            client.send(
                client.chunks.whole(Sent(MessageType.VIDEO, bytes([time]) * 20_000, time), 6)
            )
        await client.close()
        await until(lambda: here.taken.reasons)
        assert here.taken.data.endswith(tag(Sent(MessageType.VIDEO, bytes([49]) * 20_000, 49)))
        assert len(here.taken.data) == len(FLV) - len(tag(PICTURE)) + 50 * 20_015


async def test_a_reset_connection_ends() -> None:
    async with site() as here:
        client = await here.publisher()
        client.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
        )
        client.writer.transport.abort()
        await until(lambda: here.taken.reasons)
        await here.publisher()


# Refusals.


@pytest.mark.parametrize("app", ["vod", "", KEY])
async def test_another_app(app: str) -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.client()
            client.send(connecting(client.chunks, app))
            await client.until_over()
            assert client.status()["code"] == "NetConnection.Connect.Rejected"
    assert reasons(logs) == ["no such app; publish to /live/KEY"]


@pytest.mark.parametrize(
    "key",
    ["", "another", KEY + "x", "with some spaces", "%00" * 8, "\0" * 20, "k\u00e4se", "x" * 5000],
)
async def test_no_such_key(key: str) -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.client()
            client.send(opening(client.chunks, key))
            await client.until_over()
            assert client.status()["code"] == "NetStream.Publish.BadName"
            assert client.status()["description"] == "no such stream key"
            assert not here.taken.peers
    assert reasons(logs) == ["no such stream key"]
    assert not key or key not in repr(logs)


@pytest.mark.parametrize("key", [OTHER, quote(OTHER, safe=""), quote(OTHER), f"{OTHER}?time=1"])
async def test_a_key_may_be_encoded_or_have_a_query(key: str) -> None:
    async with site() as here:
        if key == f"{OTHER}?time=1":
            here.keys.add(
                Secret(OTHER.partition("?")[0].encode()), here.other, BusyKeyPolicy.REFUSE
            )
        await here.publisher(key)
        assert len(here.other.peers) == 1


async def test_a_key_with_a_slash_may_be_in_the_app() -> None:
    async with site() as here:
        client = await here.client()
        first, _, last = OTHER.rpartition("/")
        client.send(opening(client.chunks, last, f"live/{first}"))
        await client.until("Publish.Start")
        assert len(here.other.peers) == 1


async def test_a_second_encoder_is_refused() -> None:
    with capture_logs() as logs:
        async with site() as here:
            first = await here.publisher()
            second = await here.client()
            second.send(opening(second.chunks))
            await second.until_over()
            assert second.status()["code"] == "NetStream.Publish.BadName"
            assert second.status()["description"] == "another encoder publishes with this key"
            first.send(first.chunks.whole(PICTURE))
            await until(lambda: tag(PICTURE) in here.taken.data)
            assert not here.taken.reasons
    assert reasons(logs) == ["another encoder publishes with this key"]


async def test_a_second_encoder_replaces_the_first() -> None:
    async with site(busy=BusyKeyPolicy.REPLACE) as here:
        first = await here.publisher()
        second = await here.publisher()
        await first.until_over()
        assert first.status()["description"] == "replaced by another encoder"
        assert here.taken.reasons == ["replaced by another encoder"]
        second.send(second.chunks.whole(PICTURE))
        await until(lambda: tag(PICTURE) in here.taken.data)


async def test_removing_a_key_ends_its_publication() -> None:
    async with site() as here:
        client = await here.publisher()
        here.keys.remove(Secret(KEY.encode()))
        await client.until_over()
        assert client.status()["description"] == "the channel is closed"
        assert here.taken.reasons == ["the channel is closed"]


# Other clients.


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not RTMP: the first byte is 0x47"),
        (
            b"\x16\x03\x01\x02\x00",
            "the encoder speaks TLS: use rtmp:// at this port, rtmps:// at the RTMPS port",
        ),
        (GREETING + b"\xff" * 5000, "the first header of a chunk stream is incomplete"),
        (GREETING + b"\x02\0\0\0\0\0\x04\x01" + bytes(8), "an invalid chunk size of 0 bytes"),
    ],
)
async def test_garbage(data: bytes, reason: str) -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.client()
            client.send(data)
            await client.until_over()
    assert reasons(logs) == [reason]


@pytest.mark.parametrize("data", [b"", b"\x03", GREETING[:1000], GREETING, None])
async def test_a_stalled_client_is_disconnected(data: bytes | None) -> None:
    with capture_logs() as logs:
        async with site(timeouts=BRIEF) as here:
            client = await here.client()
            client.send(connecting(client.chunks) if data is None else data)
            await client.until_over()
            await until(lambda: not here.server.connections.open)
    assert reasons(logs) == ["nothing was published within 0.2 s"]


async def test_a_slow_sender_gets_no_more_time() -> None:
    async with site(timeouts=BRIEF) as here:
        client = await here.client()
        data = iter(opening(client.chunks))
        async with asyncio.timeout(SOON):
            while here.server.connections.open or not client.heard:
                client.send(bytes([next(data)]))
                await asyncio.sleep(0.01)
                client.heard = b"begun"
        assert not here.taken.peers


async def test_a_silent_publisher_frees_its_key() -> None:
    with capture_logs() as logs:
        async with site(timeouts=BRIEF) as here:
            busy = await here.publisher()
            silent = await here.publisher(OTHER)
            over = asyncio.create_task(silent.until_over())
            while not over.done():
                busy.send(busy.chunks.whole(PICTURE))
                await asyncio.sleep(0.02)
            assert here.other.reasons == ["no bytes from the encoder for 0.3 s"]
            assert not here.taken.reasons
            await here.publisher(OTHER)
            assert silent.status()["code"] == "NetConnection.Connect.Closed"
    assert reasons(logs, "rtmp.publish_ended")[0] == "no bytes from the encoder for 0.3 s"


async def test_a_client_that_does_not_close_is_disconnected() -> None:
    async with site(timeouts=BRIEF) as here:
        client = await here.client()
        client.send(opening(client.chunks, "no such key"))
        await until(lambda: not here.server.connections.open)


async def test_a_client_that_does_not_read_is_disconnected() -> None:
    with capture_logs() as logs:
        async with site() as here:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", here.server.port))
            sock.settimeout(0)
            chunks = ChunkWriter()
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(sock, opening(chunks))
            await until(lambda: here.taken.peers)
            ping = chunks.whole(Sent(MessageType.USER_CONTROL, b"\0\x06time", stream=0), 2)
            async with asyncio.timeout(SOON):
                while here.server.connections.open:
                    with suppress(ConnectionError):
                        await loop.sock_sendall(sock, ping * 1000)
            sock.close()
            await until(lambda: not here.server.connections.open)
            assert here.taken.reasons == ["the encoder does not read the server's messages"]
    assert reasons(logs, "rtmp.publish_ended") == here.taken.reasons


async def test_many_silent_connections_harm_no_publisher() -> None:
    with capture_logs() as logs:
        async with site(max_pending=16) as here:
            publisher = await here.publisher()
            crowd = [await here.client() for _ in range(100)]
            await until(lambda: len(here.server.connections.open) == 17)
            for client in crowd[:84]:
                await client.until_over()
            publisher.send(publisher.chunks.whole(PICTURE))
            await until(lambda: tag(PICTURE) in here.taken.data)
            await here.publisher(OTHER)
    assert reasons(logs) == ["too many connections that do not publish"] * 20


async def test_an_internal_error_ends_one_connection() -> None:
    with capture_logs() as logs:
        async with site() as here:
            here.other.fault = ValueError("a fault")
            good, bad = await here.publisher(), await here.publisher(OTHER)
            bad.send(bad.chunks.whole(PICTURE))
            await bad.until_over()
            good.send(good.chunks.whole(PICTURE))
            await until(lambda: tag(PICTURE) in here.taken.data)
            assert here.other.reasons == ["internal error of the server"]
    assert [entry["event"] for entry in logs].count("rtmp.crashed") == 1


# The server.


async def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            SetupError, match=f"^port {port} on 127.0.0.1: Address already in use: stop"
        ):
            await RtmpServer("127.0.0.1", port, StreamKeys()).start()


async def test_when_the_server_stops_all_are_gone() -> None:
    async with site() as here:
        publisher, other = await here.publisher(), await here.client()
        await here.server.stop()
        await here.server.stop()
        assert here.taken.reasons == ["the server stops"]
        await publisher.until_over()
        await other.until_over()
        await until(lambda: not here.server.connections.open)


async def test_ipv6() -> None:
    keys, taken = StreamKeys(), Taken()
    keys.add(Secret(KEY.encode()), taken, BusyKeyPolicy.REFUSE)
    async with RtmpServer("::1", 0, keys) as server:
        client = Client(*await asyncio.open_connection("::1", server.port))
        client.send(opening(client.chunks))
        await client.until("Publish.Start")
        assert re.fullmatch(r"\[::1\]:\d+", taken.peers[0])
        await client.close()


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusting(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.check_hostname = False
    return context


async def test_the_same_in_tls(certificate: tuple[Path, Path], trusting: ssl.SSLContext) -> None:
    async with site(tls=server_context(*certificate)) as here:
        client = await here.client(tls=trusting)
        client.send(opening(client.chunks))
        await client.until("Publish.Start")
        big = Sent(MessageType.VIDEO, bytes(500_000), 60)
        client.send(b"".join(map(client.chunks.whole, (ABOUT, PICTURE, big))))
        await until(lambda: len(here.taken.data) >= len(FLV + tag(big)))
        assert here.taken.data == FLV + tag(big)
        refused = await here.client(tls=trusting)
        refused.send(opening(refused.chunks))
        await refused.until_over()
        assert refused.status()["code"] == "NetStream.Publish.BadName"
        await client.close()
        await until(lambda: here.taken.reasons)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (GREETING, "TLS: wrong version number"),
        (b"GET / HTTP/1.1\r\n\r\n", "TLS: http request"),
        (b"\x16\x03\x01", "nothing was published within 0.2 s"),
    ],
)
async def test_other_bytes_at_the_tls_port_are_refused(
    data: bytes, reason: str, certificate: tuple[Path, Path]
) -> None:
    with capture_logs() as logs:
        async with site(tls=server_context(*certificate), timeouts=BRIEF) as here:
            client = await here.client()
            client.send(data)
            await client.until_over()
            await until(lambda: not here.server.connections.open)
    assert [line.replace("_", " ") for line in reasons(logs)] == [reason]


def test_a_certificate_that_cannot_be_used(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.touch()
    for files in ((missing, certificate[1]), (certificate[0], empty), (empty, certificate[1])):
        with pytest.raises(SetupError) as caught:
            server_context(*files)
        assert str(files[0]) in str(caught.value)
        assert str(caught.value).isprintable()
