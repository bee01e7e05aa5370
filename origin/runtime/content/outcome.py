"""The outcomes of a request: the closed set of cases that both lanes handle."""

from dataclasses import dataclass

from origin.caching.prepared import PreparedResponse
from origin.decision.plan import ServeFragment, ServeGrowing, ServeInit, ServeMedia, Wait

MediaPlan = ServeMedia | ServeInit | ServeFragment


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep the request until the timeline has grown; refuse it when the time is up."""

    wait: Wait


@dataclass(frozen=True, slots=True)
class Stream:
    """Send a segment while the packager writes it."""

    plan: ServeGrowing
    response: PreparedResponse
    """The response without its body."""


@dataclass(frozen=True, slots=True)
class ReadMedia:
    """Read the body from the media store, outside of the event loop."""

    plan: MediaPlan


Outcome = PreparedResponse | Hold | Stream | ReadMedia
