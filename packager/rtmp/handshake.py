"""The handshake (specification 1.0, section 5.2), from the server's side.

Clients of the handshake with digests, which is in no specification, go on with this one when they
see that the server's version is 0.
"""

from packager.rtmp.error import RtmpError

VERSION = 3
LENGTH = 1536
"""Bytes of C1, C2, S1 and S2."""
_TLS_HANDSHAKE = 0x16
_S1 = bytes(8) + bytes(range(1, 192)) * 8
"""Time 0, version 0, and what should be random: it is sent back and tells nothing."""


class Handshake:
    """What has come of it so far."""

    def __init__(self) -> None:
        self._come = bytearray()
        self._answered = False

    def receive(self, data: bytes) -> tuple[bytes, bytes | None]:
        """What is to be sent, and what came behind the handshake; None while it lasts.

        Raises:
            RtmpError: this is no RTMP.
        """
        self._come += data
        answer = b""
        if self._come and self._come[0] != VERSION:
            raise RtmpError(_otherwise(self._come[0]))
        if not self._answered and len(self._come) > LENGTH:
            self._answered = True
            answer = bytes([VERSION]) + _S1 + self._come[1 : 1 + LENGTH]
        over = 1 + 2 * LENGTH
        return answer, bytes(self._come[over:]) if len(self._come) >= over else None


def _otherwise(first: int) -> str:
    if first == _TLS_HANDSHAKE:
        return "TLS came where plain RTMP is spoken"
    return f"not RTMP: the first byte is 0x{first:02x}"
