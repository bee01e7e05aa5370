"""RTP packets (RFC 3550), and the order they were sent in.

Sequence numbers have 16 bits and begin anew; all of it is counted modulo 65536.
"""

from dataclasses import dataclass, field

from packager.errors import MediaError

TRANSPORT_STREAM = 33
"""The payload type of an MPEG transport stream (RFC 3551, section 6; RFC 2250)."""

_HEADER = 12
_MASK = 0xFFFF
_WINDOW = 128
"""Packets by which one may come too early or too late: a seventh of a second at 8 Mbit/s."""
_JUMP = 3000
"""Numbers that can be missing; what is further ahead counts anew (RFC 3550, A.1: MAX_DROPOUT)."""
_PATIENCE = 50_000
"""Microseconds that a missing packet is waited for."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """A packet without what RTP alone needs to know (RFC 3550, section 5.1)."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    """Of the payload type's clock."""
    ssrc: int
    """Tells the sources of a session apart; another one after a sender's restart."""
    payload: bytes


def parse_rtp(data: bytes) -> RtpPacket:
    """The packet that `data` is: without CSRCs, header extension and padding.

    Raises:
        MediaError: it is none.
    """
    if len(data) < _HEADER:
        raise MediaError("shorter than an RTP header", offset=len(data))
    first, second = data[0], data[1]
    if first >> 6 != 2:  # noqa: PLR2004 -- the version of RFC 3550
        raise MediaError("not of RTP's version 2")
    begin = _HEADER + 4 * (first & 0x0F)
    if first & 0x10:
        # A profile's own 16 bits, then the length in words of 32 bits (section 5.3.1).
        begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
    end = len(data)
    if first & 0x20:
        # The last octet counts the padding, itself included.
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
class Reorder:
    """Payloads in the order they were sent, each once; what is missing is waited for, not long."""

    lost: int = 0
    """Packets that did not come in time."""
    dropped: int = 0
    """Packets that came twice, or after they were given up."""
    _next: int = -1
    """The number whose turn it is; below 0 before the first packet."""
    _held: dict[int, tuple[bytes, int]] = field(default_factory=dict[int, tuple[bytes, int]])
    """By number: what came before its turn, and when; in the order it came."""
    _jumped: tuple[int, bytes] | None = None
    """A packet far from where it should be: its number and payload."""

    @property
    def deadline(self) -> int | None:
        """When `due` has something to do (monotonic microseconds)."""
        return next(iter(self._held.values()))[1] + _PATIENCE if self._held else None

    def push(self, sequence: int, payload: bytes, now: int) -> list[bytes]:
        """What is next in order, now that this one has come at `now` (monotonic microseconds)."""
        if self._next < 0:
            self._next = sequence
        ahead = (sequence - self._next) & _MASK
        if not ahead:
            return self._in_turn(payload)
        if _MASK + 1 - ahead <= _WINDOW or sequence in self._held:
            self.dropped += 1
            return []
        if ahead >= _JUMP:
            return self._far(sequence, payload)
        self._held[sequence] = payload, now
        ordered: list[bytes] = []
        if ahead >= _WINDOW:
            # Nothing older than the window is waited for; this is the newest.
            while self._held and (sequence - self._next) & _MASK >= _WINDOW:
                ordered += self._give_up()
        return ordered

    def due(self, now: int) -> list[bytes]:
        """What is next in order if what is missing was waited for long enough."""
        ordered: list[bytes] = []
        while (deadline := self.deadline) is not None and deadline <= now:
            ordered += self._give_up()
        return ordered

    def flush(self) -> list[bytes]:
        """All that is held, in order."""
        ordered: list[bytes] = []
        while self._held:
            ordered += self._give_up()
        return ordered

    def _in_turn(self, payload: bytes) -> list[bytes]:
        self._next = (self._next + 1) & _MASK
        self._jumped = None
        return [payload, *self._run()] if self._held else [payload]

    def _far(self, sequence: int, payload: bytes) -> list[bytes]:
        """One far packet is a stray, two in a row are a sender that counts anew (RFC 3550, A.1)."""
        jumped = self._jumped
        if jumped is None or sequence != (jumped[0] + 1) & _MASK:
            self._jumped = sequence, payload
            return []
        ordered = [*self.flush(), jumped[1], payload]
        self._next = (sequence + 1) & _MASK
        self._jumped = None
        return ordered

    def _give_up(self) -> list[bytes]:
        """Go on with the first that is there."""
        after = self._next
        missing = min((sequence - after) & _MASK for sequence in self._held)
        self.lost += missing
        self._next = (after + missing) & _MASK
        return self._run()

    def _run(self) -> list[bytes]:
        """What is held from the next number on, without a hole."""
        ordered: list[bytes] = []
        after = self._next
        while (held := self._held.pop(after, None)) is not None:
            ordered.append(held[0])
            after = (after + 1) & _MASK
        self._next = after
        return ordered
