"""The meaning of a request's target: the answer it asks for, and the right to get it."""

from collections.abc import Mapping

from origin.access.playback import AccessDenied, AccessPolicy, split_token
from origin.access.token_cache import FOR_EVER, AccessCache
from origin.http.http1 import HeaderLines
from origin.runtime.content.answer_cache import AnswerCache
from origin.runtime.content.cached_answer import CachedAnswer
from origin.urls.request import parse
from packager.timing.ticks import UtcMicros


class ResolvedTarget:
    """A path and a query, the answer they ask for, and the result of the last access check."""

    __slots__ = ("access", "admitted_until", "answer", "path", "query", "token")

    def __init__(
        self,
        path: str,
        query: str,
        token: str | None,
        answer: CachedAnswer,
        access: AccessCache | None,
    ) -> None:
        """`access` is None where the channel's access is not restricted."""
        self.path = path
        """Without the token."""
        self.query = query
        self.token = token
        self.answer = answer
        self.access = access
        self.admitted_until = FOR_EVER if access is None else UtcMicros(0)
        """The time until which a request equal to the last one is admitted."""

    def check_access(self, lines: HeaderLines, now: UtcMicros) -> AccessDenied | None:
        """The reason why a request with these headers is denied; None if it is admitted."""
        access = self.access
        if access is None or (now < self.admitted_until and access.is_by_token_alone):
            return None
        result = access.check(self.token, self.answer.request, self.path, lines, now)
        if isinstance(result, AccessDenied):
            return result
        self.admitted_until = result
        return None

    @property
    def token_to_keep(self) -> str | None:
        """The token, if redirects have to carry it on."""
        is_asked_for = self.access is not None and self.access.gate.token_keys
        return self.token if is_asked_for else None

    def cdn(self, lines: HeaderLines) -> str:
        """The name of the request's CDN; empty if it is not known."""
        return "" if self.access is None else self.access.cdn(lines)


class TargetResolver:
    """Resolves targets against the answers and the access policies of all channels."""

    def __init__(self, answers: AnswerCache, policies: Mapping[str, AccessPolicy]) -> None:
        """`policies` are those of the channels with restricted access, by channel."""
        self._answers = answers
        self._access = {name: AccessCache(policy) for name, policy in policies.items()}

    def resolve(self, path: str, query: str) -> ResolvedTarget:
        """The meaning of a path and a query, both as the client sent them."""
        token, path = split_token(path, query)
        answer = self._answers.of(parse(path, query))
        access = self._access.get(answer.channel_name)
        return ResolvedTarget(path, query, token, answer, access)
