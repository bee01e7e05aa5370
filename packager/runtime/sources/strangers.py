"""Connections of which nobody knows yet whether they are an encoder's."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

import structlog

T = TypeVar("T", bound=Hashable)
_LINES = 20
"""Of the log, about connections that came to nothing, in each `_SPELL`."""
_SPELL = 10.0
"""Seconds."""
_log = structlog.get_logger()


class Waiting(Generic[T]):
    """Connections that do not publish, in the order in which they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._connections: dict[T, str] = {}
        self._addresses = Counter[str]()

    def add(self, connection: T, address: str) -> T | None:
        """Add one from `address`; who has to go for it, if somebody has.

        That is the oldest of the address that has the most.
        """
        dropped = None
        if len(self._connections) >= self._most:
            ((crowd, _),) = self._addresses.most_common(1)
            dropped = next(c for c, its in self._connections.items() if its == crowd)
            self.remove(dropped)
        self._connections[connection] = address
        self._addresses[address] += 1
        return dropped

    def remove(self, connection: T) -> None:
        """Remove one, if it is there."""
        address = self._connections.pop(connection, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]


class Nothings:
    """Tells of connections that came to nothing, but no log is filled with them."""

    def __init__(self) -> None:
        self._since = 0.0
        self._count = 0

    def told(self, peer: str, reason: str, now: float) -> None:
        """One more did, at `now` on the loop's clock."""
        if now - self._since > _SPELL:
            if self._count > _LINES:
                _log.warning("rtmp.refused_others", count=self._count - _LINES)
            self._since, self._count = now, 0
        self._count += 1
        if self._count <= _LINES:
            _log.warning("rtmp.refused", peer=peer, reason=reason)
