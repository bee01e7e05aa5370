"""Who may have what on the public port: viewers show a playback token, CDNs a secret.

    /t/{token}/live/...            the URLs in a manifest are relative, so they carry it on
    /live/...?token={token}        for who puts it on every request

Both checks are a channel's own, and off where nothing is configured for them. They need neither
disk nor timeline, so what they refuse costs next to nothing, and says nothing of what is there.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from origin.plan import Freshness, Redirect, Refuse
from origin.query import values
from origin.request import Fragment, Media, Request, TimeOfDay
from packager.access import AccessConfig
from packager.playback_token import LONGEST, opened
from packager.secret import Secret
from packager.ticks import MICROS, UtcMicros

CDN_SECRET = "X-CDN-Secret"  # noqa: S105 - the header's name
"""The header in which a CDN shows its secret."""

_TOKEN = "token"  # noqa: S105 - the name of what is asked for
_IN_PATH = "/t/"
_ANY_TOKEN = re.compile(r"((?:^|/)t/|token=)[^/&\s]*\.[^/&\s]*")
_URL_SAFE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Denied:
    """Why somebody is not served."""

    reason: str
    """One plain line."""
    status: int = 403

    @property
    def plan(self) -> Refuse:
        """The answer: kept by nobody, since the next one may show what this one did not."""
        return Refuse(self.status, self.reason, Freshness.CONDITION)


NO_TOKEN = Denied("no token")
NOT_VALID = Denied("not a valid token")
EXPIRED = Denied("the token has expired")
ELSEWHERE = Denied("the token is for another path")
NO_CDN = Denied("not a CDN of this channel")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token that was verified allows."""

    prefix: str
    """Path."""
    expires: int
    """Unix seconds."""
    _channel: str = field(init=False, repr=False, compare=False)
    """Path of all that the channel has, with a slash at its end."""

    def __post_init__(self) -> None:
        _, live, channel, *_ = self.prefix.split("/")
        object.__setattr__(self, "_channel", f"/{live}/{channel}/")

    def check(self, request: Request, path: str, now: UtcMicros) -> Denied | None:
        """Why `request`, parsed from `path` as it was sent, is not allowed; None if it is.

        Media is there once, without any view, and so it is for every view of its channel.
        """
        if now >= self.expires * MICROS:
            return EXPIRED
        if path == self.prefix or path.startswith(f"{self.prefix}/"):
            return None
        of_all_views = isinstance(request, Media | Fragment | TimeOfDay)
        return None if of_all_views and path.startswith(self._channel) else ELSEWHERE


@dataclass(frozen=True, slots=True)
class Gate:
    """What a channel wants to be shown."""

    token_keys: tuple[Secret, ...] = ()
    cdn_secrets: tuple[tuple[str, Secret], ...] = ()
    """With the CDN's name."""

    @classmethod
    def of(cls, access: AccessConfig) -> Self:
        """As it is configured."""
        named = access.cdn_secrets.items()
        return cls(access.token_keys, tuple((name, secret) for name, of in named for secret in of))

    def verify(self, token: str) -> Grant | None:
        """What `token` allows, at any path and time: this may be kept, it is what takes time."""
        claim = opened(self.token_keys, token)
        return None if claim is None else Grant(claim.prefix, claim.expires)

    def check(
        self, token: str | None, request: Request, path: str, now: UtcMicros
    ) -> Denied | None:
        """Why a viewer with this token is not served; None if they are."""
        if not self.token_keys:
            return None
        if token is None:
            return NO_TOKEN
        grant = self.verify(token)
        return NOT_VALID if grant is None else grant.check(request, path, now)

    def cdn_of(self, said: str | None) -> str | None:
        """The name of the CDN whose secret `said` is."""
        # Compared with all, though the first is it: how long it takes tells nothing.
        matching = [name for name, secret in self.cdn_secrets if secret.matches(said or "")]
        return matching[0] if matching else None

    def check_cdn(self, said: str | None) -> Denied | None:
        """Why who says this in `X-CDN-Secret` is not served; None if they are."""
        return NO_CDN if self.cdn_secrets and self.cdn_of(said) is None else None


def split_token(path: str, query: str = "") -> tuple[str | None, str]:
    """The token in a path and a query as they were sent, and the path without it.

    Where both have one, the path's counts: it is the one that the manifest led to.
    """
    if path.startswith(_IN_PATH):
        token, slash, rest = path.removeprefix(_IN_PATH).partition("/")
        return token, slash + rest
    return values(query, (_TOKEN,)).get(_TOKEN) if _TOKEN in query else None, path


def led_on(plan: Redirect, token: str | None) -> Redirect:
    """`plan` for who came with `token`: they keep it, and nobody keeps the answer for others."""
    if token is None or len(token) > LONGEST or _URL_SAFE.fullmatch(token) is None:
        return plan
    return Redirect(f"{_IN_PATH}{token}{plan.location}", Freshness.CONDITION)


def shown(text: str) -> str:
    """`text`, such as a path that was not understood, without what may be a token in it."""
    return _ANY_TOKEN.sub(r"\1-", text) if "token" in text or "t/" in text else text
