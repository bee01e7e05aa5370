"""An RTMP server in this process, and clients of it."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packager.config.secret import Secret
from packager.feed.report import Container
from packager.rtmp.amf import read_values
from packager.rtmp.message import MessageType
from packager.runtime.ingest.rtmp import RtmpServer
from packager.runtime.ingest.rtmp_connection import RtmpTimeouts
from packager.runtime.ingest.stream_keys import BusyKeyPolicy, StreamKeys
from tests.support.rtmp import KEY, ChunkWriter, opening, replies

SOON = 20.0
"""Seconds: far longer than any step here."""
OTHER = "another-key/with?odd%signs"


@dataclass
class Taken:
    """A sink that records its calls."""

    data: bytes = b""
    peers: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    fault: Exception | None = None

    def connected(self, container: Container, peer: str) -> None:
        assert container is Container.FLV
        self.peers.append(peer)

    def received(self, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        self.data += data

    def disconnected(self, reason: str) -> None:
        self.reasons.append(reason)

    def problem_reported(self, problem: str) -> None:
        raise AssertionError(problem)


@dataclass
class Client:
    """An encoder's connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    chunks: ChunkWriter = field(default_factory=ChunkWriter)
    heard: bytes = b""

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def until(self, code: str) -> None:
        async with asyncio.timeout(SOON):
            while code.encode() not in self.heard:
                data = await self.reader.read(65536)
                assert data, f"hung up without {code}: {self.heard[3073:]!r}"
                self.heard += data

    async def until_over(self) -> None:
        """Wait until the server closes its side; then close this side."""
        async with asyncio.timeout(SOON):
            with suppress(ConnectionError):
                self.heard += await self.reader.read()
            await self.close()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()

    def status(self) -> Any:
        """The last status that the server sent."""
        *_, last = (m for m in replies(self.heard) if m.kind == MessageType.COMMAND)
        return read_values(last.payload)[-1]


@dataclass
class Site:
    server: RtmpServer
    keys: StreamKeys
    taken: Taken
    other: Taken
    clients: list[Client] = field(default_factory=list)

    async def client(self, *, tls: ssl.SSLContext | None = None) -> Client:
        streams = await asyncio.open_connection("127.0.0.1", self.server.port, ssl=tls)
        self.clients.append(Client(*streams))
        return self.clients[-1]

    async def publisher(self, key: str = KEY) -> Client:
        client = await self.client()
        client.send(opening(client.chunks, key))
        await client.until("Publish.Start")
        return client


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def site(
    *,
    busy: BusyKeyPolicy = BusyKeyPolicy.REFUSE,
    tls: ssl.SSLContext | None = None,
    timeouts: RtmpTimeouts | None = None,
    max_pending: int = 256,
) -> AsyncIterator[Site]:
    keys, taken, other = StreamKeys(), Taken(), Taken()
    keys.add(Secret(KEY.encode()), taken, busy)
    keys.add(Secret(OTHER.encode()), other, busy)
    async with RtmpServer(
        "127.0.0.1", 0, keys, tls, timeouts=timeouts, max_pending=max_pending
    ) as server:
        here = Site(server, keys, taken, other)
        yield here
        for client in here.clients:
            await client.close()


def reasons(logs: list[MutableMapping[str, Any]], event: str = "rtmp.refused") -> list[str]:
    assert KEY not in repr(logs)
    return [entry["reason"] for entry in logs if entry["event"] == event]


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    files = folder / "certificate.pem", folder / "key.pem"
    asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    command = ["openssl", *asked.split(), "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*command, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True
    )
    return files
