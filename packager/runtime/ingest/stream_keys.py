"""The stream keys of encoders that push, and the sink of each.

All channels share one port for RTMP and one for HTTP; the stream key selects the sink.
SRT has no stream key: ffmpeg checks its passphrase (`packager.ffmpeg.srt`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from packager.config.secret import Secret
from packager.feed.report import Container
from packager.runtime.ingest.receiver import FeedSink

T = TypeVar("T")


class KeyRegistry(Generic[T]):
    """Values by stream key. The registry holds the digests of the keys, not the keys.

    A lookup by digest takes the same time for every wrong key, so it reveals nothing of the keys.
    """

    def __init__(self) -> None:
        self._values: dict[bytes, T] = {}

    def add(self, key: Secret, value: T) -> None:
        """Register `key`, with `value` in place of an earlier one."""
        self._values[_digest(key.value)] = value

    def pop(self, key: Secret) -> T | None:
        """Remove `key`. Returns: its value."""
        return self._values.pop(_digest(key.value), None)

    def find(self, text: str) -> T | None:
        """The value of the key `text`, as an encoder sends it."""
        return self._values.get(_digest(text.encode("utf-8", "surrogateescape")))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


class BusyKeyPolicy(StrEnum):
    """The policy for a second encoder that uses a key already in use."""

    REFUSE = "refuse"
    REPLACE = "replace"


class PublishRefusedError(Exception):
    """An encoder may not publish; the text is for the log and the encoder, without the key."""


class NoSuchKeyError(PublishRefusedError):
    """The stream key is unknown."""


@dataclass(slots=True)
class _Endpoint:
    """The sink of a key, and the encoder that publishes to it."""

    sink: FeedSink
    busy: BusyKeyPolicy
    session: "PublishSession | None" = None


class PublishSession:
    """The connection of an encoder that publishes."""

    def __init__(self, endpoint: _Endpoint, hang_up: Callable[[str], None]) -> None:
        """`hang_up` closes the connection, with a reason."""
        self._endpoint = endpoint
        self._hang_up = hang_up

    def received(self, data: bytes) -> None:
        """Pass bytes of the container to the sink."""
        if self._endpoint.session is self:
            self._endpoint.sink.received(data)

    def leave(self, reason: str) -> None:
        """End the session, if it has not ended already."""
        if self._endpoint.session is self:
            self._endpoint.session = None
            self._endpoint.sink.disconnected(reason)

    def evict(self, reason: str) -> None:
        """End the session and close its connection."""
        self.leave(reason)
        self._hang_up(reason)


class StreamKeys:
    """The stream keys of one kind of source, over all channels."""

    def __init__(self) -> None:
        self._endpoints = KeyRegistry[_Endpoint]()

    def add(self, key: Secret, sink: FeedSink, busy: BusyKeyPolicy) -> None:
        """Pass everything published with `key` to `sink`."""
        self._endpoints.add(key, _Endpoint(sink, busy))

    def remove(self, key: Secret) -> None:
        """Refuse `key` from now on, and close the connection of its encoder."""
        endpoint = self._endpoints.pop(key)
        if endpoint is not None and endpoint.session is not None:
            endpoint.session.evict("the channel is closed")

    def knows(self, key: str) -> bool:
        """Whether `key` is a known stream key."""
        return self._endpoints.find(key) is not None

    def enter(
        self, key: str, container: Container, peer: str, hang_up: Callable[[str], None]
    ) -> PublishSession:
        """Let the encoder at `peer` publish with `key`.

        Raises:
            PublishRefusedError: the key is unknown, or in use by another encoder.
        """
        endpoint = self._available(key)
        if endpoint.session is not None:
            endpoint.session.evict("replaced by another encoder")
        endpoint.session = session = PublishSession(endpoint, hang_up)
        endpoint.sink.connected(container, peer)
        return session

    def check(self, key: str) -> None:
        """Check that an encoder with `key` would be let in.

        Raises:
            PublishRefusedError: as of `enter`.
        """
        self._available(key)

    def _available(self, key: str) -> _Endpoint:
        endpoint = self._endpoints.find(key)
        if endpoint is None:
            raise NoSuchKeyError("no such stream key")
        if endpoint.session is not None and endpoint.busy is BusyKeyPolicy.REFUSE:
            raise PublishRefusedError("another encoder publishes with this key")
        return endpoint
