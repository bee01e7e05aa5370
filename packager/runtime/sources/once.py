"""What is wrong with a line, said once until it changes."""

from packager.runtime.sources.line import Taker


class Once:
    """Tells a taker of trouble; the same trouble again is no news."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._said = ""

    def trouble(self, problem: str) -> None:
        """Something is wrong."""
        if problem != self._said:
            self._said = problem
            self._taker.trouble(problem)

    def over(self) -> None:
        """All is well: the same trouble would be news."""
        self._said = ""
