"""The CMAF headers that encoders have announced for a track."""

from dataclasses import dataclass

from packager.cmaf.ingest_header import IngestHeader
from packager.errors import FeedError

_MAX_SENDERS = 32
"""Senders whose header of a track is kept."""


class IngestRefusedError(FeedError):
    """A header or fragment that does not fit the channel."""


class NoHeaderError(FeedError):
    """A fragment of a track without a header."""


@dataclass(frozen=True, slots=True)
class IngestSender:
    """One encoder, as far as requests identify it."""

    name: str
    """The same for all requests of one encoder."""
    connection: str
    """Distinguishes two encoders on one machine, if each keeps its connection."""


@dataclass(frozen=True, slots=True)
class _Announced:
    sender: IngestSender
    header: IngestHeader


class HeaderAnnouncements:
    """The newest header of each sender of one track."""

    def __init__(self) -> None:
        self._known: list[_Announced] = []

    def add(self, sender: IngestSender, header: IngestHeader) -> None:
        """Replace the header of `sender`."""
        others = [known for known in self._known if known.sender != sender]
        self._known = [*others[1 - _MAX_SENDERS :], _Announced(sender, header)]

    def clear(self) -> None:
        """Forget all headers."""
        self._known.clear()

    def header_of(self, sender: IngestSender) -> IngestHeader | None:
        """The header for the fragments of `sender`; None if it is unknown or ambiguous."""
        known = self._known
        for headers in (
            [one.header for one in known if one.sender == sender],
            [one.header for one in known if one.sender.name == sender.name],
        ):
            if headers:
                return headers[-1]
        kinds = {(one.header.edit, one.header.facts.defaults) for one in known}
        return known[-1].header if len(kinds) == 1 else None
