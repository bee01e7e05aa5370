"""Access to the control port.

| request | requirement |
| --- | --- |
| the page, the players, /healthz | none |
| /metrics, GET of /api/ | the control token, if one is set |
| orders (PUT, DELETE) | the same; without a token, a port on loopback only |

A browser on the operator's machine also runs pages of other sites. They do not have the token.
Without a token, `Sec-Fetch-Site` or `Origin` identifies them, and `Host` detects DNS rebinding.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from origin.access.playback import AccessDenied
from packager.config.schema.origin import OriginConfig
from packager.config.secret import Secret

_FREE = re.compile(r"/|/healthz|/page/.*|/players/.*")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(?P<name>[^:\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

_NO_TOKEN = AccessDenied("no token: send the control token as Authorization: Bearer", 401)
_NOT_THE_TOKEN = AccessDenied("not the control token", 401)
_OTHER_SITE = AccessDenied("no orders from pages of other sites")
_OPEN = AccessDenied(
    "no orders where the control port is not on loopback: set origin.control_token"
)
_OTHER_HOST = AccessDenied(
    "no orders to this machine by that name: use localhost, or set origin.control_token"
)


@dataclass(frozen=True, slots=True)
class ControlGuard:
    """Access policy of the control port."""

    host: str = "127.0.0.1"
    """Address that the port listens on."""
    token: Secret | None = None

    @classmethod
    def of(cls, origin: OriginConfig) -> Self:
        """The policy of a configuration."""
        return cls(origin.control_host, origin.control_token)

    def check(self, method: str, path: str, headers: Mapping[str, str]) -> AccessDenied | None:
        """The reason to refuse a request; None if it is allowed.

        `path` is decoded; `headers` ignores the case of names.
        """
        if _FREE.fullmatch(path) is not None:
            return None
        if (denied := self._check_token(headers.get("Authorization"))) is not None:
            return denied
        return None if method in _READING else self.check_order(headers)

    def _check_token(self, authorization: str | None) -> AccessDenied | None:
        if self.token is None:
            return None
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return _NO_TOKEN
        return None if self.token.matches(token.strip(" ")) else _NOT_THE_TOKEN

    def check_order(self, headers: Mapping[str, str]) -> AccessDenied | None:
        """The reason to refuse an order from a client that passed `check`; None if allowed."""
        host = headers.get("Host", "")
        if _of_other_site(host, headers):
            return _OTHER_SITE
        if self.token is not None:
            return None
        if not _is_loopback(self.host):
            return _OPEN
        match = _HOST.fullmatch(host)
        name = match["name"].lower().strip("[]") if match else ""
        return None if name == self.host.lower() or _is_loopback(name) else _OTHER_HOST


def _of_other_site(host: str, headers: Mapping[str, str]) -> bool:
    """Whether a page of another site sent the request; programs send neither header."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site not in ("same-origin", "none")
    # The scheme is ignored: a proxy may use HTTPS.
    return origin is not None and origin.partition("://")[2] != host


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
