"""The RTMP and RTMPS servers: encoders of all channels publish at one port."""

import asyncio
import socket
import ssl
from types import TracebackType
from typing import Self

from packager.host.sockets import listen_at
from packager.runtime.ingest.rtmp_connection import (
    MAX_UNREAD,
    RtmpConnection,
    RtmpConnections,
    RtmpTimeouts,
)
from packager.runtime.ingest.stream_keys import StreamKeys

_BACKLOG = 256
"""Connections accepted at once: the most by which the limit of connections can be exceeded."""


class RtmpServer:
    """Accepts connections, and passes published streams to the sinks of their keys."""

    def __init__(
        self,
        host: str,
        port: int,
        keys: StreamKeys,
        tls: ssl.SSLContext | None = None,
        *,
        timeouts: RtmpTimeouts | None = None,
        max_pending: int = 256,
    ) -> None:
        """With `tls`, speak RTMPS. Keep at most `max_pending` connections that do not publish."""
        self.connections = RtmpConnections(keys, tls, timeouts or RtmpTimeouts(), max_pending)
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port; the kernel's choice if 0 was configured."""
        assert self._server is not None  # noqa: S101 -- only a started server has a port
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen.

        Raises:
            SetupError: the port cannot be opened.
        """
        loop = asyncio.get_running_loop()
        listener = listen_at(self._host, self._port)
        # The server's messages are short: a client that does not read gets no larger buffer.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_UNREAD)
        self._server = await loop.create_server(
            lambda: RtmpConnection(self.connections, loop), sock=listener, backlog=_BACKLOG
        )

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
            self.connections.close_all("the server stops")
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
