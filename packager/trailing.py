"""Whether media trails the clock by more than its way takes, and does not make up for it."""

from packager.ticks import UtcMicros

_PATIENCE = 2_000_000
"""Microseconds in which a source that sends at once what it held back has done so."""
_WON = 4
"""The part of what passes meanwhile that it has to win: a source in real time wins a twentieth."""


class Trailing:
    """Watches how far the media of one period trails."""

    def __init__(self, most: int) -> None:
        """Bear up to `most` microseconds."""
        self._most = most
        self._late: int | None = None
        self._since = UtcMicros(0)

    def stays(self, late: int, now: UtcMicros) -> bool:
        """Whether media that is `late` at the instant `now` stays so: both in microseconds."""
        if late <= self._most:
            self._late = None
            return False
        if self._late is None:
            self._late, self._since = late, now
        if (passed := now - self._since) < _PATIENCE:
            return False
        won, self._late, self._since = self._late - late, late, now
        return won * _WON < passed
