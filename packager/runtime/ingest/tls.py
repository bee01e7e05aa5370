"""TLS of one connection, on the standard library's memory buffers.

asyncio's TLS keeps a quarter of a megabyte for each connection, and does not let a server count
the connections whose handshake is incomplete.
"""

import ssl
from contextlib import suppress
from pathlib import Path

from packager.errors import SetupError

_RECORD_SIZE = 1 << 14
"""The largest TLS record, in bytes."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The TLS settings of a server with `certificate` and `key`, both PEM files.

    Raises:
        SetupError: the files cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password argument, an encrypted key would prompt on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SetupError(f"certificate {certificate} with key {key}: {reason}") from error
    return context


class TlsServerSide:
    """The server's side of one connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._handshake_done = False
        self.is_closed = False
        """The peer has sent close_notify."""

    def receive(self, data: bytes) -> bytes:
        """The decrypted `data`; afterwards `take` may have bytes to send.

        Raises:
            ssl.SSLError: the peer does not speak a supported TLS.
        """
        self._incoming.write(data)
        parts = list[bytes]()
        with suppress(ssl.SSLWantReadError):
            if not self._handshake_done:
                self._object.do_handshake()
                self._handshake_done = True
            while part := self._object.read(_RECORD_SIZE):
                parts.append(part)
            self.is_closed = True
        return b"".join(parts)

    def send(self, data: bytes) -> None:
        """Encrypt `data` for `take`."""
        self._object.write(data)

    def close(self) -> None:
        """Encrypt a close_notify for `take`."""
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def take(self) -> bytes:
        """The encrypted bytes to send."""
        return self._outgoing.read()
