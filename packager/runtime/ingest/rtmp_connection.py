"""One RTMP connection, from its acceptance to its end.

PENDING     the encoder publishes with a known key  -> PUBLISHING
PENDING     refused, too slow, or closed            -> CLOSED
PUBLISHING  ended by either side, or silent         -> CLOSED
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never, cast

import structlog

from packager.feed.report import Container
from packager.rtmp.session import (
    Event,
    PublishWanted,
    RtmpMedia,
    RtmpSession,
    SendBytes,
    SessionEnded,
)
from packager.runtime.ingest.batched_reads import BatchedReader
from packager.runtime.ingest.pending_connections import PendingConnections, RejectedLog
from packager.runtime.ingest.stream_keys import PublishRefusedError, PublishSession, StreamKeys
from packager.runtime.ingest.tls import TlsServerSide

MAX_UNREAD = 1 << 16
"""Bytes of the server's that a client may leave unread."""
_BUFFER_SIZE = 1 << 18
_CLOSED_BY_ENCODER = "the encoder closed the connection"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RtmpTimeouts:
    """Timeouts in seconds."""

    publish: float = 10.0
    """From the connection until the encoder publishes."""
    silence: float = 30.0
    """Without a byte from a publishing encoder."""
    farewell: float = 2.0
    """For the encoder to read the reason of the end, and to close the connection."""


class RtmpConnections:
    """The connections of a server, and what they share."""

    def __init__(
        self, keys: StreamKeys, tls: ssl.SSLContext | None, timeouts: RtmpTimeouts, max_pending: int
    ) -> None:
        self.keys = keys
        self.tls = tls
        self.timeouts = timeouts
        self.buffer = memoryview(bytearray(_BUFFER_SIZE))
        """The buffer that every connection reads into, one after the other."""
        self.reader = BatchedReader(self.buffer)
        """Reads the publishing connections."""
        self.pending = PendingConnections[RtmpConnection](max_pending)
        self.rejected = RejectedLog()
        self.open: set[RtmpConnection] = set()

    def add(self, connection: "RtmpConnection") -> None:
        """Add an accepted connection; drop another if too many are pending."""
        self.open.add(connection)
        dropped = self.pending.add(connection, connection.address)
        if dropped is not None:
            dropped.drop("too many connections that do not publish")

    def remove(self, connection: "RtmpConnection") -> None:
        """Remove a closed connection."""
        self.open.discard(connection)
        self.pending.remove(connection)

    def close_all(self, reason: str) -> None:
        """Close all connections."""
        for connection in list(self.open):
            connection.hang_up(reason)
            connection.abort()


class _State(Enum):
    PENDING = auto()
    PUBLISHING = auto()
    CLOSED = auto()


class RtmpConnection(asyncio.BufferedProtocol):
    """Drives the session of one connection: the event loop calls its methods."""

    def __init__(self, connections: RtmpConnections, loop: asyncio.AbstractEventLoop) -> None:
        self._connections = connections
        self._loop = loop
        self._session = RtmpSession()
        self._tls = None if connections.tls is None else TlsServerSide(connections.tls)
        self._state = _State.PENDING
        self._publishing: PublishSession | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._last_byte_at = 0.0
        """In seconds of the loop's clock; 0 before the first byte."""
        self.address = self.peer = ""

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timeout until the encoder publishes."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- of a TCP server
        self._transport = transport
        self.address, self.peer = _peer_names(transport.get_extra_info("peername"))
        self._set_timer(self._connections.timeouts.publish, self._publish_timed_out)
        self._connections.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 -- one buffer for all
        """The buffer of all connections."""
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Process the bytes in the buffer."""
        if self._state is _State.CLOSED:
            return
        try:
            self._received(nbytes)
        except Exception:  # noqa: BLE001 -- a bug must not close other connections
            _log.exception("rtmp.crashed", peer=self.peer)
            self.drop("internal error of the server")

    def _received(self, nbytes: int) -> None:
        self._last_byte_at = self._loop.time()
        data = bytes(self._connections.buffer[:nbytes])
        if self._tls is not None:
            try:
                data = self._tls.receive(data)
            except ssl.SSLError as error:
                self._write(self._tls.take())
                self.hang_up(f"TLS: {(error.reason or 'not understood').lower()}")
                return
            self._write(self._tls.take())
        if data:
            self._handle(self._session.receive(data))
        if self._tls is not None and self._tls.is_closed:
            self._close(_CLOSED_BY_ENCODER, wait_for_encoder=False)

    def eof_received(self) -> None:
        """End the session; the transport closes itself."""
        self._end(_CLOSED_BY_ENCODER)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session and forget the connection."""
        self._end(_CLOSED_BY_ENCODER if exc is None else _loss_reason(exc))
        if self._timer is not None:
            self._timer.cancel()
        self._connections.remove(self)

    # Events of the session.

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case RtmpMedia(data):
                    if self._publishing is not None:
                        self._publishing.received(data)
                case SendBytes(data):
                    self._send(data)
                case PublishWanted(keys):
                    self._publish(keys)
                case SessionEnded(reason, farewell):
                    self._close(reason, wait_for_encoder=farewell)
                case _:
                    assert_never(event)

    def _publish(self, keys: tuple[str, ...]) -> None:
        """Let the encoder publish with the first known key, or refuse it."""
        registry = self._connections.keys
        key = next(filter(registry.knows, keys), "")
        try:
            self._publishing = registry.enter(key, Container.FLV, self.peer, self.hang_up)
        except PublishRefusedError as refusal:
            self._handle(self._session.dismiss(str(refusal)))
            return
        self._state = _State.PUBLISHING
        self._connections.pending.remove(self)
        if self._transport is not None:
            self._connections.reader.add(self._transport, self.buffer_updated)
        self._set_timer(self._connections.timeouts.silence, self._check_silence)
        _log.info("rtmp.publish_started", peer=self.peer)
        self._handle(self._session.accept())

    def hang_up(self, reason: str) -> None:
        """End the session from the server's side."""
        self._handle(self._session.dismiss(reason))

    def _close(self, reason: str, *, wait_for_encoder: bool) -> None:
        """End the session, and abort the connection a little later.

        An encoder that still sends cannot read the reason from a connection closed at once.
        `wait_for_encoder`: the encoder closes the connection itself, so the server sends no end.
        """
        self._end(reason)
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if not wait_for_encoder:
                self._send_end(transport)
            self._set_timer(self._connections.timeouts.farewell, self.abort)

    def _end(self, reason: str) -> None:
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        if self._transport is not None:
            self._connections.reader.remove(self._transport)
        if self._publishing is not None:
            self._publishing.leave(reason)
            _log.info("rtmp.publish_ended", peer=self.peer, reason=reason)
        elif self._last_byte_at:
            self._connections.rejected.add(self.peer, reason, self._loop.time())

    # The transport.

    def _send(self, data: bytes) -> None:
        if self._tls is not None:
            try:
                self._tls.send(data)
            except ssl.SSLError:
                return  # before the handshake, or after the encoder's close_notify
            data = self._tls.take()
        self._write(data)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if not data or transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > MAX_UNREAD:
            self.drop("the encoder does not read the server's messages")

    def _send_end(self, transport: asyncio.Transport) -> None:
        if self._tls is not None:
            self._tls.close()
            transport.write(self._tls.take())
        with suppress(OSError):  # the encoder may have closed the connection first
            transport.write_eof()

    def drop(self, reason: str) -> None:
        """Abort the connection without a message to the encoder."""
        self._last_byte_at = self._last_byte_at or self._loop.time()
        self._end(reason)
        self.abort()

    def abort(self) -> None:
        """Abort the connection."""
        if self._transport is not None:
            self._transport.abort()

    # Timeouts.

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, then)

    def _publish_timed_out(self) -> None:
        self._last_byte_at = self._last_byte_at or self._loop.time()
        self.hang_up(f"nothing was published within {self._connections.timeouts.publish:g} s")

    def _check_silence(self) -> None:
        """Close the connection if no byte has arrived for too long; otherwise check again."""
        silence = self._connections.timeouts.silence
        left = self._last_byte_at + silence - self._loop.time()
        if left > 0:
            self._set_timer(left, self._check_silence)
        else:
            self.hang_up(f"no bytes from the encoder for {silence:g} s")


def _peer_names(peer: object) -> tuple[str, str]:
    """The address alone, and with its port."""
    match cast("tuple[object, ...] | None", peer):
        case (str(address), int(port), *_):
            return address, f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        case _:
            return "", "a peer that has disconnected"


def _loss_reason(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return f"the connection was lost: {reason or type(error).__name__}"
