"""What is kept at hand, within bytes: old things go, unless used since they were seen last.

Recency costs a user no more than setting a flag, so that it can be kept on the hottest of paths.
"""

from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Kept(Protocol):
    """What a shelf holds."""

    used: bool
    """Set by whoever uses it."""

    def let_go(self) -> None:
        """It is kept no longer: whoever still knows it shall not keep its bytes."""
        ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Kept)
W = TypeVar("W")


class Shelf(Generic[K, V]):
    """Things by their keys; where room is wanting the oldest that nobody used goes."""

    def __init__(self, most: int) -> None:
        """Keep at most `most` bytes."""
        self.most = most
        self.octets = 0
        """Bytes that are kept."""
        self._by_key: dict[K, tuple[V, int]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: K, value: V, size: int) -> None:
        """Keep `value`, of `size` bytes, in the place of what was there.

        What is larger than the shelf is let go at once.
        """
        if (before := self._by_key.pop(key, None)) is not None:
            self.octets -= before[1]
            if before[0] is not value:
                before[0].let_go()
        if size > self.most:
            value.let_go()
            return
        while self.octets + size > self.most:
            self._make_room()
        self._by_key[key] = value, size
        self.octets += size

    def _make_room(self) -> None:
        key, (value, size) = next(iter(self._by_key.items()))
        del self._by_key[key]
        if value.used:
            value.used = False
            self._by_key[key] = value, size
        else:
            self.octets -= size
            value.let_go()


class Recent(Generic[K, W]):
    """What was looked up of late: after `most` others, what nobody asked for again is forgotten."""

    def __init__(self, most: int) -> None:
        """Remember at most twice `most` things."""
        self.newest: dict[K, W] = {}
        """Look here first; `find` looks further."""
        self._older: dict[K, W] = {}
        self._most = most

    def find(self, key: K) -> W | None:
        """What is remembered of `key`."""
        if (value := self.newest.get(key)) is None and (value := self._older.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: W) -> None:
        """Remember it."""
        if len(self.newest) >= self._most:
            self._older, self.newest = self.newest, {}
        self.newest[key] = value
