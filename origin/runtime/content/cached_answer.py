"""The answer to one request: the current plan, and the responses prepared from it."""

from origin.caching.counters import ChannelCounters
from origin.caching.prepared import PreparedResponse
from origin.decision.decide import decide, settled_until
from origin.decision.plan import Plan, ServeManifest
from origin.http.response import Response
from origin.runtime.journal.follower import FollowedChannel
from origin.urls.request import Manifest, MediaObject, Request, SmoothFragment
from packager.timeline.model import Timeline
from packager.timing.ticks import MICROS, UtcMicros

_RECHECK = 30 * MICROS
_COLD = 90 * MICROS
"""Microseconds without a request after which the page cache may have dropped a file's bytes."""
_OVERHEAD = 1024
"""Bytes of an answer beside its bodies."""


class CachedAnswer:
    """The plan for a request and the responses prepared from it, with the time they are valid for.

    The plan is valid while the channel's timeline is `timeline` and the clock is before
    `valid_until`.
    """

    __slots__ = (
        *("__weakref__", "_decided_at", "channel", "channel_name", "gzipped", "kind", "plain"),
        *("plan", "request", "timeline", "used", "valid_until"),
    )

    def __init__(self, request: Request, channel: FollowedChannel) -> None:
        self.request = request
        self.channel = channel
        self.channel_name = channel.name
        """The channel's label in metrics and log; empty if the channel is not configured."""
        self.kind = kind_of(request)
        self.timeline: Timeline | None = None
        """The timeline that the plan was decided from."""
        self.valid_until = UtcMicros(0)
        self.plan: Plan | None = None
        self.plain: PreparedResponse | None = None
        self.gzipped: PreparedResponse | None = None
        """The response in gzip; the same as `plain` for all but manifests."""
        self.used = False
        """Set by each response from the cache: see `SizedCache`."""
        self._decided_at = UtcMicros(0)

    def refresh(self, now: UtcMicros) -> None:
        """Decide again if the plan is not valid any more; drop the responses of another plan."""
        if self.timeline is self.channel.timeline and now < self.valid_until:
            return
        snapshot = self.channel.snapshot if self.channel_name else None
        plan = decide(self.request, snapshot, now)
        recheck = UtcMicros(now + _RECHECK)
        self.valid_until = min(settled_until(self.request, snapshot, now), recheck)
        self.timeline = self.channel.timeline
        is_cold = now - self._decided_at > _COLD
        # Two windows are slow to compare; the manifest cache knows whether a manifest is new.
        if is_cold or isinstance(plan, ServeManifest) or plan != self.plan:
            self.plan, self.plain, self.gzipped = plan, None, None
        self._decided_at = now

    def prepared(self, *, gzip: bool) -> PreparedResponse | None:
        """The prepared response, if there is one whose file is whole."""
        response = self.gzipped if gzip else self.plain
        if response is None or response.file_slice is None:
            return response
        if response.is_truncated:
            self.plain = self.gzipped = None
            return None
        return response

    def keep(self, response: PreparedResponse) -> PreparedResponse:
        """Keep `response`, which is the same with and without gzip; returns it."""
        self.plain = self.gzipped = response
        return response

    def keep_coding(self, response: PreparedResponse, *, gzip: bool) -> None:
        """Keep `response` for one content coding."""
        if gzip:
            self.gzipped = response
        else:
            self.plain = response

    def let_go(self) -> None:
        """Drop plan and responses."""
        self.timeline = None
        self.plan = self.plain = self.gzipped = None

    @property
    def size(self) -> int:
        """Bytes of the bodies, with overhead."""
        bodies = {id(one): one.response.size for one in (self.plain, self.gzipped) if one}
        return _OVERHEAD + sum(bodies.values())


def prepare(
    response: Response, answer: CachedAnswer, counters: ChannelCounters
) -> PreparedResponse:
    """`response`, prepared to be sent and counted as one of `answer`."""
    labels = answer.channel_name, answer.kind, response.status
    return PreparedResponse(response, counters.of(*labels))


def kind_of(request: Request) -> str:
    """The kind of object, as a label in metrics and log."""
    match request:
        case Manifest():
            return request.kind
        case MediaObject():
            return type(request.name).__name__.removesuffix("Name").lower()
        case SmoothFragment():
            return "fragment"
        case _:
            return "other"
