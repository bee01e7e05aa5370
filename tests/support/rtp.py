"""RTP packets for tests."""

from collections.abc import Sequence
from struct import Struct

_FIXED = Struct(">BBHII")


def rtp(
    sequence: int,
    payload: bytes,
    *,
    payload_type: int = 33,
    ssrc: int = 7,
    csrcs: Sequence[int] = (),
    extension: bytes | None = None,
    padding: int = 0,
    marker: bool = False,
) -> bytes:
    """A packet (RFC 3550, section 5.1)."""
    first = 0x80 | (0x20 if padding else 0) | (0x10 if extension is not None else 0) | len(csrcs)
    head = _FIXED.pack(first, payload_type | marker << 7, sequence, 90_000, ssrc)
    head += b"".join(csrc.to_bytes(4, "big") for csrc in csrcs)
    if extension is not None:
        head += b"\xbe\xde" + (len(extension) // 4).to_bytes(2, "big") + extension
    return head + payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")
