"""The handshake (specification 1.0, section 5.2), from the server's side.

There is an undocumented handshake with digests. Its clients fall back to this one when the
server's version is 0.
"""

from packager.rtmp.error import RtmpError

VERSION = 3
LENGTH = 1536
"""Bytes of C1, C2, S1 and S2."""
_TLS_HANDSHAKE = 0x16
_S1 = bytes(8) + bytes(range(1, 192)) * 8
"""Time 0, version 0, and a constant instead of random bytes: the client only echoes them."""


class Handshake:
    """The state of one handshake."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._replied = False

    def receive(self, data: bytes) -> tuple[bytes, bytes | None]:
        """The bytes to send, and the bytes behind the handshake; None until it is complete.

        Raises:
            RtmpError: the client does not speak RTMP.
        """
        self._received += data
        reply = b""
        if self._received and self._received[0] != VERSION:
            raise RtmpError(_other_protocol(self._received[0]))
        if not self._replied and len(self._received) > LENGTH:
            self._replied = True
            reply = bytes([VERSION]) + _S1 + self._received[1 : 1 + LENGTH]
        end = 1 + 2 * LENGTH
        return reply, bytes(self._received[end:]) if len(self._received) >= end else None


def _other_protocol(first: int) -> str:
    if first == _TLS_HANDSHAKE:
        return "the encoder speaks TLS: use rtmp:// at this port, rtmps:// at the RTMPS port"
    return f"not RTMP: the first byte is 0x{first:02x}"
