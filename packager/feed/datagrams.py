"""A transport stream that comes in datagrams, plain or in RTP: who sends it, and when it is over.

UDP has no connections. One begins here with a datagram that is a transport stream, belongs to
who sent it, and ends when nothing of the kind has come for two seconds.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from packager.errors import MediaError
from packager.feed.rtp import TRANSPORT_STREAM, Reorder, RtpPacket, parse_rtp

SILENCE = 2_000_000
"""Microseconds without a packet after which the sender is gone."""

_PACKET = 188
_SYNC = 0x47

Address = tuple[object, ...]
"""Of a socket: host and port, and more of IPv6."""


class Carriage(StrEnum):
    """How packets of a transport stream lie in datagrams."""

    PLAIN = "udp"
    RTP = "rtp"


@dataclass(frozen=True, slots=True)
class Began:
    """Somebody sends."""

    peer: str


@dataclass(frozen=True, slots=True)
class Came:
    """Bytes of the transport stream, in order."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The sender is gone, or has begun anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something else comes; told once until a connection begins or ends."""

    problem: str


Event = Began | Came | Ended | Ignored


def carriage_of(datagram: bytes) -> Carriage | None:
    """How `datagram` carries a transport stream, a packet's beginning first; None: it does not."""
    if _is_ts(datagram):
        return Carriage.PLAIN
    packet = _rtp(datagram)
    return Carriage.RTP if packet is not None and _is_ts(packet.payload) else None


def _is_ts(data: bytes) -> bool:
    # No more than a beginning: some senders fill datagrams without regard to packets.
    syncs = data[::_PACKET]
    return len(data) >= _PACKET and syncs.count(_SYNC) == len(syncs)


def _rtp(datagram: bytes) -> RtpPacket | None:
    try:
        packet = parse_rtp(datagram)
    except MediaError:
        return None
    return packet if packet.payload_type == TRANSPORT_STREAM else None


@dataclass(slots=True)
class Reception:
    """Datagrams in, one connection after the other out. Pure: time is monotonic microseconds."""

    senders: Collection[str] | None = None
    """The hosts whose packets count; None: anybody's."""
    strangers: int = 0
    """Datagrams of somebody else than who is there, or may be."""
    foreign: int = 0
    """Datagrams that carry no transport stream."""
    lost: int = 0
    """RTP packets that did not come in time."""
    dropped: int = 0
    """RTP packets that came twice or too late."""
    _peer: Address | None = None
    _carriage: Carriage = Carriage.PLAIN
    _ssrc: int = 0
    _order: Reorder = field(default_factory=Reorder)
    _last: int = 0
    """When the last packet of the peer came."""
    _told: set[str] = field(default_factory=set[str])

    @property
    def connected(self) -> bool:
        """Whether somebody is there."""
        return self._peer is not None

    @property
    def deadline(self) -> int | None:
        """When `due` has something to do."""
        if self._peer is None:
            return None
        held = self._order.deadline
        return self._last + SILENCE if held is None else min(held, self._last + SILENCE)

    def push(self, datagram: bytes, sender: Address, now: int) -> list[Event]:
        """What it means that `sender`'s `datagram` has come at `now`."""
        if self._peer is None:
            return self._begin(datagram, sender, now)
        if sender != self._peer:
            self.strangers += 1
            problem = f"packets of {said(sender)} are ignored: {said(self._peer)} is sending"
            return self._ignored("stranger", problem)
        if self._carriage is Carriage.RTP:
            return self._packet(datagram, sender, now)
        if datagram and datagram[0] != _SYNC and carriage_of(datagram) is Carriage.RTP:
            return self._anew("the sender changed to RTP", datagram, sender, now)
        self._last = now
        return [Came(datagram)] if datagram else []

    def due(self, now: int) -> list[Event]:
        """What it means that it is `now`."""
        if self._peer is None:
            return []
        if now - self._last >= SILENCE:
            return self.end("no packets for 2 s")
        return self._came(self._order.due(now))

    def end(self, reason: str) -> list[Event]:
        """The connection is over."""
        if self._peer is None:
            return []
        events = self._came(self._order.flush())
        self.lost += self._order.lost
        self.dropped += self._order.dropped
        self._order = Reorder()
        self._peer = None
        self._told.clear()
        return [*events, Ended(reason)]

    def _begin(self, datagram: bytes, sender: Address, now: int) -> list[Event]:
        if self.senders is not None and sender[0] not in self.senders:
            self.strangers += 1
            return self._ignored("stranger", f"packets of {said(sender)} are ignored")
        carriage = carriage_of(datagram)
        if carriage is None:
            self.foreign += 1
            return self._ignored(
                "foreign", f"what {said(sender)} sends is no transport stream, plain or in RTP"
            )
        self._peer, self._carriage, self._last = sender, carriage, now
        self._told.clear()
        began = Began(said(sender))
        if carriage is Carriage.PLAIN:
            return [began, Came(datagram)]
        packet = parse_rtp(datagram)
        self._ssrc = packet.ssrc
        return [began, *self._came(self._order.push(packet.sequence, packet.payload, now))]

    def _packet(self, datagram: bytes, sender: Address, now: int) -> list[Event]:
        packet = _rtp(datagram)
        if packet is None:
            if _is_ts(datagram):
                return self._anew("the sender changed to plain UDP", datagram, sender, now)
            # RTCP, error correction, a sender's own.
            self.foreign += 1
            return []
        if packet.ssrc != self._ssrc:
            if _is_ts(packet.payload):
                return self._anew("the sender began anew", datagram, sender, now)
            self.foreign += 1
            return []
        self._last = now
        return self._came(self._order.push(packet.sequence, packet.payload, now))

    def _anew(self, reason: str, datagram: bytes, sender: Address, now: int) -> list[Event]:
        return [*self.end(reason), *self._begin(datagram, sender, now)]

    def _came(self, payloads: list[bytes]) -> list[Event]:
        return [Came(payload) for payload in payloads if payload]

    def _ignored(self, kind: str, problem: str) -> list[Event]:
        if kind in self._told:
            return []
        self._told.add(kind)
        return [Ignored(problem)]


def said(address: Address) -> str:
    """`address` as people write it."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
