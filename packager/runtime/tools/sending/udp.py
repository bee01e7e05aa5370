"""Sends a transport stream over UDP, with or without RTP headers."""

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass, field
from struct import Struct
from urllib.parse import SplitResult

from packager.container.ts_packet import PACKET_SIZE, is_packet
from packager.errors import FeedError, SetupError
from packager.feed.report import Container
from packager.impairment.cutting import TsCutter
from packager.impairment.pace import PACKETS
from packager.runtime.tools.sending.target import without_secret

DATAGRAM = PACKETS * PACKET_SIZE
_RTP = Struct(">BBHII")
_VERSION_2, _MP2T = 0x80, 33
"""First and second byte of an RTP header: version 2, payload type 33 (RFC 3551, section 6)."""


@dataclass(slots=True)
class UdpTarget:
    """Datagrams of seven packets of a transport stream; with RTP headers (RFC 3550, RFC 2250)."""

    url: SplitResult
    is_rtp: bool
    _socket: socket.socket | None = None
    _cutter: TsCutter = field(default_factory=TsCutter)
    _sequence: int = 0
    _source: int = 0
    _address: tuple[object, ...] = ()

    async def begin(self, container: Container) -> None:
        """Resolve the host and open a socket."""
        if container is not Container.TS:
            name = without_secret(self.url)
            raise SetupError(f"{name}: UDP carries a transport stream, the file is an FLV")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(self.url.hostname, self.url.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)  # noqa: FBT003 - the parameter has no other name
            self._address = address
        except OSError as error:
            raise FeedError(f"{without_secret(self.url)}: {error.strerror}") from error
        self._cutter = TsCutter()
        self._source = int.from_bytes(os.urandom(4))

    async def write(self, data: bytes, at: int) -> None:
        """Send all packets that are complete."""
        await self._send(self._cutter.push(data), at)

    async def _send(self, units: list[bytes], at: int) -> None:
        datagram = b""
        for unit in units:
            if not is_packet(unit):
                continue
            datagram += unit
            if len(datagram) == DATAGRAM:
                await self._send_one(datagram, at)
                datagram = b""
        if datagram:
            await self._send_one(datagram, at)

    async def _send_one(self, datagram: bytes, at: int) -> None:
        if self._socket is None:
            return
        if self.is_rtp:
            time = at * 9 // 100 % (1 << 32)  # microseconds to a clock of 90 kHz
            head = _RTP.pack(_VERSION_2, _MP2T, self._sequence, time, self._source)
            self._sequence = (self._sequence + 1) % (1 << 16)
            datagram = head + datagram
        # UDP has no connection: the receiver may start later.
        with contextlib.suppress(ConnectionRefusedError):
            loop = asyncio.get_running_loop()
            await loop.sock_sendto(self._socket, datagram, self._address)

    async def end(self) -> None:
        """Send the last packet, and close the socket."""
        await self._send([self._cutter.rest()], 0)
        await self.abort()

    async def abort(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
