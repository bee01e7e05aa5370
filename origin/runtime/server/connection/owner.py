"""The object that a connection of the public port reports to."""

import asyncio
from typing import Protocol, TypeVar

C_contra = TypeVar("C_contra", bound=asyncio.Transport, contravariant=True)
"""The class of the connection."""


class ConnectionOwner(Protocol[C_contra]):
    """The object that a connection reports to."""

    @property
    def tick(self) -> float:
        """Monotonic seconds at the start of the last batch."""
        ...

    def requests(self, connection: C_contra, data: bytes) -> None:
        """Read requests: bytes have arrived while none is answered."""
        ...

    def aiohttp_protocol(self) -> asyncio.Protocol:
        """A new protocol of aiohttp's, for one connection."""
        ...

    def forget(self, connection: C_contra) -> None:
        """The connection is closed."""
        ...
