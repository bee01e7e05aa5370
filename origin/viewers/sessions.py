"""Viewing sessions, made from CMCD reports."""

from dataclasses import dataclass

from cachetools import LRUCache

from origin.viewers.cmcd import Cmcd
from packager.timing.ticks import UtcMicros

MOST_SESSIONS = 20_000
"""Sessions in memory; the least recently active one is dropped."""
_LONGEST_STARTUP = 120_000
"""Milliseconds. A longer startup is a pause, or ended at another origin."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Quality values of one request; None if absent."""

    channel: str
    cdn: str
    starved: bool
    """The player's buffer ran empty since its previous request."""
    buffer: int | None
    """Milliseconds of media in the player's buffer."""
    throughput: int | None
    """Bit/s that the player measured."""
    startup: int | None
    """Startup time of the session in milliseconds, in the request that ends the startup."""


class Sessions:
    """Sessions that are starting, with their start time.

    A startup lasts from a session's first request, if it has `su`, to its first without. A later
    `su` is a seek or an empty buffer. The startup time of version 2 (`msd`) is used as it is.
    """

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        """Keep `most` sessions."""
        self._begun: LRUCache[tuple[str, str], UtcMicros | None] = LRUCache(most)
        """Start of the startup by channel and session; None after the startup."""

    def __len__(self) -> int:
        return len(self._begun)

    def observe(self, channel: str, cdn: str, cmcd: Cmcd, now: UtcMicros) -> Observation:
        """The quality values of a request received at `now`."""
        return Observation(
            channel=channel,
            cdn=cdn,
            starved=cmcd.starved,
            buffer=cmcd.buffer,
            throughput=None if cmcd.throughput is None else cmcd.throughput * 1000,
            startup=self._startup((channel, cmcd.session), cmcd, now) if cmcd.session else None,
        )

    def _startup(self, session: tuple[str, str], cmcd: Cmcd, now: UtcMicros) -> int | None:
        fresh = session not in self._begun
        begun = self._begun.get(session)
        if not fresh and begun is None:
            return None
        if cmcd.start_delay is not None:
            self._begun[session] = None
            return _credible(cmcd.start_delay)
        if fresh or begun is None:
            self._begun[session] = now if cmcd.startup else None
            return None
        if cmcd.startup:
            return None
        self._begun[session] = None
        return _credible((now - begun) // 1000)


def _credible(startup: int) -> int | None:
    return startup if 0 <= startup <= _LONGEST_STARTUP else None
