"""Limits for connections that do not publish, and for the log lines about them."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

import structlog

T = TypeVar("T", bound=Hashable)
_MAX_LINES = 20
"""Log lines about rejected connections in each `_INTERVAL`."""
_INTERVAL = 10.0
"""Seconds."""
_log = structlog.get_logger()


class PendingConnections(Generic[T]):
    """Connections that do not publish yet, in the order of their arrival."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._connections: dict[T, str] = {}
        self._addresses = Counter[str]()

    def add(self, connection: T, address: str) -> T | None:
        """Add a connection from `address`. Returns: the connection to drop if there are too many.

        That is the oldest connection of the address with the most connections.
        """
        dropped = None
        if len(self._connections) >= self._limit:
            ((busiest, _),) = self._addresses.most_common(1)
            dropped = next(c for c, address in self._connections.items() if address == busiest)
            self.remove(dropped)
        self._connections[connection] = address
        self._addresses[address] += 1
        return dropped

    def remove(self, connection: T) -> None:
        """Remove a connection, if it is pending."""
        address = self._connections.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]


class RejectedLog:
    """Logs rejected connections, at most twenty in ten seconds."""

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def add(self, peer: str, reason: str, now: float) -> None:
        """Log a connection rejected at `now`, in seconds of the loop's clock."""
        if now - self._since > _INTERVAL:
            if self._count > _MAX_LINES:
                _log.warning("rtmp.refusals_suppressed", count=self._count - _MAX_LINES)
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= _MAX_LINES:
            _log.warning("rtmp.refused", peer=peer, reason=reason)
