"""Admission of requests under overload: segments first.

A viewer without the next segment stalls. A viewer without a new playlist continues for a segment or
two. A start-over can wait. Cached responses are always served: a refusal costs as much.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

from origin.decision.plan import Freshness, Refuse
from origin.urls.request import Manifest, MediaObject, Request, SmoothFragment
from origin.urls.view import RollingView


class Priority(IntEnum):
    """Priority under overload; lower is served first."""

    MEDIA = 0
    LIVE = 1
    """Manifests of the live edge."""
    STRETCH = 2
    """Manifests of other views: start-over, catch-up, events."""


_MOST = {Priority.MEDIA: 4096, Priority.LIVE: 3072, Priority.STRETCH: 2048}
"""Maximum of responses in preparation, held ones included, for one more to start."""
_LONGEST = {Priority.MEDIA: 4.0, Priority.LIVE: 2.0, Priority.STRETCH: 1.0}
"""Maximum event loop lag, in seconds, for one more response to start."""


@dataclass(slots=True)
class Load:
    """Load of a process."""

    making: int = 0
    """Responses in preparation."""
    lag: float = 0.0
    """Event loop lag, in seconds."""

    @contextmanager
    def making_one(self) -> Generator[None]:
        """Count a response as in the making."""
        self.making += 1
        try:
            yield
        finally:
            self.making -= 1

    @contextmanager
    def pausing_one(self) -> Generator[None]:
        """Do not count a response that is in the making: its request waits, and makes no work."""
        self.making -= 1
        try:
            yield
        finally:
            self.making += 1

    def note_lateness(self, late: float) -> None:
        """Take in by how many seconds the event loop was late.

        One long step is no overload yet; several in a row are.
        """
        self.lag = late if late < self.lag else (self.lag + late) / 2


def urgency(request: Request) -> Priority:
    """Priority of a request."""
    match request:
        case Manifest(view=RollingView()):
            return Priority.LIVE
        case MediaObject() | SmoothFragment():
            return Priority.MEDIA
        case Manifest():
            return Priority.STRETCH
        case _:
            return Priority.LIVE


def admits(load: Load, request: Request) -> bool:
    """Whether the load allows to prepare a response."""
    place = urgency(request)
    return load.making < _MOST[place] and load.lag < _LONGEST[place]


def put_off(chance: int) -> Refuse:
    """503; `chance` spreads the retries over four seconds."""
    return Refuse(
        503, "the origin is overloaded", Freshness.UNAVAILABLE, retry_after=1 + chance % 4
    )
