"""A transport stream in datagrams, plain or in RTP: its sender, and the end of a connection.

UDP has no connections. A receiver has these states:

    IDLE   a datagram with a transport stream -> PLAIN or RTP: its sender is the peer
    PLAIN  the peer changes to RTP            -> RTP, as a new connection
    RTP    the peer changes to plain packets  -> PLAIN, as a new connection
           the peer changes its SSRC          -> RTP, as a new connection
    PLAIN, RTP   two seconds without a packet -> IDLE
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from packager.container.ts_packet import PACKET_SIZE, SYNC_BYTE
from packager.errors import MediaError
from packager.transport.rtp import (
    DYNAMIC,
    TRANSPORT_STREAM,
    ReorderBuffer,
    RtpPacket,
    parse_rtp,
)

SILENCE = 2_000_000
"""Microseconds without a packet after which a connection ends."""

_LAYOUTS = ((0, PACKET_SIZE, 1), (4, 192, 2), (0, 204, 2))
"""Offset of the first sync byte, bytes from one to the next, and the least number of them: plain,
with the time stamp of Blu-ray before each packet, with the Reed-Solomon bytes of DVB behind it."""

Address = tuple[object, ...]
"""The address of a socket: host, port, and for IPv6 flow and scope."""


class DatagramFormat(StrEnum):
    """How datagrams carry the packets of a transport stream."""

    PLAIN = "udp"
    RTP = "rtp"


@dataclass(frozen=True, slots=True)
class SenderStarted:
    """A sender starts to send."""

    peer: str


@dataclass(frozen=True, slots=True)
class PayloadReceived:
    """Bytes of the transport stream, in order."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SenderEnded:
    """The sender is silent, or has restarted."""

    reason: str


@dataclass(frozen=True, slots=True)
class DatagramIgnored:
    """Other datagrams arrive; reported once for each connection."""

    problem: str


Event = SenderStarted | PayloadReceived | SenderEnded | DatagramIgnored


def format_of(datagram: bytes) -> DatagramFormat | None:
    """The format of a datagram that begins with a TS packet; None for all other datagrams."""
    if _is_ts(datagram):
        return DatagramFormat.PLAIN
    packet = _rtp(datagram)
    return DatagramFormat.RTP if packet is not None and _is_ts(packet.payload) else None


def _is_ts(data: bytes) -> bool:
    if len(data) < PACKET_SIZE:
        return False
    # The end may be incomplete: some senders fill datagrams without regard to packets.
    for first, stride, least in _LAYOUTS:
        syncs = data[first::stride]
        if len(syncs) >= least and syncs.count(SYNC_BYTE) == len(syncs):
            return True
    return False


def _rtp(datagram: bytes) -> RtpPacket | None:
    try:
        packet = parse_rtp(datagram)
    except MediaError:
        return None
    is_allowed = packet.payload_type == TRANSPORT_STREAM or packet.payload_type in DYNAMIC
    return packet if is_allowed else None


@dataclass(slots=True)
class DatagramReceiver:
    """Turns datagrams into connections. Pure: time is monotonic microseconds."""

    senders: Collection[str] | None = None
    """The hosts whose packets are accepted; None for all hosts."""
    from_others: int = 0
    """Datagrams from a host that is not accepted, or from a second sender."""
    foreign: int = 0
    """Datagrams without a transport stream."""
    lost: int = 0
    """RTP packets that did not arrive in time."""
    dropped: int = 0
    """RTP packets that arrived twice or too late."""
    _peer: Address | None = None
    """None in the state IDLE."""
    _format: DatagramFormat = DatagramFormat.PLAIN
    _ssrc: int = 0
    _payload_type: int = TRANSPORT_STREAM
    _order: ReorderBuffer = field(default_factory=ReorderBuffer)
    _last_arrival: int = 0
    _reported: set[str] = field(default_factory=set[str])

    @property
    def connected(self) -> bool:
        """Whether a sender is sending."""
        return self._peer is not None

    @property
    def deadline(self) -> int | None:
        """The next instant at which `due` has an effect."""
        if self._peer is None:
            return None
        held = self._order.deadline
        silence = self._last_arrival + SILENCE
        return silence if held is None else min(held, silence)

    def push(self, datagram: bytes, sender: Address, now: int) -> list[Event]:
        """The events of a datagram that arrives from `sender` at `now`."""
        if self._peer is None:
            return self._begin(datagram, sender, now)
        if sender != self._peer:
            self.from_others += 1
            peer = address_text(self._peer)
            problem = f"packets from {address_text(sender)} are ignored: {peer} is sending"
            return self._ignored("sender", problem)
        if self._format is DatagramFormat.RTP:
            return self._rtp_packet(datagram, sender, now)
        if datagram and datagram[0] != SYNC_BYTE and format_of(datagram) is DatagramFormat.RTP:
            return self._restart("the sender changed to RTP", datagram, sender, now)
        self._last_arrival = now
        return [PayloadReceived(datagram)] if datagram else []

    def due(self, now: int) -> list[Event]:
        """The events that are due at `now`."""
        if self._peer is None:
            return []
        if now - self._last_arrival >= SILENCE:
            return self.end("no packets for 2 s")
        return self._payloads(self._order.due(now))

    def end(self, reason: str) -> list[Event]:
        """End the connection."""
        if self._peer is None:
            return []
        events = self._payloads(self._order.flush())
        self.lost += self._order.lost
        self.dropped += self._order.dropped
        self._order = ReorderBuffer()
        self._peer = None
        self._reported.clear()
        return [*events, SenderEnded(reason)]

    def _begin(self, datagram: bytes, sender: Address, now: int) -> list[Event]:
        address = address_text(sender)
        if self.senders is not None and sender[0] not in self.senders:
            self.from_others += 1
            return self._ignored("sender", f"packets from {address} are ignored")
        found = format_of(datagram)
        if found is None:
            self.foreign += 1
            problem = f"datagrams from {address} contain no transport stream, plain or in RTP"
            return self._ignored("foreign", problem)
        self._peer, self._format, self._last_arrival = sender, found, now
        self._reported.clear()
        started = SenderStarted(address)
        if found is DatagramFormat.PLAIN:
            return [started, PayloadReceived(datagram)]
        packet = parse_rtp(datagram)
        self._ssrc, self._payload_type = packet.ssrc, packet.payload_type
        return [started, *self._payloads(self._order.push(packet.sequence, packet.payload, now))]

    def _rtp_packet(self, datagram: bytes, sender: Address, now: int) -> list[Event]:
        packet = _rtp(datagram)
        if packet is None:
            if _is_ts(datagram):
                return self._restart("the sender changed to plain UDP", datagram, sender, now)
            # RTCP, forward error correction, or packets of the sender's own.
            self.foreign += 1
            return []
        if (packet.ssrc, packet.payload_type) != (self._ssrc, self._payload_type):
            if _is_ts(packet.payload):
                return self._restart("the sender restarted", datagram, sender, now)
            self.foreign += 1
            return []
        self._last_arrival = now
        return self._payloads(self._order.push(packet.sequence, packet.payload, now))

    def _restart(self, reason: str, datagram: bytes, sender: Address, now: int) -> list[Event]:
        return [*self.end(reason), *self._begin(datagram, sender, now)]

    def _payloads(self, payloads: list[bytes]) -> list[Event]:
        return [PayloadReceived(payload) for payload in payloads if payload]

    def _ignored(self, kind: str, problem: str) -> list[Event]:
        if kind in self._reported:
            return []
        self._reported.add(kind)
        return [DatagramIgnored(problem)]


def address_text(address: Address) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
