"""RTP packets (RFC 3550), and the restoration of their order.

Sequence numbers have 16 bits and wrap: all arithmetic is modulo 65536.
"""

from dataclasses import dataclass, field

from packager.errors import MediaError

TRANSPORT_STREAM = 33
"""The payload type of an MPEG transport stream (RFC 3551, section 6; RFC 2250)."""
DYNAMIC = range(96, 128)
"""The payload types that a session description assigns: some senders use one of them."""

_HEADER_SIZE = 12
_MASK = 0xFFFF
_WINDOW = 128
"""Packets by which one may be early or late: a seventh of a second at 8 Mbit/s."""
_MAX_DROPOUT = 3000
"""Missing numbers; a number further ahead restarts the sequence (RFC 3550, A.1)."""
_MAX_WAIT = 50_000
"""Microseconds to wait for a missing packet."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A packet, without the fields that concern RTP alone (RFC 3550, section 5.1)."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    """In ticks of the payload type's clock."""
    ssrc: int
    """Identifies the source in a session; a restarted sender has another."""
    payload: bytes


def parse_rtp(data: bytes) -> RtpPacket:
    """The packet in `data`, without CSRCs, header extension and padding.

    Raises:
        MediaError: `data` is no RTP packet.
    """
    if len(data) < _HEADER_SIZE:
        raise MediaError("shorter than an RTP header", offset=len(data))
    first, second = data[0], data[1]
    if first >> 6 != 2:  # noqa: PLR2004 -- the version of RFC 3550
        raise MediaError("not of RTP's version 2")
    begin = _HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        # 16 bits of a profile, then the length in words of 32 bits (section 5.3.1).
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    end = len(data)
    if first & 0x20:
        # The last byte counts the padding bytes, itself included.
        padding = data[-1]
        if not padding:
            raise MediaError("RTP padding of no length", offset=end - 1)
        end -= padding
    if begin > end:
        raise MediaError("an RTP header longer than its packet", offset=end)
    return RtpPacket(
        payload_type=second & 0x7F,
        marker=bool(second & 0x80),
        sequence=int.from_bytes(data[2:4], "big"),
        timestamp=int.from_bytes(data[4:8], "big"),
        ssrc=int.from_bytes(data[8:12], "big"),
        payload=data[begin:end],
    )


@dataclass(slots=True)
class ReorderBuffer:
    """Restores the order of payloads, each once; waits a short time for missing packets."""

    lost: int = 0
    """Packets that did not arrive in time."""
    dropped: int = 0
    """Packets that arrived twice, or after the wait for them."""
    _next: int = -1
    """The next number in order; negative before the first packet."""
    _held: dict[int, tuple[bytes, int]] = field(default_factory=dict[int, tuple[bytes, int]])
    """By number: the payload of an early packet and its arrival, in order of arrival."""
    _jumped: tuple[int, bytes] | None = None
    """The number and payload of a packet far from the expected number."""

    @property
    def deadline(self) -> int | None:
        """The next instant at which `due` has an effect (monotonic microseconds)."""
        return next(iter(self._held.values()))[1] + _MAX_WAIT if self._held else None

    def push(self, sequence: int, payload: bytes, now: int) -> list[bytes]:
        """The payloads that are next in order after a packet at `now` (monotonic microseconds)."""
        if self._next < 0:
            self._next = sequence
        ahead = (sequence - self._next) & _MASK
        if not ahead:
            return self._in_turn(payload)
        if _MASK + 1 - ahead <= _WINDOW or sequence in self._held:
            self.dropped += 1
            return []
        if ahead >= _MAX_DROPOUT:
            return self._far(sequence, payload)
        self._held[sequence] = payload, now
        ordered: list[bytes] = []
        if ahead >= _WINDOW:
            # Packets older than the window are given up; this packet is the newest.
            while self._held and (sequence - self._next) & _MASK >= _WINDOW:
                ordered += self._give_up()
        return ordered

    def due(self, now: int) -> list[bytes]:
        """The payloads that are next in order after the wait for missing packets."""
        ordered: list[bytes] = []
        while (deadline := self.deadline) is not None and deadline <= now:
            ordered += self._give_up()
        return ordered

    def flush(self) -> list[bytes]:
        """All held payloads, in order."""
        ordered: list[bytes] = []
        while self._held:
            ordered += self._give_up()
        return ordered

    def _in_turn(self, payload: bytes) -> list[bytes]:
        self._next = (self._next + 1) & _MASK
        self._jumped = None
        return [payload, *self._run()] if self._held else [payload]

    def _far(self, sequence: int, payload: bytes) -> list[bytes]:
        """Ignore one far packet; two in a row restart the sequence (RFC 3550, A.1)."""
        jumped = self._jumped
        if jumped is None or sequence != (jumped[0] + 1) & _MASK:
            self._jumped = sequence, payload
            return []
        ordered = [*self.flush(), jumped[1], payload]
        self._next = (sequence + 1) & _MASK
        self._jumped = None
        return ordered

    def _give_up(self) -> list[bytes]:
        """Skip to the first held packet."""
        after = self._next
        missing = min((sequence - after) & _MASK for sequence in self._held)
        self.lost += missing
        self._next = (after + missing) & _MASK
        return self._run()

    def _run(self) -> list[bytes]:
        """The held payloads from the next number up to the next gap."""
        ordered: list[bytes] = []
        after = self._next
        while (held := self._held.pop(after, None)) is not None:
            ordered.append(held[0])
            after = (after + 1) & _MASK
        self._next = after
        return ordered
