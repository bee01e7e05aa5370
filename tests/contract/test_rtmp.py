"""The RTMP server over real sockets: who may publish, what becomes of it, what anybody can cost."""

import asyncio
import re
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from packager.errors import SetupError
from packager.rtmp.message import Kind
from packager.runtime.sources.doors import Busy, Doors
from packager.runtime.sources.rtmp import Patience, RtmpServer
from packager.runtime.sources.tls import server_context
from packager.secret import Secret
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

PICTURE = Sent(Kind.VIDEO, b"\x17\x01picture" * 500, 40)
ABOUT = description(videocodecid=7.0)
FLV = b"FLV\x01\x01\0\0\0\x09\0\0\0\0" + tag(Sent(Kind.DATA, ABOUT.payload[16:])) + tag(PICTURE)
BRIEF = Patience(publish=0.2, silence=0.3, farewell=0.2)


async def test_what_is_published_arrives() -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.publisher()
            client.say(client.chunks.whole(ABOUT) + client.chunks.whole(PICTURE, 6))
            await until(lambda: len(here.taken.data) >= len(FLV))
            assert here.taken.data == FLV
            client.say(client.chunks.command("FCUnpublish", 6.0, None, KEY))
            await client.until("Unpublish.Success")
            await client.close()
            assert here.taken.reasons == ["the encoder has stopped"]
            host, port = here.taken.peers[0].split(":")
            assert (host, int(port)) == client.writer.get_extra_info("sockname") or port
            again = await here.publisher()
            await again.close()
            await until(lambda: len(here.taken.reasons) == 2)
            assert here.taken.reasons[1] == "the encoder hung up"
    assert reasons(logs, "rtmp.ended") == here.taken.reasons
    assert not reasons(logs)


async def test_all_that_was_sent_before_hanging_up_arrives() -> None:
    async with site() as here:
        client = await here.publisher()
        client.say(client.chunks.whole(ABOUT))
        for time in range(50):  # so few that no acknowledgement crosses the end
            client.say(client.chunks.whole(Sent(Kind.VIDEO, bytes([time]) * 20_000, time), 6))
        await client.close()
        await until(lambda: here.taken.reasons)
        assert here.taken.data.endswith(tag(Sent(Kind.VIDEO, bytes([49]) * 20_000, 49)))
        assert len(here.taken.data) == len(FLV) - len(tag(PICTURE)) + 50 * 20_015


async def test_who_resets_the_connection_is_gone() -> None:
    async with site() as here:
        client = await here.publisher()
        client.writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
        )
        client.writer.transport.abort()
        await until(lambda: here.taken.reasons)
        await here.publisher()


# Who may not publish.


@pytest.mark.parametrize("app", ["vod", "", KEY])
async def test_another_app(app: str) -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.client()
            client.say(connecting(client.chunks, app))
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
            client.say(opening(client.chunks, key))
            await client.until_over()
            assert client.status()["code"] == "NetStream.Publish.BadName"
            assert client.status()["description"] == "no such stream key"
            assert not here.taken.peers
    assert reasons(logs) == ["no such stream key"]
    assert not key or key not in repr(logs)


@pytest.mark.parametrize("key", [OTHER, quote(OTHER, safe=""), quote(OTHER), f"{OTHER}?time=1"])
async def test_a_key_may_come_encoded_or_with_a_query(key: str) -> None:
    async with site() as here:
        if key == f"{OTHER}?time=1":
            here.doors.add(Secret(OTHER.partition("?")[0].encode()), here.other, Busy.REFUSE)
        await here.publisher(key)
        assert len(here.other.peers) == 1


async def test_a_key_with_a_slash_may_come_in_the_app() -> None:
    async with site() as here:
        client = await here.client()
        first, _, last = OTHER.rpartition("/")
        client.say(opening(client.chunks, last, f"live/{first}"))
        await client.until("Publish.Start")
        assert len(here.other.peers) == 1


async def test_who_comes_second_is_refused() -> None:
    with capture_logs() as logs:
        async with site() as here:
            first = await here.publisher()
            second = await here.client()
            second.say(opening(second.chunks))
            await second.until_over()
            assert second.status()["code"] == "NetStream.Publish.BadName"
            assert second.status()["description"] == "another encoder publishes with this key"
            first.say(first.chunks.whole(PICTURE))
            await until(lambda: tag(PICTURE) in here.taken.data)
            assert not here.taken.reasons
    assert reasons(logs) == ["another encoder publishes with this key"]


async def test_who_comes_second_replaces_the_first() -> None:
    async with site(busy=Busy.REPLACE) as here:
        first = await here.publisher()
        second = await here.publisher()
        await first.until_over()
        assert first.status()["description"] == "another encoder has come"
        assert here.taken.reasons == ["another encoder has come"]
        second.say(second.chunks.whole(PICTURE))
        await until(lambda: tag(PICTURE) in here.taken.data)


async def test_a_closed_door_is_closed_to_who_is_in() -> None:
    async with site() as here:
        client = await here.publisher()
        here.doors.remove(Secret(KEY.encode()))
        await client.until_over()
        assert client.status()["description"] == "the channel is closed"
        assert here.taken.reasons == ["the channel is closed"]


# What is no encoder.


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not RTMP: the first byte is 0x47"),
        (b"\x16\x03\x01\x02\x00", "TLS came where plain RTMP is spoken"),
        (GREETING + b"\xff" * 5000, "a chunk stream begins without a whole header"),
        (GREETING + b"\x02\0\0\0\0\0\x04\x01" + bytes(8), "a chunk size of 0"),
    ],
)
async def test_garbage(said: bytes, reason: str) -> None:
    with capture_logs() as logs:
        async with site() as here:
            client = await here.client()
            client.say(said)
            await client.until_over()
    assert reasons(logs) == [reason]


@pytest.mark.parametrize("said", [b"", b"\x03", GREETING[:1000], GREETING, None])
async def test_who_does_not_go_on_is_hung_up_on(said: bytes | None) -> None:
    with capture_logs() as logs:
        async with site(patience=BRIEF) as here:
            client = await here.client()
            client.say(connecting(client.chunks) if said is None else said)
            await client.until_over()
            await until(lambda: not here.server._open)
    assert reasons(logs) == ["nothing is published after 0.2 s"]


async def test_a_slow_sender_gets_no_more_time() -> None:
    async with site(patience=BRIEF) as here:
        client = await here.client()
        said = iter(opening(client.chunks))
        async with asyncio.timeout(SOON):
            while here.server._open or not client.heard:
                client.say(bytes([next(said)]))
                await asyncio.sleep(0.01)
                client.heard = b"begun"
        assert not here.taken.peers


async def test_who_is_not_heard_of_any_more_leaves_the_key() -> None:
    with capture_logs() as logs:
        async with site(patience=BRIEF) as here:
            busy = await here.publisher()
            silent = await here.publisher(OTHER)
            over = asyncio.create_task(silent.until_over())
            while not over.done():
                busy.say(busy.chunks.whole(PICTURE))
                await asyncio.sleep(0.02)
            assert here.other.reasons == ["no byte for 0.3 s"]
            assert not here.taken.reasons
            await here.publisher(OTHER)
            assert silent.status()["code"] == "NetConnection.Connect.Closed"
    assert reasons(logs, "rtmp.ended")[0] == "no byte for 0.3 s"


async def test_who_does_not_hang_up_is_hung_up_on() -> None:
    async with site(patience=BRIEF) as here:
        client = await here.client()
        client.say(opening(client.chunks, "no such key"))
        await until(lambda: not here.server._open)


async def test_who_does_not_read_is_hung_up_on() -> None:
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
            ping = chunks.whole(Sent(Kind.USER_CONTROL, b"\0\x06time", stream=0), 2)
            async with asyncio.timeout(SOON):
                while here.server._open:
                    with suppress(ConnectionError):
                        await loop.sock_sendall(sock, ping * 1000)
            sock.close()
            await until(lambda: not here.server._open)
            assert here.taken.reasons == ["it does not read what it is told"]
    assert reasons(logs, "rtmp.ended") == here.taken.reasons


async def test_a_crowd_that_says_nothing_hurts_no_publisher() -> None:
    with capture_logs() as logs:
        async with site(most=16) as here:
            publisher = await here.publisher()
            crowd = [await here.client() for _ in range(100)]
            await until(lambda: len(here.server._open) == 17)
            for client in crowd[:84]:
                await client.until_over()
            publisher.say(publisher.chunks.whole(PICTURE))
            await until(lambda: tag(PICTURE) in here.taken.data)
            await here.publisher(OTHER)
    assert reasons(logs) == ["too many connections that do not publish"] * 20


async def test_a_fault_of_ours_costs_one_connection() -> None:
    with capture_logs() as logs:
        async with site() as here:
            here.other.fault = ValueError("a fault")
            good, bad = await here.publisher(), await here.publisher(OTHER)
            bad.say(bad.chunks.whole(PICTURE))
            await bad.until_over()
            good.say(good.chunks.whole(PICTURE))
            await until(lambda: tag(PICTURE) in here.taken.data)
            assert here.other.reasons == ["a fault of ours"]
    assert [entry["event"] for entry in logs].count("rtmp.crashed") == 1


# The server.


async def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SetupError, match=f"^port {port} on 127.0.0.1: Address already in use$"):
            await RtmpServer("127.0.0.1", port, Doors()).start()


async def test_when_the_server_stops_all_are_gone() -> None:
    async with site() as here:
        publisher, other = await here.publisher(), await here.client()
        await here.server.stop()
        await here.server.stop()
        assert here.taken.reasons == ["the server stops"]
        await publisher.until_over()
        await other.until_over()
        await until(lambda: not here.server._open)


async def test_ipv6() -> None:
    doors, taken = Doors(), Taken()
    doors.add(Secret(KEY.encode()), taken, Busy.REFUSE)
    async with RtmpServer("::1", 0, doors) as server:
        client = Client(*await asyncio.open_connection("::1", server.port))
        client.say(opening(client.chunks))
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
        client.say(opening(client.chunks))
        await client.until("Publish.Start")
        big = Sent(Kind.VIDEO, bytes(500_000), 60)
        client.say(b"".join(map(client.chunks.whole, (ABOUT, PICTURE, big))))
        await until(lambda: len(here.taken.data) >= len(FLV + tag(big)))
        assert here.taken.data == FLV + tag(big)
        refused = await here.client(tls=trusting)
        refused.say(opening(refused.chunks))
        await refused.until_over()
        assert refused.status()["code"] == "NetStream.Publish.BadName"
        await client.close()
        await until(lambda: here.taken.reasons)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (GREETING, "TLS: wrong version number"),
        (b"GET / HTTP/1.1\r\n\r\n", "TLS: http request"),
        (b"\x16\x03\x01", "nothing is published after 0.2 s"),
    ],
)
async def test_what_is_no_tls(said: bytes, reason: str, certificate: tuple[Path, Path]) -> None:
    with capture_logs() as logs:
        async with site(tls=server_context(*certificate), patience=BRIEF) as here:
            client = await here.client()
            client.say(said)
            await client.until_over()
            await until(lambda: not here.server._open)
    assert [said.replace("_", " ") for said in reasons(logs)] == [reason]


def test_a_certificate_that_cannot_be_used(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.touch()
    for files in ((missing, certificate[1]), (certificate[0], empty), (empty, certificate[1])):
        with pytest.raises(SetupError) as caught:
            server_context(*files)
        assert str(files[0]) in str(caught.value)
        assert str(caught.value).isprintable()
