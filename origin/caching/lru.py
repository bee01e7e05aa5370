"""Caches with a bound, for the innermost loop: a hit sets a flag or looks up one dictionary."""

from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """A value of a `SizedCache`."""

    used: bool
    """Set by each user of the value."""

    def let_go(self) -> None:
        """Release the bytes: the cache evicted the value, but other objects may refer to it."""
        ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)
W = TypeVar("W")


class SizedCache(Generic[K, V]):
    """A cache bounded in bytes.

    It evicts the oldest value whose `used` flag has not been set since the last look at it (CLOCK).
    """

    def __init__(self, capacity: int) -> None:
        """Keep at most `capacity` bytes."""
        self.capacity = capacity
        self.size = 0
        """Bytes of all values."""
        self._by_key: dict[K, tuple[V, int]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def put(self, key: K, value: V, size: int) -> None:
        """Keep `value`, of `size` bytes, instead of the value with the same key.

        A value larger than the cache is released at once.
        """
        if (before := self._by_key.pop(key, None)) is not None:
            self.size -= before[1]
            if before[0] is not value:
                before[0].let_go()
        if size > self.capacity:
            value.let_go()
            return
        while self.size + size > self.capacity:
            self._evict_or_pass()
        self._by_key[key] = value, size
        self.size += size

    def _evict_or_pass(self) -> None:
        key, (value, size) = next(iter(self._by_key.items()))
        del self._by_key[key]
        if value.used:
            value.used = False
            self._by_key[key] = value, size
        else:
            self.size -= size
            value.let_go()


class TwoGenerationCache(Generic[K, W]):
    """A cache bounded in entries: after `most` new ones it drops those without a hit."""

    def __init__(self, most: int) -> None:
        """Keep at most twice `most` entries."""
        self.newest: dict[K, W] = {}
        """Look here first; `find` also looks at the older generation."""
        self._older: dict[K, W] = {}
        self._most = most

    def find(self, key: K) -> W | None:
        """The value of `key`, which then is in the newest generation."""
        if (value := self.newest.get(key)) is None and (value := self._older.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: W) -> None:
        """Keep `value` in the newest generation."""
        if len(self.newest) >= self._most:
            self._older, self.newest = self.newest, {}
        self.newest[key] = value
