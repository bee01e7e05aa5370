"""TLS of one connection, on the library's own sans-IO object.

asyncio's TLS keeps a quarter of a megabyte for each connection, and those that have not greeted
yet are nobody's to count.
"""

import ssl
from contextlib import suppress
from pathlib import Path

from packager.errors import SetupError

_RECORD = 1 << 14
"""Bytes of a TLS record at most."""


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What a server with `certificate` and `key`, both PEM files, goes by.

    Raises:
        SetupError: they cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a passphrase would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise SetupError(f"certificate {certificate} with key {key}: {reason}") from error
    return context


class Tls:
    """The server's side of one connection."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._come, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._come, self._out, server_side=True)
        self._greeted = False
        self.over = False
        """The other side has said that no more comes."""

    def receive(self, data: bytes) -> bytes:
        """What `data` says in plain; something may be there to `take` after it.

        Raises:
            ssl.SSLError: it is no TLS that we understand.
        """
        self._come.write(data)
        parts = list[bytes]()
        with suppress(ssl.SSLWantReadError):
            if not self._greeted:
                self._object.do_handshake()
                self._greeted = True
            while part := self._object.read(_RECORD):
                parts.append(part)
            self.over = True
        return b"".join(parts)

    def send(self, data: bytes) -> None:
        """Say `data`: it is there to `take` then."""
        self._object.write(data)

    def end(self) -> None:
        """Say that no more comes."""
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def take(self) -> bytes:
        """What is to be sent."""
        return self._out.read()
