"""Access checks for channels that require a token or a CDN secret.

Verified tokens are cached: verification takes longer than the rest of a response.
"""

from origin.access.playback import NO_TOKEN, NOT_VALID, AccessDenied, AccessPolicy, TokenGrant
from origin.caching.lru import TwoGenerationCache
from origin.http.http1 import HeaderLines
from origin.urls.request import Request
from packager.timing.ticks import MICROS, UtcMicros

FOR_EVER = UtcMicros(1 << 62)
_GRANTS = 8192


class AccessCache:
    """Access checks of one channel, with a cache of verified tokens."""

    def __init__(self, gate: AccessPolicy) -> None:
        """Check by the policy `gate`."""
        self.gate = gate
        self._grants: TwoGenerationCache[str, TokenGrant] = TwoGenerationCache(_GRANTS)

    @property
    def is_by_token_alone(self) -> bool:
        """Whether access depends on the token in the URL only."""
        return not self.gate.cdn_secrets

    def cdn(self, lines: HeaderLines) -> str:
        """The name of the CDN that sent a request; empty if unknown."""
        return self.gate.cdn_of(lines.secret) or "" if self.gate.cdn_secrets else ""

    def check(
        self, token: str | None, request: Request, path: str, lines: HeaderLines, now: UtcMicros
    ) -> AccessDenied | UtcMicros:
        """The reason to refuse a request, or the time up to which equal requests are allowed."""
        if (denied := self.gate.check_cdn(lines.secret)) is not None:
            return denied
        if not self.gate.token_keys:
            return FOR_EVER
        if token is None:
            return NO_TOKEN
        if (grant := self._grants.find(token)) is None:
            if (grant := self.gate.verify(token)) is None:
                return NOT_VALID
            self._grants.put(token, grant)
        return grant.check(request, path, now) or UtcMicros(grant.expires * MICROS)
