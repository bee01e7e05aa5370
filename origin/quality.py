"""What viewers have of a channel, as their players' requests tell it."""

from dataclasses import dataclass

from cachetools import LRUCache

from origin.cmcd import Cmcd
from packager.ticks import UtcMicros

MOST_SESSIONS = 20_000
"""That are remembered: the one that was heard of longest ago is forgotten."""
_LONGEST_STARTUP = 120_000
"""Milliseconds: what takes longer is somebody who paused, or an end that another origin saw."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one request tells; None where it does not."""

    channel: str
    cdn: str
    starved: bool
    """The player's buffer ran dry since its request before."""
    buffer: int | None
    """Milliseconds of media that the player has."""
    throughput: int | None
    """Bit/s that the player measured."""
    startup: int | None
    """Milliseconds that the session took to start: told once, by the request that ends it."""


class Sessions:
    """Which sessions are still starting, and since when.

    A session starts with its first request, if that says that it is needed to start, and has
    started with the first that does not say so. Later ones that say so again seek, or refill a
    buffer that ran dry. A player that says itself how long it took (version 2) is believed.
    """

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        """Remember `most` sessions."""
        self._begun: LRUCache[tuple[str, str], UtcMicros | None] = LRUCache(most)
        """By channel and session; None once it has started."""

    def __len__(self) -> int:
        return len(self._begun)

    def observe(self, channel: str, cdn: str, cmcd: Cmcd, now: UtcMicros) -> Observation:
        """What a request that came `now` tells."""
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
