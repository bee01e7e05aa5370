"""Who is served where there is more to do than can be done: segments first.

A viewer without the next segment stops; one without a new playlist goes on for a segment or two;
one who wants to rewind can wait. What is at hand is served to all: to refuse it would cost as much.
"""

from dataclasses import dataclass
from enum import IntEnum

from origin.plan import Freshness, Refuse
from origin.request import Fragment, Manifest, Media, Request
from origin.view import Rolling


class Urgency(IntEnum):
    """What comes first."""

    MEDIA = 0
    LIVE = 1
    """Manifests of the live edge."""
    STRETCH = 2
    """Manifests of anything else: start-over, catch-up, events."""


_MOST = {Urgency.MEDIA: 4096, Urgency.LIVE: 3072, Urgency.STRETCH: 2048}
"""Answers that may be in the making, held ones too, for one more of each to be begun."""
_LONGEST = {Urgency.MEDIA: 4.0, Urgency.LIVE: 2.0, Urgency.STRETCH: 1.0}
"""Seconds that a process may be late for one more of each to be begun."""


@dataclass(slots=True)
class Load:
    """How much a process has to do."""

    making: int = 0
    """Answers that are in the making."""
    lag: float = 0.0
    """Seconds that it does late what is due."""


def urgency(request: Request) -> Urgency:
    """What place a request has."""
    match request:
        case Manifest(view=Rolling()):
            return Urgency.LIVE
        case Media() | Fragment():
            return Urgency.MEDIA
        case Manifest():
            return Urgency.STRETCH
        case _:
            return Urgency.LIVE


def admits(load: Load, request: Request) -> bool:
    """Whether to begin to make the answer to `request`."""
    place = urgency(request)
    return load.making < _MOST[place] and load.lag < _LONGEST[place]


def put_off(chance: int) -> Refuse:
    """What is said to who is not admitted; `chance` spreads those who come again."""
    return Refuse(
        503, "more load than can be served", Freshness.UNAVAILABLE, retry_after=1 + chance % 4
    )
