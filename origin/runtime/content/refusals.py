"""Responses to requests that are not served: errors, and requests shed under load."""

from collections.abc import Hashable
from itertools import count

from origin.access.playback import AccessDenied
from origin.caching.counters import ChannelCounters
from origin.caching.lru import TwoGenerationCache
from origin.caching.prepared import PreparedResponse
from origin.decision.admission import put_off
from origin.decision.plan import Freshness, Refuse
from origin.http.cache_headers import CacheHeaders
from origin.http.response import plain
from origin.runtime.content.cached_answer import CachedAnswer, prepare
from origin.runtime.telemetry import metrics

_MOST = 1024
_UNREADABLE = Refuse(503, "the media cannot be read", Freshness.UNAVAILABLE, retry_after=1)
_ALLOW = ("Allow", "GET, HEAD, OPTIONS")
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "*, Authorization, Range",
    "Access-Control-Max-Age": "86400",
}


class Refusals:
    """Prepares refusals, each once for all requests that get it."""

    def __init__(self, headers: CacheHeaders, counters: ChannelCounters) -> None:
        self._headers = headers
        self._counters = counters
        self._prepared: TwoGenerationCache[Hashable, PreparedResponse] = TwoGenerationCache(_MOST)
        self._sequence = count()

    def of(self, plan: Refuse, answer: CachedAnswer) -> PreparedResponse:
        """The error response of a plan."""
        timeline = answer.channel.timeline
        key = (plan, answer.channel_name, answer.kind, timeline.grid)
        if (found := self._prepared.find(key)) is None:
            retry = (("Retry-After", str(plan.retry_after)),) if plan.retry_after else ()
            caching = self._headers.cache_control(plan.freshness, timeline)
            extra = (*retry, *self._headers.for_cdns(plan.freshness, timeline))
            found = prepare(
                plain(plan.status, plan.reason, caching, *extra), answer, self._counters
            )
            self._prepared.put(key, found)
        return found

    def overload(self, answer: CachedAnswer) -> PreparedResponse:
        """The response to a request that is shed: 503, with Retry-After of one to four seconds."""
        metrics.SHED_REQUESTS.labels(answer.kind).inc()
        return self.of(put_off(next(self._sequence)), answer)

    def denied(self, denied: AccessDenied, answer: CachedAnswer) -> PreparedResponse:
        """The response to a request without the right to what it asks for."""
        metrics.DENIED_REQUESTS.labels(answer.channel_name, denied.reason).inc()
        return self.of(denied.plan, answer)

    def unreadable(self, answer: CachedAnswer) -> PreparedResponse:
        """The response for media that the journal names and the store does not have."""
        return self.of(_UNREADABLE, answer)

    def method(self, method: str, answer: CachedAnswer) -> PreparedResponse:
        """The response to a method other than GET and HEAD."""
        if method == "OPTIONS":
            extra = (*_PREFLIGHT.items(), _ALLOW)
            return prepare(
                self._headers.plain(204, "", Freshness.UNKNOWN, *extra), answer, self._counters
            )
        text = "only GET, HEAD and OPTIONS are allowed"
        return prepare(
            self._headers.plain(405, text, Freshness.UNKNOWN, _ALLOW), answer, self._counters
        )

    @property
    def condition_caching(self) -> str:
        """The Cache-Control of errors that a request's own conditions cause."""
        return self._headers.cache_control(Freshness.CONDITION)
