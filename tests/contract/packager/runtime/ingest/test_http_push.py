import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from packager.config.secret import Secret
from packager.errors import SetupError
from packager.feed.report import Container
from packager.runtime.ingest import http_push
from packager.runtime.ingest.http_push import IngestHttp
from packager.runtime.ingest.stream_keys import BusyKeyPolicy, StreamKeys
from tests.support import footage
from tests.support.receivers import Taken, ffmpeg_sends, free_port, program

FEED = footage.train()
KEY = "a-key-of-an-encoder/%{1}"
REPLACED = "another-key-of-another"
QUOTED = "a-key-of-an-encoder%2F%25%7B1%7D"


class Port:
    """An ingest port with two keys, and their sinks."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.url = f"http://127.0.0.1:{number}"
        self.push = f"{self.url}/push/{QUOTED}"
        self.replaced = f"{self.url}/push/{REPLACED}"
        self.taken, self.other, self.keys = Taken(), Taken(), StreamKeys()
        self.keys.add(Secret(KEY.encode()), self.taken, BusyKeyPolicy.REFUSE)
        self.keys.add(Secret(REPLACED.encode()), self.other, BusyKeyPolicy.REPLACE)

    @asynccontextmanager
    async def raw(
        self, head: str
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        try:
            writer.write(head.replace("\n", "\r\n").encode())
            yield reader, writer
        finally:
            writer.close()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    port = Port(free_port(socket.SOCK_STREAM))
    server = IngestHttp("127.0.0.1", port.number, port.keys)
    await server.start()
    yield port
    await server.stop()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def status(head: bytes) -> int:
    return int(head.split()[1])


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 10_001):
        yield data[at : at + 10_001]
        await asyncio.sleep(0)


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_body_in_chunks_or_of_known_length_arrives_unchanged(
    port: Port, client: aiohttp.ClientSession, method: str
) -> None:
    feed = FEED.read_bytes()
    for body in (chunks(feed), BytesIO(feed)):
        async with client.request(method, port.push, data=body) as answer:
            assert answer.status == 200
        assert port.taken.data == feed
        assert port.taken.container is Container.TS
        assert re.fullmatch(r"127\.0\.0\.1:\d+", port.taken.peer)
    assert port.taken.calls == ["connected", "received", "disconnected"] * 2
    assert port.taken.reasons == ["the sender ended the feed"] * 2


async def test_curl_and_ffmpeg_push(port: Port, tmp_path: Path) -> None:
    async with program("curl", "-sS", "-T", str(FEED), port.push) as curl:
        assert await curl.wait() == 0
    assert port.taken.data == FEED.read_bytes()
    flv = tmp_path / "sent.flv"
    take = ("-t", "2", "-i", str(FEED), "-map", "0", "-c", "copy", "-bsf:a", "aac_adtstoasc")
    async with program(
        *ffmpeg_sends(*take, "-f", "flv", "-flvflags", "no_duration_filesize", str(flv))
    ) as ffmpeg:
        assert await ffmpeg.wait() == 0
    async with program("curl", "-sS", "-T", "-", port.push) as curl:
        assert await curl.wait() == 0
    send = ffmpeg_sends(
        "-i",
        str(flv),
        "-c",
        "copy",
        "-f",
        "flv",
        "-flvflags",
        "no_duration_filesize",
        "-method",
        "PUT",
        port.replaced,
    )
    async with program(*send) as ffmpeg:
        assert await ffmpeg.wait() == 0
    await port.other.until_calls("connected", "received", "disconnected")
    assert port.other.container is Container.FLV
    assert port.other.data[:3] == b"FLV"


async def test_wrong_keys_are_404_and_a_busy_one_is_409(
    port: Port, client: aiohttp.ClientSession
) -> None:
    async with client.put(f"{port.url}/push/a-key-of-nobody", data=b"G") as answer:
        assert (answer.status, await answer.text()) == (404, "no such stream key\n")
    head = f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nContent-Length: 1000\n\nG"
    async with port.raw(head):
        await port.taken.until_calls("connected", "received")
        async with client.put(port.push, data=b"G") as answer:
            assert answer.status == 409
            assert await answer.text() == "another encoder publishes with this key\n"
    await port.taken.until_calls("connected", "received", "disconnected")
    assert port.taken.reasons == ["the connection was lost"]


async def test_a_later_encoder_replaces_the_first_if_configured(
    port: Port, client: aiohttp.ClientSession
) -> None:
    head = f"PUT /push/{REPLACED} HTTP/1.1\nHost: a\nContent-Length: 1000\n\nG"
    async with port.raw(head) as (reader, _):
        await port.other.until_calls("connected", "received")
        async with client.put(port.replaced, data=b"Gnew") as answer:
            assert answer.status == 200
        assert await hung_up(reader)
    assert port.other.calls == ["connected", "received", "disconnected"] * 2
    assert port.other.reasons == [
        "replaced by another encoder",
        "the sender ended the feed",
    ]
    assert port.other.data == b"Gnew"


async def test_a_door_that_closes_hangs_up(port: Port) -> None:
    async with port.raw(f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nContent-Length: 9\n\nG") as (
        reader,
        _,
    ):
        await port.taken.until_calls("connected", "received")
        port.keys.remove(Secret(KEY.encode()))
        assert await hung_up(reader)
    assert port.taken.reasons == ["the channel is closed"]


async def hung_up(reader: asyncio.StreamReader) -> bool:
    try:
        return not await reader.read()
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    ("body", "code"), [(b"", 400), (b"FL", 415), (b"FLAC", 415), (b"\x00\x00\x00\x18ftyp", 415)]
)
async def test_other_bodies_are_refused_in_one_line(
    port: Port, client: aiohttp.ClientSession, body: bytes, code: int
) -> None:
    async with client.put(port.push, data=body) as answer:
        text = await answer.text()
        assert answer.status == code
        assert text.count("\n") == 1
    assert port.taken.calls == []


async def test_compressed_bodies_are_refused(port: Port, client: aiohttp.ClientSession) -> None:
    async with client.put(port.push, data=b"G", headers={"Content-Encoding": "gzip"}) as answer:
        assert answer.status == 415


async def test_broken_chunks_are_silence(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_push, "PATIENCE", 0.2)
    head = f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n1\nG\n"
    async with port.raw(head) as (reader, writer):
        await port.taken.until_calls("connected", "received")
        writer.write(b"XYZ\r\n")
        assert status(await reader.readline()) == 408
    assert port.taken.calls == ["connected", "received", "disconnected"]


async def test_idle_and_slow_senders_lose_their_key(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_push, "PATIENCE", 0.2)
    head = f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n"
    async with port.raw(head) as (reader, _):
        assert status(await reader.readline()) == 408
    assert port.taken.calls == []
    async with port.raw(head) as (reader, writer):
        answer = asyncio.create_task(reader.readline())
        while not answer.done():
            writer.write(b"1\r\nG\r\n")
            await asyncio.sleep(0.01)
        assert status(await answer) == 408
    assert port.taken.reasons[0].startswith("too slow for a feed: ")


async def test_half_a_request_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_push, "PATIENCE", 0.2)
    port = Port(free_port(socket.SOCK_STREAM))
    server = IngestHttp("127.0.0.1", port.number, port.keys)
    await server.start()
    try:
        for head in ("", "PUT /push/", f"PUT /push/{QUOTED} HTTP/1.1\nHo"):
            async with port.raw(head) as (reader, _):
                assert await hung_up(reader)
    finally:
        await server.stop()


async def test_no_more_than_so_many_connections_are_taken(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_push, "_MAX_CONNECTIONS", 1)
    async with port.raw(f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nContent-Length: 9\n\nG"):
        await port.taken.until_calls("connected", "received")
        async with port.raw("") as (reader, _):
            assert await hung_up(reader)


async def test_garbage_gets_400_and_no_key_is_logged(
    port: Port, client: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str]
) -> None:
    for garbage in (
        f"PUT /push/{QUOTED} NOHTTP\n\n",
        f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nContent-Length: -1\n\n",
        f"PUT /push/{QUOTED} HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 2\n\n",
        f"PUT /push/{QUOTED} HTTP/1.1\n{'a' * 9000}: b\n\n",
        "\x16\x03\x01\x02\x00\n\n",
    ):
        async with port.raw(garbage) as (reader, _):
            assert status(await reader.readline()) == 400
    async with client.get(port.push) as answer:
        assert answer.status == 405
    async with client.put(port.push, data=b"nothing") as answer:
        assert answer.status == 415
    output = "".join(capfd.readouterr())
    assert "push.refused" in output
    assert KEY[:10] not in output


async def test_a_port_in_use_is_a_setup_error(port: Port) -> None:
    with pytest.raises(
        SetupError, match=f"port {port.number} on 127.0.0.1: Address already in use"
    ):
        await IngestHttp("127.0.0.1", port.number, StreamKeys()).start()


async def test_bugs_of_other_routes_are_logged_without_a_key(
    client: aiohttp.ClientSession, capfd: pytest.CaptureFixture[str]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="here")

    async def broken(_: web.Request) -> web.Response:
        raise ValueError

    number = free_port(socket.SOCK_STREAM)
    server = IngestHttp("127.0.0.1", number, StreamKeys())
    server.add_routes([web.get("/cmaf/x", answer), web.get("/cmaf/{key}/broken", broken)])
    await server.start()
    try:
        async with client.get(f"http://127.0.0.1:{number}/cmaf/x") as got:
            assert await got.text() == "here"
        async with client.get(f"http://127.0.0.1:{number}/cmaf/secret-key/broken") as got:
            assert got.status == 500
    finally:
        await server.stop()
    output = "".join(capfd.readouterr())
    assert "ingest.request_failed" in output
    assert "secret-key" not in output
