"""Access checks of the public port: playback tokens of viewers, secrets of CDNs.

    /t/{token}/live/...            URLs in manifests are relative, so each request keeps the token
    /live/...?token={token}        for clients that add it to each request

Each channel configures both checks; without configuration they are off. They need neither disk nor
timeline. A refusal is cheap and reveals nothing about the channel.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from origin.decision.plan import Freshness, Redirect, Refuse
from origin.urls.query import values
from origin.urls.request import MediaObject, Request, SmoothFragment, TimeOfDay
from packager.access.playback_token import LONGEST, verified
from packager.config.access import AccessConfig
from packager.config.secret import Secret
from packager.timing.ticks import MICROS, UtcMicros

_TOKEN = "token"  # noqa: S105 - the argument's name
_IN_PATH = "/t/"
_ANY_TOKEN = re.compile(r"((?:^|/)t/|token=)[^/&\s]*\.[^/&\s]*")
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class AccessDenied:
    """The reason to refuse a request."""

    reason: str
    """One plain line."""
    status: int = 403

    @property
    def plan(self) -> Refuse:
        """The refusal; no cache keeps it, since the next client may have a valid token."""
        return Refuse(self.status, self.reason, Freshness.CONDITION)


NO_TOKEN = AccessDenied("no token")
NOT_VALID = AccessDenied("not a valid token")
EXPIRED = AccessDenied("the token has expired")
ELSEWHERE = AccessDenied("the token is for another path")
NO_CDN = AccessDenied("not a CDN of this channel")


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """The rights of a verified token."""

    prefix: str
    """Path."""
    expires: int
    """Unix seconds."""
    _channel: str = field(init=False, repr=False, compare=False)
    """Path of the channel, with a slash at the end."""

    def __post_init__(self) -> None:
        _, live, channel, *_ = self.prefix.split("/")
        object.__setattr__(self, "_channel", f"/{live}/{channel}/")

    def check(self, request: Request, path: str, now: UtcMicros) -> AccessDenied | None:
        """The reason to refuse `request`, parsed from `path` as sent; None if it is allowed.

        Media exists once, without a view, so a token for any view opens it.
        """
        if now >= self.expires * MICROS:
            return EXPIRED
        if path == self.prefix or path.startswith(f"{self.prefix}/"):
            return None
        of_all_views = isinstance(request, MediaObject | SmoothFragment | TimeOfDay)
        return None if of_all_views and path.startswith(self._channel) else ELSEWHERE


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """Access policy of a channel."""

    token_keys: tuple[Secret, ...] = ()
    cdn_secrets: tuple[tuple[str, Secret], ...] = ()
    """Name of the CDN and its secret."""

    @classmethod
    def of(cls, access: AccessConfig) -> Self:
        """The policy of a configuration."""
        named = access.cdn_secrets.items()
        return cls(access.token_keys, tuple((name, secret) for name, of in named for secret in of))

    def verify(self, token: str) -> TokenGrant | None:
        """The rights of `token`, independent of path and time. This is the slow step; cache it."""
        claim = verified(self.token_keys, token)
        return None if claim is None else TokenGrant(claim.prefix, claim.expires)

    def check(
        self, token: str | None, request: Request, path: str, now: UtcMicros
    ) -> AccessDenied | None:
        """The reason to refuse a viewer with this token; None if allowed."""
        if not self.token_keys:
            return None
        if token is None:
            return NO_TOKEN
        grant = self.verify(token)
        return NOT_VALID if grant is None else grant.check(request, path, now)

    def cdn_of(self, secret_sent: str | None) -> str | None:
        """The name of the CDN with this secret."""
        # All secrets are compared, so that the time reveals nothing.
        matching = [name for name, secret in self.cdn_secrets if secret.matches(secret_sent or "")]
        return matching[0] if matching else None

    def check_cdn(self, secret_sent: str | None) -> AccessDenied | None:
        """The reason to refuse a request with this `X-CDN-Secret`; None if allowed."""
        return NO_CDN if self.cdn_secrets and self.cdn_of(secret_sent) is None else None


def split_token(path: str, query: str = "") -> tuple[str | None, str]:
    """The token of a path or a query, as sent, and the path without it.

    The path takes precedence: its token is the one of the manifest.
    """
    if path.startswith(_IN_PATH):
        token, slash, rest = path.removeprefix(_IN_PATH).partition("/")
        return token, slash + rest
    return values(query, (_TOKEN,)).get(_TOKEN) if _TOKEN in query else None, path


def led_on(plan: Redirect, token: str | None) -> Redirect:
    """`plan` with the client's token in the location, not cacheable."""
    if token is None or len(token) > LONGEST or _URL_SAFE.fullmatch(token) is None:
        return plan
    return Redirect(f"{_IN_PATH}{token}{plan.location}", Freshness.CONDITION)


def shown(text: str) -> str:
    """`text`, such as an invalid path, with tokens replaced."""
    return _ANY_TOKEN.sub(r"\1-", text) if "token" in text or "t/" in text else text
