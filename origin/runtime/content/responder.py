"""The responses of the public port: the one source of them for both lanes.

A request is decided again when its channel's timeline has grown or its time is up, not for each
request. A response is prepared once for all requests that get it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from origin.access.playback import AccessPolicy, led_on
from origin.caching.counters import ChannelCounters
from origin.caching.prepared import PreparedResponse
from origin.decision.admission import Load, admits
from origin.decision.plan import (
    Freshness,
    Plan,
    Redirect,
    Refuse,
    ServeFragment,
    ServeGrowing,
    ServeHealth,
    ServeInit,
    ServeManifest,
    ServeMedia,
    ServeTime,
    Wait,
)
from origin.http.cache_headers import CacheHeaders
from origin.http.cache_policy import CachePolicy
from origin.http.http1 import HeaderLines
from origin.http.response import Response, conditioned
from origin.runtime.content.answer_cache import AnswerCache
from origin.runtime.content.cached_answer import CachedAnswer, prepare
from origin.runtime.content.manifest_cache import ManifestCache
from origin.runtime.content.media import MediaReader
from origin.runtime.content.media_loader import MediaLoader
from origin.runtime.content.outcome import Hold, Outcome, ReadMedia
from origin.runtime.content.refusals import Refusals
from origin.runtime.content.targets import ResolvedTarget, TargetResolver
from origin.runtime.journal.follower import FollowedChannel
from packager.timing.ticks import UtcMicros, iso8601

_UNRESTRICTED: Mapping[str, AccessPolicy] = MappingProxyType({})


class Responder:
    """Turns requests into outcomes, from its caches where it can."""

    def __init__(
        self,
        channels: Mapping[str, FollowedChannel],
        data: Path,
        cache_policy: CachePolicy,
        memory: int,
        access_policies: Mapping[str, AccessPolicy] = _UNRESTRICTED,
    ) -> None:
        """Respond from `channels`, with media below `data`; keep at most `memory` bytes of bodies.

        `access_policies` are those of the channels with restricted access.
        """
        self._headers = CacheHeaders(cache_policy)
        self.load = Load()
        self.counters = ChannelCounters()
        self.answers = AnswerCache(channels, memory)
        self.targets = TargetResolver(self.answers, access_policies)
        self.refusals = Refusals(self._headers, self.counters)
        self.manifests = ManifestCache(self._headers, self.counters)
        reader = MediaReader(data, self._headers)
        self.media = MediaLoader(reader, self.answers, self.counters)
        self.path_of = reader.path_of

    def respond(self, target: ResolvedTarget, lines: HeaderLines, now: UtcMicros) -> Outcome:
        """The outcome of a GET of `target`, after its access check."""
        answer = target.answer
        if target.access is not None:
            if (denied := target.check_access(lines, now)) is not None:
                return self.refusals.denied(denied, answer)
            answer.refresh(now)
            if isinstance(answer.plan, Redirect) and (token := target.token_to_keep):
                return self._redirect(led_on(answer.plan, token), answer)
        return self.outcome(answer, now, gzip=lines.gzip)

    def outcome(self, answer: CachedAnswer, now: UtcMicros, *, gzip: bool) -> Outcome:
        """The outcome of a request whose access was checked."""
        answer.refresh(now)
        answer.used = True
        if (response := answer.prepared(gzip=gzip)) is not None:
            return response
        return self._make(answer, answer.plan, gzip=gzip)

    def conditioned(
        self, response: PreparedResponse, lines: HeaderLines, method: str
    ) -> PreparedResponse:
        """`response` (a 200) after the conditions and the range of a request."""
        is_same = bool(lines.tag) and lines.tag == response.etag
        if is_same and response.not_modified is not None:
            return response.not_modified
        caching = self.refusals.condition_caching
        result = conditioned(response.response, method, lines.conditions or {}, caching)
        if result is response.response:
            return response
        labels = response.counters
        counters = self.counters.of(labels.channel, labels.kind, result.status)
        prepared = PreparedResponse(result, counters)
        if is_same:
            response.not_modified = prepared
        return prepared

    def _make(self, answer: CachedAnswer, plan: Plan | None, *, gzip: bool) -> Outcome:
        match plan:
            case ServeManifest():
                return self._manifest(answer, plan, gzip=gzip)
            case ServeMedia() | ServeInit() | ServeFragment():
                return ReadMedia(plan)
            case Wait():
                return Hold(plan)
            case ServeGrowing():
                return self.media.stream(answer, plan)
            case Refuse():
                return answer.keep(self.refusals.of(plan, answer))
            case _:
                return answer.keep(prepare(self._text(plan), answer, self.counters))

    def _text(self, plan: Plan | None) -> Response:
        match plan:
            case ServeTime(now):
                response = self._headers.plain(200, "", Freshness.NEVER)
                # No end of line: a browser would not parse the date (ISO/IEC 23009-1 5.8.5.7).
                return replace(response, body=iso8601(now).encode())
            case ServeHealth():
                return self._headers.plain(200, "ok", Freshness.NEVER)
            case Redirect(location, freshness):
                text, header = f"moved to {location}", ("Location", location)
                return self._headers.plain(302, text, freshness, header)
            case _:
                raise TypeError(plan)

    def _redirect(self, plan: Redirect, answer: CachedAnswer) -> PreparedResponse:
        return prepare(self._text(plan), answer, self.counters)

    def _manifest(
        self, answer: CachedAnswer, plan: ServeManifest, *, gzip: bool
    ) -> PreparedResponse:
        found = self.manifests.find(plan, answer.channel, gzip=gzip)
        if found is None:
            if not admits(self.load, plan.request):
                return self.refusals.overload(answer)
            found = self.manifests.render(plan, answer, gzip=gzip)
        answer.keep_coding(found, gzip=gzip)
        self.answers.keep(answer)
        return found
