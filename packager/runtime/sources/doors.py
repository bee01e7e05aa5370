"""Who may publish: keys of the encoders that come to us, each with the taker of its bytes.

RTMP and HTTP pushes come to one port for all channels; a key says where the bytes go.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from packager.feed.container import Container
from packager.runtime.sources.line import Taker
from packager.secret import Secret


class Busy(StrEnum):
    """What becomes of who comes while another publishes with the same key."""

    REFUSE = "refuse"
    REPLACE = "replace"


class RefusedError(Exception):
    """Nobody may publish so; the words are for the log and for the encoder, without the key."""


class NoSuchKeyError(RefusedError):
    """The key opens nothing."""


@dataclass(slots=True)
class _Door:
    taker: Taker
    busy: Busy
    visit: "Visit | None" = None


class Visit:
    """The stay of one publisher."""

    def __init__(self, door: _Door, hang_up: Callable[[str], None]) -> None:
        """`hang_up` ends the connection, with a reason in words."""
        self._door = door
        self._hang_up = hang_up

    def received(self, data: bytes) -> None:
        """Bytes of its container have come."""
        if self._door.visit is self:
            self._door.taker.received(data)

    def leave(self, reason: str) -> None:
        """It is over, if it was not already."""
        if self._door.visit is self:
            self._door.visit = None
            self._door.taker.disconnected(reason)

    def evict(self, reason: str) -> None:
        """End it from our side."""
        self.leave(reason)
        self._hang_up(reason)


class Doors:
    """The keys of one kind of source, over all channels."""

    def __init__(self) -> None:
        """Nobody may come yet."""
        self._doors: dict[bytes, _Door] = {}

    def add(self, key: Secret, taker: Taker, busy: Busy) -> None:
        """Bring to `taker` what is published with `key`."""
        self._doors[_digest(key.octets)] = _Door(taker, busy)

    def remove(self, key: Secret) -> None:
        """Nobody may publish with `key` any more; who does is hung up on."""
        door = self._doors.pop(_digest(key.octets), None)
        if door is not None and door.visit is not None:
            door.visit.evict("the channel is closed")

    def knows(self, key: str) -> bool:
        """Whether anybody may ever publish with `key`."""
        return _said(key) in self._doors

    def enter(
        self, key: str, container: Container, peer: str, hang_up: Callable[[str], None]
    ) -> Visit:
        """Let in who says `key`.

        Raises:
            RefusedError: no such key, or another publishes with it.
        """
        door = self._open(key)
        if door.visit is not None:
            door.visit.evict("another encoder has come")
        door.visit = visit = Visit(door, hang_up)
        door.taker.connected(container, peer)
        return visit

    def check(self, key: str) -> None:
        """Find out whether who says `key` would be let in.

        Raises:
            RefusedError: as of `enter`.
        """
        self._open(key)

    def _open(self, key: str) -> _Door:
        # By its digest: how long the look-up takes says nothing of the key.
        door = self._doors.get(_said(key))
        if door is None:
            raise NoSuchKeyError("no such stream key")
        if door.visit is not None and door.busy is Busy.REFUSE:
            raise RefusedError("another encoder publishes with this key")
        return door


def _said(key: str) -> bytes:
    return _digest(key.encode("utf-8", "surrogateescape"))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
